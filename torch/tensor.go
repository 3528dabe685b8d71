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

// Tensor is a float32 tensor on the device that a training runs on, a gotorch tensor with autograd. An [Objective] makes
// its loss of tensors; they live until the step is done, and one that is used later is an error. An operation that is not
// possible, such as a product of shapes that do not fit, ends the objective; the error names the client, the batch and
// the line. Tensors are not for use by several goroutines at once.
type Tensor struct {
	t    gotorch.Tensor
	tape *tape
}

// tensorError is what an operation on tensors panics with; attempt turns it into an error.
type tensorError struct{ err error }

// refuse ends the objective at work with an error.
func refuse(err error) {
	if err != nil {
		panic(tensorError{err})
	}
}

// liveTensors counts the tensors that tapes hold.
var liveTensors atomic.Int64

// tape owns a step's tensors and frees them when the step is done. gotorch leaves its tensors to finalizers, so that
// they outlive many steps, and it hands C a tensor's address and forgets the tensor, which may then be freed while C
// still reads it: the tape keeps it.
type tape struct {
	device  Device
	tensors []gotorch.Tensor
}

// keep takes over a tensor.
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

// make takes over the tensor that a function of the shim makes, and panics with the function's error.
func (t *tape) make(fn func(out *unsafe.Pointer) *C.char) Tensor {
	if t == nil {
		refuse(errors.New("a tensor that was never made was used: every tensor comes from the batch"))
	}
	var handle unsafe.Pointer
	refuse(failure(fn(&handle)))
	return t.adopt(handle)
}

// adopt takes over a tensor that the shim made.
func (t *tape) adopt(handle unsafe.Pointer) Tensor {
	return Tensor{t.keep(gotorch.Tensor{T: &handle}), t}
}

// floats copies values into a tensor of a shape; no shape is a scalar.
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

// dimensions writes a shape, or a list of dimensions, for C.
func dimensions(shape []int) []C.int64_t {
	sizes := make([]C.int64_t, len(shape))
	for i, s := range shape {
		sizes[i] = C.int64_t(s)
	}
	return sizes
}

// raw is the at::Tensor* behind a tensor; nil if it was freed or never made, which the shim refuses.
func (x Tensor) raw() unsafe.Pointer {
	if x.t.T == nil {
		return nil
	}
	return *x.t.T
}

// gotorch is the tensor for gotorch's functions, which would crash on one that is no more.
func (x Tensor) gotorch() gotorch.Tensor {
	if x.raw() == nil {
		refuse(errors.New("a tensor that was freed, or never made, was used"))
	}
	return x.t
}

// Shape returns the size of each dimension; none for a scalar.
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

// Floats copies the values to the host, the last dimension fastest.
func (x Tensor) Floats() []float32 {
	values := make([]float32, sizeOf(x.Shape()))
	refuse(failure(C.fd_tensor_values(x.raw(), (*C.float)(first(values)), C.int64_t(len(values)))))
	runtime.KeepAlive(x.tape)
	return values
}

// Item returns the value of a tensor of one value.
func (x Tensor) Item() float64 {
	values := x.Floats()
	if len(values) != 1 {
		refuse(fmt.Errorf("Item of a tensor of shape %v", x.Shape()))
	}
	return float64(values[0])
}
