package data

// The mean and deviation that CIFAR-10's pixels are scaled with (see the specification; the deviation is the one in
// common use, the mean over images of each image's own, rather than the .247, .243, .262 over all pixels).
var (
	cifar10Mean = []float32{.4914, .4822, .4465}
	cifar10Std  = []float32{.2023, .1994, .2010}
)
