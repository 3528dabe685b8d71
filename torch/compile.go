package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
)

func (l Conv2d) output(in [3]int) ([3]int, error) {
	if l.In != in[0] {
		return in, fmt.Errorf("%s takes %d channels, but gets %d", l.Name, l.In, in[0])
	}
	if l.Kernel < 1 || l.Stride < 1 || l.Padding < 0 {
		return in, fmt.Errorf("%s has kernel %d, stride %d, padding %d", l.Name, l.Kernel, l.Stride, l.Padding)
	}
	h, w := (in[1]+2*l.Padding-l.Kernel)/l.Stride+1, (in[2]+2*l.Padding-l.Kernel)/l.Stride+1
	if in[1]+2*l.Padding < l.Kernel || in[2]+2*l.Padding < l.Kernel {
		return in, fmt.Errorf("%s has a %dx%d kernel, which is larger than its input", l.Name, l.Kernel, l.Kernel)
	}
	return [3]int{l.Out, h, w}, nil
}

func (ReLU) output(in [3]int) ([3]int, error) { return in, nil }

func (l MaxPool2d) output(in [3]int) ([3]int, error) {
	if l.Size < 1 || l.Size > 15 || in[1] < l.Size || in[2] < l.Size { // at most 15, because a position in a window is stored in a byte
		return in, fmt.Errorf("the window size is %d: use 1 to 15, and at most the size of the image", l.Size)
	}
	return [3]int{in[0], in[1] / l.Size, in[2] / l.Size}, nil
}

