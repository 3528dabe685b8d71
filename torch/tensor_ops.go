package torch

// #include "shim/fd.h"
import "C"

import (
	"errors"
	"runtime"
	"unsafe"
)

// each applies an operation to each value.
func (x Tensor) each(op C.int, a float64) Tensor {
	return x.tape.make(func(out *unsafe.Pointer) *C.char { return C.fd_tensor_each(op, x.raw(), C.double(a), out) })
}

// pair applies an operation to two tensors.
func (x Tensor) pair(op C.int, y Tensor, a float64) Tensor {
	return x.tape.make(func(out *unsafe.Pointer) *C.char {
		defer runtime.KeepAlive(y.tape)
		return C.fd_tensor_pair(op, x.raw(), y.raw(), C.double(a), out)
	})
}

// over applies an operation over dimensions.
func (x Tensor) over(op C.int, dims []int) Tensor {
	d := dimensions(dims)
	return x.tape.make(func(out *unsafe.Pointer) *C.char {
		return C.fd_tensor_over(op, x.raw(), first(d), C.int64_t(len(d)), out)
	})
}

// Add returns x + y. Shapes broadcast as in PyTorch, here and in Sub, Plus, Mul, Div and Equal.
func (x Tensor) Add(y Tensor) Tensor { return x.Plus(1, y) }

// Sub returns x - y.
func (x Tensor) Sub(y Tensor) Tensor { return x.Plus(-1, y) }

// Plus returns x + a y.
func (x Tensor) Plus(a float64, y Tensor) Tensor { return x.pair(C.FD_PAIR_ADD, y, a) }

// Mul returns the product of each pair of values.
func (x Tensor) Mul(y Tensor) Tensor { return x.pair(C.FD_PAIR_MUL, y, 0) }

// Div returns the quotient of each pair of values.
func (x Tensor) Div(y Tensor) Tensor { return x.pair(C.FD_PAIR_DIV, y, 0) }

// Equal returns 1 where values are equal, and 0 elsewhere. The result is a constant.
func (x Tensor) Equal(y Tensor) Tensor { return x.pair(C.FD_PAIR_EQUAL, y, 0) }

// MatMul returns the matrix product, (n, k) times (k, m) = (n, m).
func (x Tensor) MatMul(y Tensor) Tensor { return x.pair(C.FD_PAIR_MATMUL, y, 0) }

// Cosine returns the cosine between each row of x and the same row of y, both (n, k): (n). Norms count as at least 1e-8.
func (x Tensor) Cosine(y Tensor) Tensor { return x.pair(C.FD_PAIR_COSINE, y, 0) }

// Scale returns a x.
func (x Tensor) Scale(a float64) Tensor { return x.each(C.FD_EACH_SCALE, a) }

// Shift returns x + a.
func (x Tensor) Shift(a float64) Tensor { return x.each(C.FD_EACH_SHIFT, a) }

// Exp returns e^x.
func (x Tensor) Exp() Tensor { return x.each(C.FD_EACH_EXP, 0) }

// Log returns the natural logarithm.
func (x Tensor) Log() Tensor { return x.each(C.FD_EACH_LOG, 0) }

// Sqrt returns the square root.
func (x Tensor) Sqrt() Tensor { return x.each(C.FD_EACH_SQRT, 0) }

// Square returns x².
func (x Tensor) Square() Tensor { return x.Mul(x) }

// Abs returns |x|.
func (x Tensor) Abs() Tensor { return x.each(C.FD_EACH_ABS, 0) }

// ReLU returns max(0, x).
func (x Tensor) ReLU() Tensor { return x.each(C.FD_EACH_RELU, 0) }

// Sigmoid returns 1 / (1 + e^-x).
func (x Tensor) Sigmoid() Tensor { return x.each(C.FD_EACH_SIGMOID, 0) }

// Tanh returns the hyperbolic tangent.
func (x Tensor) Tanh() Tensor { return x.each(C.FD_EACH_TANH, 0) }

// Softplus returns log(1 + e^x).
func (x Tensor) Softplus() Tensor { return x.each(C.FD_EACH_SOFTPLUS, 0) }

// AtLeast returns max(x, a).
func (x Tensor) AtLeast(a float64) Tensor { return x.each(C.FD_EACH_CLAMP, a) }

// Detach returns x as a constant: no derivative goes through it.
func (x Tensor) Detach() Tensor { return x.each(C.FD_EACH_DETACH, 0) }

// Variable returns a copy of x by which [Tensor.Gradient] can differentiate. No derivative goes through it to x.
func (x Tensor) Variable() Tensor { return x.each(C.FD_EACH_LEAF, 0) }

// Sum returns the sum over dimensions, which it drops. Without dimensions it sums over all.
func (x Tensor) Sum(dims ...int) Tensor { return x.over(C.FD_OVER_SUM, dims) }

