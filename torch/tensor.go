package torch

// #include <stdlib.h>
// #include "shim/fd.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
)

// Tensor is a float32 tensor on the device of a training. It is a gotorch tensor with autograd. An [Objective] computes its
// loss from tensors. They live until the step is done, and using one later is an error. An operation that is not possible,
// such as a product of shapes that do not fit, ends the objective with an error that names the client, the batch and the
// line. A tensor must not be used by several goroutines at once.
type Tensor struct {
	t    gotorch.Tensor
	tape *tape
}

// tensorError is the value with which an operation on tensors panics; attempt turns it into an error.
type tensorError struct{ err error }

// refuse ends the running objective with an error, unless err is nil.
func refuse(err error) {
	if err != nil {
		panic(tensorError{err})
	}
}

// liveTensors counts the tensors that tapes hold.
var liveTensors atomic.Int64

// tape owns the tensors of a step and frees them when the step is done. gotorch leaves its tensors to finalizers, so that
// they outlive many steps. It also passes the address of a tensor to C and drops the tensor, which may then be freed while
// C still reads it; the tape keeps it alive.
type tape struct {
	device  Device
	tensors []gotorch.Tensor
}

// keep makes the tape the owner of a tensor.
func (t *tape) keep(x gotorch.Tensor) gotorch.Tensor {
	t.tensors = append(t.tensors, x)
	liveTensors.Add(1)
	return x
}

// free frees all tensors. It may be called again.
func (t *tape) free() {
	for _, x := range t.tensors {
		if x.T != nil && *x.T != nil {
			runtime.SetFinalizer(x.T, nil)
			C.fd_tensor_free(*x.T)
			*x.T = nil
		}
	}
	liveTensors.Add(-int64(len(t.tensors)))
	t.tensors = nil
}

// make returns the tensor that a function of the shim makes, owned by the tape. It panics with the function's error.
func (t *tape) make(fn func(out *unsafe.Pointer) *C.char) Tensor {
	if t == nil {
		refuse(errors.New("a tensor without a value was used: get tensors from the batch"))
	}
	var handle unsafe.Pointer
	refuse(failure(fn(&handle)))
	return t.adopt(handle)
}

// adopt returns a tensor that the shim made, owned by the tape.
func (t *tape) adopt(handle unsafe.Pointer) Tensor {
	return Tensor{t.keep(gotorch.Tensor{T: &handle}), t}
}

// floats copies values into a tensor of the given shape; without a shape it is a scalar.
func (t *tape) floats(values []float32, shape ...int) Tensor {
	sizes := dimensions(shape)
	if sizeOf(shape) != len(values) {
		refuse(fmt.Errorf("%d values for a tensor of shape %v", len(values), shape))
	}
	name := C.CString(t.device.String())
	defer C.free(unsafe.Pointer(name))
	return t.make(func(out *unsafe.Pointer) *C.char {
		return C.fd_tensor_of(name, (*C.float)(first(values)), first(sizes), C.int64_t(len(sizes)), out)
	})
}

// sizeOf returns the number of values of a shape.
func sizeOf(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

// dimensions returns a shape, or a list of dimensions, for C.
func dimensions(shape []int) []C.int64_t {
	sizes := make([]C.int64_t, len(shape))
	for i, s := range shape {
		sizes[i] = C.int64_t(s)
	}
	return sizes
}

// raw returns the at::Tensor* behind a tensor. It is nil if the tensor was freed or has no value; the shim refuses nil.
func (x Tensor) raw() unsafe.Pointer {
	if x.t.T == nil {
		return nil
	}
	return *x.t.T
}

// gotorch returns the tensor for gotorch's functions, which would crash on a tensor that was freed.
func (x Tensor) gotorch() gotorch.Tensor {
	if x.raw() == nil {
		refuse(errors.New("a tensor that was freed, or that has no value, was used"))
	}
	return x.t
}

// Shape returns the size of each dimension; a scalar has none.
func (x Tensor) Shape() []int {
	var dims C.int64_t
	refuse(failure(C.fd_tensor_dims(x.raw(), &dims)))
	sizes := make([]C.int64_t, dims)
	if dims > 0 {
		refuse(failure(C.fd_tensor_shape(x.raw(), &sizes[0])))
	}
	runtime.KeepAlive(x.tape)
	shape := make([]int, dims)
	for i, s := range sizes {
		shape[i] = int(s)
	}
	return shape
}

// Floats returns a copy of the values on the host, with the last dimension varying fastest.
func (x Tensor) Floats() []float32 {
	values := make([]float32, sizeOf(x.Shape()))
	refuse(failure(C.fd_tensor_values(x.raw(), (*C.float)(first(values)), C.int64_t(len(values)))))
	runtime.KeepAlive(x.tape)
	return values
}

// Item returns the value of a tensor that has one value.
func (x Tensor) Item() float64 {
	values := x.Floats()
	if len(values) != 1 {
		refuse(fmt.Errorf("Item of a tensor of shape %v", x.Shape()))
	}
	return float64(values[0])
}