func (l AvgPool2d) output(in [3]int) ([3]int, error) {
	if l.Size < 1 || in[1]%l.Size != 0 || in[2]%l.Size != 0 {
		return in, fmt.Errorf("windows of size %d leave a remainder", l.Size)
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

func (l BatchNorm2d) output(in [3]int) ([3]int, error) {
	if l.Channels != in[0] {
		return in, fmt.Errorf("%s takes %d channels, but gets %d", l.Name, l.Channels, in[0])
	}
	return in, nil
}

func (l GroupNorm) output(in [3]int) ([3]int, error) {
	if l.Channels != in[0] {
		return in, fmt.Errorf("%s takes %d channels, but gets %d", l.Name, l.Channels, in[0])
	}
	if l.Groups < 1 || l.Channels%l.Groups != 0 {
		return in, fmt.Errorf("%s cannot make %d groups of %d channels", l.Name, l.Groups, l.Channels)
	}
	return in, nil
}

func (l Residual) output(in [3]int) ([3]int, error) {
	out, err := through(l.Body, in)
	if err != nil {
		return in, fmt.Errorf("the body: %w", err)
	}
	short, err := through(l.Shortcut, in)
	if err != nil {
		return in, fmt.Errorf("the shortcut: %w", err)
	}
	if out != short {
		return in, fmt.Errorf("the body ends in %v, but the shortcut ends in %v", out, short)
	}
	return out, nil
}

// through returns the output shape of a list of layers for the input shape in.
func through(layers []Layer, in [3]int) ([3]int, error) {
	for i, layer := range layers {
		out, err := layer.output(in)
		if err != nil {
			return in, fmt.Errorf("layer %d (%T) with an input of %v: %w", i, layer, in, err)
		}
		in = out
	}
	return in, nil
}

func (l Conv2d) tensors() []Param {
	params := weightAndBias(l.Name, l.Out, l.In, l.Kernel, l.Kernel)
	if l.NoBias {
		return params[:1]
	}
	return params
}

func (l Linear) tensors() []Param { return weightAndBias(l.Name, l.Out, l.In) }

func (l BatchNorm2d) tensors() []Param {
	return append(scaleAndShift(l.Name, l.Channels),
		Param{Name: l.Name + ".running_mean", Shape: []int{l.Channels}, Buffer: true},
		Param{Name: l.Name + ".running_var", Shape: []int{l.Channels}, Buffer: true, constant: 1})
}

func (l GroupNorm) tensors() []Param { return scaleAndShift(l.Name, l.Channels) }

func (ReLU) tensors() []Param      { return nil }
func (MaxPool2d) tensors() []Param { return nil }
func (AvgPool2d) tensors() []Param { return nil }
func (Dropout) tensors() []Param   { return nil }
func (Flatten) tensors() []Param   { return nil }
func (Residual) tensors() []Param  { return nil } // the layers of its body and shortcut list theirs

// weightAndBias returns the parameters of a product over all axes of shape except the first.
func weightAndBias(name string, shape ...int) []Param {
	fan := 1
	for _, s := range shape[1:] {
		fan *= s
	}
	return []Param{
		{Name: name + ".weight", Shape: shape, fanIn: fan},
		{Name: name + ".bias", Shape: shape[:1], fanIn: fan},
	}
}

// scaleAndShift returns the parameters of a norm.
func scaleAndShift(name string, channels int) []Param {
	return []Param{
		{Name: name + ".weight", Shape: []int{channels}, constant: 1},
		{Name: name + ".bias", Shape: []int{channels}},
	}
}

// flattened returns layers in the order of their forward pass, with a Residual before its body and its shortcut.
func flattened(layers []Layer) []Layer {
	var all []Layer
	for _, layer := range layers {
		all = append(all, layer)
		if r, ok := layer.(Residual); ok {
			all = append(all, flattened(r.Body)...)
			all = append(all, flattened(r.Shortcut)...)
		}
	}
	return all
}

// layout assigns places to the tensors of an encoder. The parameters come first, in the order of the layers, so that SGD
// changes one contiguous range of memory; the buffers follow. It returns all tensors in the order of memory, and the tensors
// of each flattened layer.
func layout(layers []Layer) (all []Param, of [][]Param, trained int) {
	of = make([][]Param, len(layers))
	offset := 0
	for _, buffers := range []bool{false, true} {
		for i, layer := range layers {
			for _, p := range layer.tensors() {
				if p.Buffer != buffers {
					continue
				}
				size := 1
				for _, s := range p.Shape {
					size *= s
				}
				p.Range = Range{offset, offset + size}
				offset += size
				all, of[i] = append(all, p), append(of[i], p)
			}
		}
		if !buffers {
			trained = offset
		}
	}
	return all, of, trained
}

// compile returns a layer in the form that the engine reads.
func compile(layer Layer, tensors []Param) C.fd_layer {
	var c C.fd_layer
	begin := func(i int) C.int64_t {
		if i < len(tensors) {
			return C.int64_t(tensors[i].Range.Begin)
		}
		return -1
	}
	c.weight, c.bias, c.mean, c.variance = begin(0), begin(1), begin(2), begin(3)
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
	case AvgPool2d:
		name, c.kind, c.kernel = "avgpool", C.FD_AVGPOOL2D, C.int64_t(l.Size)
	case Dropout:
		name, c.kind, c.p = "dropout", C.FD_DROPOUT, C.double(l.P)
	case Flatten:
		name, c.kind = "flatten", C.FD_FLATTEN
	case Linear:
		name, c.kind, c.in, c.out = l.Name, C.FD_LINEAR, C.int64_t(l.In), C.int64_t(l.Out)
	case BatchNorm2d:
		name, c.kind, c.in, c.out = l.Name, C.FD_BATCHNORM2D, C.int64_t(l.Channels), C.int64_t(l.Channels)
	case GroupNorm:
		name, c.kind, c.in, c.out = l.Name, C.FD_GROUPNORM, C.int64_t(l.Channels), C.int64_t(l.Channels)
		c.groups = C.int64_t(l.Groups)
	case Residual:
		name, c.kind = "residual", C.FD_RESIDUAL
		c.body, c.shortcut = C.int64_t(len(flattened(l.Body))), C.int64_t(len(flattened(l.Shortcut)))
	}
	for i := 0; i < len(name) && i < len(c.name)-1; i++ {
		c.name[i] = C.char(name[i])
	}
	return c
}

// smallestBatch returns the smallest number of samples in a step. It is two if a batch norm sees one pixel per channel, and
// one otherwise.
func smallestBatch(layers []Layer, in [3]int) int {
	least := 1
	for _, layer := range layers {
		switch l := layer.(type) {
		case BatchNorm2d:
			if in[1]*in[2] == 1 {
				least = 2
			}
		case Residual:
			least = max(least, smallestBatch(l.Body, in), smallestBatch(l.Shortcut, in))
		}
		in, _ = layer.output(in)
	}
	return least
}
