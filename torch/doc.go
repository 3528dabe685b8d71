// Package torch is the one door to libtorch: flat state vectors, image sets on the device, networks as layer lists, and
// the executors that train them. It is the only package with cgo.
//
// A network's parameters are one contiguous float32 [Vector]; the primary encoder, the secondary encoder and the head
// are ranges of it ([Part]), each layer's weights are views of it. So an update is a subtraction, aggregation one
// weighted sum, and freezing leaves a range alone.
//
// [Engine] runs whole local trainings in C++ with gradients written by hand; [Eager] runs the same jobs layer by layer
// on gotorch tensors and autograd, and is the oracle that the engine is held to.
//
// A loss of its own is an [Objective]: a Go function that makes a scalar [Tensor] of a [Batch]. A package that writes one
// needs neither cgo nor gotorch. Knowledge distillation, for example, is
//
//	torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
//		_, teacher := b.ForwardReceived(b.Images)
//		soft := b.Logits().LogSoftmax(1).Mul(teacher.Softmax(1)).Sum(1).Mean().Scale(-1)
//		return b.CrossEntropy().Plus(0.5, soft), nil
//	})
//
// Every executor takes it, in [SGD.Objective].
package torch
