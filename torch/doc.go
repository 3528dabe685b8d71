// Package torch is the one door to libtorch: flat state vectors, image sets on the device, networks as layer lists, and
// the two executors that train them. It is the only package with cgo.
//
// A network's parameters are one contiguous float32 [Vector]; the primary encoder, the secondary encoder and the head
// are ranges of it ([Part]), each layer's weights are views of it. So an update is a subtraction, aggregation one
// weighted sum, and freezing leaves a range alone.
//
// [Engine] runs whole local trainings in C++ with gradients written by hand; [Eager] runs the same jobs layer by layer
// on gotorch tensors and autograd, and is the oracle the engine is held to.
package torch
