// Package torch contains all access to libtorch: flat state vectors, image sets on the device, networks as lists of layers,
// and the executors that train them. It is the only package with cgo.
//
// The parameters of a network are one contiguous float32 [Vector]. The primary encoder, the secondary encoder and the head
// are ranges of it ([Part]), and the weights of each layer are views of it. An update is therefore one subtraction,
// aggregation is one weighted sum, and a frozen part is a range that does not change.
//
// [Engine] runs whole local trainings in C++ with hand-written gradients. [Eager] runs the same jobs layer by layer on
// gotorch tensors with autograd, and is the reference that the engines are compared with.
//
// A loss that a method brings itself is an [Objective]: a Go function that computes a scalar [Tensor] from a [Batch]. A
// package that writes one needs neither cgo nor gotorch. Knowledge distillation, for example, is
//
//	torch.ObjectiveFunc(func(b *torch.Batch) (torch.Tensor, error) {
//		_, teacher := b.ForwardReceived(b.Images)
//		soft := b.Logits().LogSoftmax(1).Mul(teacher.Softmax(1)).Sum(1).Mean().Scale(-1)
//		return b.CrossEntropy().Plus(0.5, soft), nil
//	})
//
// Every executor accepts it in [SGD.Objective].
package torch