// Mean returns the mean over dimensions, which it drops. Without dimensions it is the mean over all.
func (x Tensor) Mean(dims ...int) Tensor { return x.over(C.FD_OVER_MEAN, dims) }

// Max returns the largest value over dimensions, which it drops. Without dimensions it is the largest over all.
func (x Tensor) Max(dims ...int) Tensor { return x.over(C.FD_OVER_MAX, dims) }

// LogSumExp returns log Σ e^x over dimensions, which it drops. Without dimensions the sum is over all.
func (x Tensor) LogSumExp(dims ...int) Tensor { return x.over(C.FD_OVER_LOG_SUM_EXP, dims) }

// Softmax returns e^x / Σ e^x along a dimension.
func (x Tensor) Softmax(dim int) Tensor { return x.over(C.FD_OVER_SOFTMAX, []int{dim}) }

// LogSoftmax returns x - log Σ e^x along a dimension.
func (x Tensor) LogSoftmax(dim int) Tensor { return x.over(C.FD_OVER_LOG_SOFTMAX, []int{dim}) }

// Normalize returns x / |x| along a dimension, where |x| counts as at least 1e-12.
func (x Tensor) Normalize(dim int) Tensor { return x.over(C.FD_OVER_NORMALIZE, []int{dim}) }

// Reshape returns the values in another shape. One size may be -1 and is then computed from the others.
func (x Tensor) Reshape(shape ...int) Tensor {
	s := dimensions(shape)
	return x.tape.make(func(out *unsafe.Pointer) *C.char {
		return C.fd_tensor_reshape(x.raw(), first(s), C.int64_t(len(s)), out)
	})
}

// Transpose returns the transpose of a matrix.
func (x Tensor) Transpose() Tensor {
	return x.tape.make(func(out *unsafe.Pointer) *C.char { return C.fd_tensor_transpose(x.raw(), 0, 1, out) })
}

// Cat joins tensors along a dimension.
func Cat(dim int, xs ...Tensor) Tensor {
	if len(xs) == 0 {
		refuse(errors.New("Cat of no tensors"))
	}
	handles := handlesOf(xs)
	return xs[0].tape.make(func(out *unsafe.Pointer) *C.char {
		defer runtime.KeepAlive(xs)
		return C.fd_tensor_cat(&handles[0], C.int64_t(len(handles)), C.int64_t(dim), out)
	})
}

func handlesOf(xs []Tensor) []unsafe.Pointer {
	handles := make([]unsafe.Pointer, len(xs))
	for i, x := range xs {
		handles[i] = x.raw()
	}
	return handles
}

// Select returns the slices with the given indices along a dimension, in the order of index. An index may occur more than
// once.
func (x Tensor) Select(dim int, index []int64) Tensor {
	return x.tape.make(func(out *unsafe.Pointer) *C.char {
		return C.fd_tensor_select(x.raw(), C.int64_t(dim), (*C.int64_t)(first(index)), C.int64_t(len(index)), out)
	})
}

// Pick returns x[i, columns[i]] for each row i: (n, k) -> (n).
func (x Tensor) Pick(columns []int64) Tensor {
	return x.tape.make(func(out *unsafe.Pointer) *C.char {
		return C.fd_tensor_pick(x.raw(), (*C.int64_t)(first(columns)), C.int64_t(len(columns)), out)
	})
}

// CrossEntropy returns the cross-entropy of each row of logits (n, classes) with its label: (n).
func (x Tensor) CrossEntropy(labels []int64) Tensor { return x.LogSoftmax(1).nll(labels, 0) }

// nll returns the negative log-likelihood of each row of log-probabilities for its label, or their mean.
func (x Tensor) nll(labels []int64, mean C.int) Tensor {
	return x.tape.make(func(out *unsafe.Pointer) *C.char {
		return C.fd_tensor_nll(x.raw(), (*C.int64_t)(first(labels)), C.int64_t(len(labels)), mean, out)
	})
}

// Gradient returns the derivatives of a scalar by tensors from which it was computed, each in the shape of its tensor, and
// zeros where the scalar does not depend on it. They can be part of a loss, because autograd can differentiate them again.
func (x Tensor) Gradient(by ...Tensor) []Tensor {
	if len(by) == 0 {
		return nil
	}
	handles, out := handlesOf(by), make([]unsafe.Pointer, len(by))
	refuse(failure(C.fd_tensor_gradient(x.raw(), &handles[0], C.int64_t(len(by)), &out[0])))
	runtime.KeepAlive(by)
	grads := make([]Tensor, len(by))
	for i, handle := range out {
		grads[i] = x.tape.adopt(handle)
	}
	return grads
}
