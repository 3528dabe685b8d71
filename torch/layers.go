package torch

// A Layer is one step of an encoder. The concrete types below are all there are; a model is a list of them.
type Layer interface {
	// output returns the shape the layer makes of in (C, H, W, or features, 1, 1), or an error that says why it cannot.
	output(in [3]int) ([3]int, error)
}

// Conv2d is a square convolution with bias: weight (Out, In, Kernel, Kernel), bias (Out).
type Conv2d struct {
	Name                             string // names the parameters: Name.weight, Name.bias
	In, Out, Kernel, Stride, Padding int
}

// ReLU is max(0, x).
type ReLU struct{}

// MaxPool2d takes the maximum over Size x Size windows that do not overlap; a remainder at the edge is dropped.
type MaxPool2d struct{ Size int }

// Dropout zeroes each activation with probability P in training and scales the others by 1/(1-P).
type Dropout struct{ P float64 }

// Flatten turns (C, H, W) into C*H*W features.
type Flatten struct{}

// Linear is x W' + b: weight (Out, In), bias (Out).
type Linear struct {
	Name    string
	In, Out int
}
