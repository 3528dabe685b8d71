package torch

// #include "shim/fd.h"
import "C"

import "fmt"

func (l Conv2d) output(in [3]int) ([3]int, error) {
	if l.In != in[0] {
		return in, fmt.Errorf("%s takes %d channels, it gets %d", l.Name, l.In, in[0])
	}
	if l.Kernel < 1 || l.Stride < 1 || l.Padding < 0 {
		return in, fmt.Errorf("%s has kernel %d, stride %d, padding %d", l.Name, l.Kernel, l.Stride, l.Padding)
	}
	h, w := (in[1]+2*l.Padding-l.Kernel)/l.Stride+1, (in[2]+2*l.Padding-l.Kernel)/l.Stride+1
	if in[1]+2*l.Padding < l.Kernel || in[2]+2*l.Padding < l.Kernel {
		return in, fmt.Errorf("%s has a %dx%d kernel, larger than its input", l.Name, l.Kernel, l.Kernel)
	}
	return [3]int{l.Out, h, w}, nil
}

func (ReLU) output(in [3]int) ([3]int, error) { return in, nil }

func (l MaxPool2d) output(in [3]int) ([3]int, error) {
	if l.Size < 1 || in[1] < l.Size || in[2] < l.Size {
		return in, fmt.Errorf("a window of %d", l.Size)
	}
	return [3]int{in[0], in[1] / l.Size, in[2] / l.Size}, nil
}

func (l Dropout) output(in [3]int) ([3]int, error) {
	if !(l.P >= 0 && l.P < 1) {
		return in, fmt.Errorf("dropout %g: want 0 <= p < 1", l.P)
	}
	return in, nil
}

func (Flatten) output(in [3]int) ([3]int, error) { return [3]int{in[0] * in[1] * in[2], 1, 1}, nil }

func (l Linear) output(in [3]int) ([3]int, error) {
	if in[1] != 1 || in[2] != 1 || l.In != in[0] {
		return in, fmt.Errorf("%s takes %d features", l.Name, l.In)
	}
	return [3]int{l.Out, 1, 1}, nil
}

// parameters lists a layer's tensors from an offset on: weight, then bias. Layers without tensors have none.
func parameters(layer Layer, offset int) []Param {
	var name string
	var shape []int
	switch l := layer.(type) {
	case Conv2d:
		name, shape = l.Name, []int{l.Out, l.In, l.Kernel, l.Kernel}
	case Linear:
		name, shape = l.Name, []int{l.Out, l.In}
	default:
		return nil
	}
	size := 1
	for _, s := range shape {
		size *= s
	}
	middle := offset + size
	fan := size / shape[0]
	return []Param{
		{Name: name + ".weight", Shape: shape, Range: Range{offset, middle}, fanIn: fan},
		{Name: name + ".bias", Shape: shape[:1], Range: Range{middle, middle + shape[0]}, fanIn: fan},
	}
}

// compile writes a layer as the engine reads it.
func compile(layer Layer, params []Param) C.fd_layer {
	var c C.fd_layer
	if params != nil {
		c.weight, c.bias = C.int64_t(params[0].Range.Begin), C.int64_t(params[1].Range.Begin)
	}
	name := ""
	switch l := layer.(type) {
	case Conv2d:
		name, c.kind = l.Name, C.FD_CONV2D
		c.in, c.out, c.kernel = C.int64_t(l.In), C.int64_t(l.Out), C.int64_t(l.Kernel)
		c.stride, c.padding = C.int64_t(l.Stride), C.int64_t(l.Padding)
	case ReLU:
		name, c.kind = "relu", C.FD_RELU
	case MaxPool2d:
		name, c.kind, c.kernel = "maxpool", C.FD_MAXPOOL2D, C.int64_t(l.Size)
	case Dropout:
		name, c.kind, c.p = "dropout", C.FD_DROPOUT, C.double(l.P)
	case Flatten:
		name, c.kind = "flatten", C.FD_FLATTEN
	case Linear:
		name, c.kind, c.in, c.out = l.Name, C.FD_LINEAR, C.int64_t(l.In), C.int64_t(l.Out)
	}
	for i := 0; i < len(name) && i < len(c.name)-1; i++ {
		c.name[i] = C.char(name[i])
	}
	return c
}
