package torch

// A Layer is one step of an encoder. The concrete types below are all there are; a model is a list of them.
type Layer interface {
	// output returns the shape the layer makes of in (C, H, W, or features, 1, 1), or an error that says why it cannot.
	output(in [3]int) ([3]int, error)
	// tensors lists what the layer has in the state vector: parameters, then buffers. Ranges are not yet set.
	tensors() []Param
}

// Conv2d is a square convolution: weight (Out, In, Kernel, Kernel), bias (Out).
type Conv2d struct {
	Name                             string // names the parameters: Name.weight, Name.bias
	In, Out, Kernel, Stride, Padding int
	NoBias                           bool // a norm behind it has a shift of its own
}

// ReLU is max(0, x).
type ReLU struct{}

// MaxPool2d takes the maximum over Size x Size windows that do not overlap; a remainder at the edge is dropped.
type MaxPool2d struct{ Size int }

// AvgPool2d takes the mean over Size x Size windows that do not overlap and leave no remainder.
type AvgPool2d struct{ Size int }

// Dropout zeroes each activation with probability P in training and scales the others by 1/(1-P).
type Dropout struct{ P float64 }

// Flatten turns (C, H, W) into C*H*W features.
type Flatten struct{}

// Linear is x W' + b: weight (Out, In), bias (Out).
type Linear struct {
	Name    string
	In, Out int
}

// normEps is added to a variance before its root is taken; normMomentum is the share of a batch in the running
// statistics. Both are PyTorch's defaults.
const normEps, normMomentum = 1e-5, 0.1

// BatchNorm2d normalises each channel over the batch and the pixels, then scales and shifts it: weight (Channels), bias
// (Channels). Training moves the running statistics, buffers running_mean and running_var (Channels), by a tenth of the
// way to the batch's; evaluation, and a frozen encoder, uses them.
type BatchNorm2d struct {
	Name     string
	Channels int
}

// GroupNorm normalises each sample over groups of channels and the pixels, then scales and shifts each channel: weight
// (Channels), bias (Channels). It keeps no statistics: training and evaluation are the same.
type GroupNorm struct {
	Name             string
	Groups, Channels int
}

// Residual is Body(x) + Shortcut(x); an empty Shortcut is x itself.
type Residual struct{ Body, Shortcut []Layer }
