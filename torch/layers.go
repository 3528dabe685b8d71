package torch

// A Layer is one step of an encoder. The types below are the only ones; a model is a list of them.
type Layer interface {
	// output returns the shape of the layer's output for an input of shape in (C, H, W, or features, 1, 1), or an error.
	output(in [3]int) ([3]int, error)
	// tensors returns the layer's tensors in the state vector, first the parameters and then the buffers. Their ranges are
	// not set yet.
	tensors() []Param
}

// Conv2d is a square convolution: weight (Out, In, Kernel, Kernel), bias (Out).
type Conv2d struct {
	Name                             string // the parameters are Name.weight and Name.bias
	In, Out, Kernel, Stride, Padding int
	NoBias                           bool // no bias, because the norm that follows has its own shift
}

// ReLU is max(0, x).
type ReLU struct{}

// MaxPool2d takes the maximum over Size x Size windows that do not overlap; a remainder at the edge is dropped.
type MaxPool2d struct{ Size int }

// AvgPool2d takes the mean over Size x Size windows that do not overlap; they must leave no remainder.
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

// normEps is added to a variance before its square root is taken. normMomentum is the weight of a batch in the running
// statistics. Both are PyTorch's defaults.
const normEps, normMomentum = 1e-5, 0.1

// BatchNorm2d normalises each channel over the batch and the pixels, then scales and shifts it: weight (Channels), bias
// (Channels). Training moves the running statistics, the buffers running_mean and running_var (Channels), a tenth of the
// way to those of the batch. Evaluation, and a frozen encoder, use the running statistics.
type BatchNorm2d struct {
	Name     string
	Channels int
}

// GroupNorm normalises each sample over groups of channels and the pixels, then scales and shifts each channel: weight
// (Channels), bias (Channels). It has no running statistics, so training and evaluation are the same.
type GroupNorm struct {
	Name             string
	Groups, Channels int
}

// Residual is Body(x) + Shortcut(x). An empty Shortcut is the identity.
type Residual struct{ Body, Shortcut []Layer }
