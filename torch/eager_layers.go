package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// draw says which dropout masks a training forward pass takes.
type draw struct {
	seed uint64
	step int64
}

// encoders returns each encoder's features, [b, features].
func (n *Network) encoders(leaves []leaf, x gotorch.Tensor, masks func(Part) *draw, kept *tape, at *string) ([]gotorch.Tensor, error) {
	parts := map[Part]string{Primary: "primary.", Secondary: "secondary."}
	features := make([]gotorch.Tensor, n.width()/n.features)
	for i := range features {
		var err error
		part := Primary << i
		if features[i], err = n.encode(parts[part], leaves, x, masks(part), kept, at); err != nil {
			return nil, err
		}
	}
	return features, nil
}

// head returns the logits. gotorch has no concatenation, so each encoder meets its columns of the head.
func (n *Network) head(leaves []leaf, features []gotorch.Tensor, kept *tape) gotorch.Tensor {
	weight, bias := leaves[len(leaves)-2].tensor, leaves[len(leaves)-1].tensor
	if !n.dual {
		return kept.keep(F.Linear(features[0], weight, bias))
	}
	columns := func(begin int) gotorch.Tensor {
		return kept.keep(gotorch.IndexSelect(weight, 1, kept.keep(counting(begin, begin+n.features))))
	}
	left := kept.keep(F.Linear(features[0], columns(0), bias))
	right := kept.keep(F.Linear(features[1], columns(n.features), gotorch.Tensor{}))
	return kept.keep(gotorch.Add(left, right, 1))
}

// counting is the index tensor begin, begin+1, ..., end-1.
func counting(begin, end int) gotorch.Tensor {
	index := make([]int64, end-begin)
	for i := range index {
		index[i] = int64(begin + i)
	}
	return longs(index)
}

// longs copies values into an index tensor.
func longs(values []int64) gotorch.Tensor {
	t := gotorch.FromBlob(unsafe.Pointer(&values[0]), gotorch.Long, []int64{int64(len(values))})
	runtime.KeepAlive(values)
	return t
}

// encode runs one encoder's layers: [b, C, H, W] -> [b, features].
func (n *Network) encode(prefix string, leaves []leaf, x gotorch.Tensor, mask *draw, kept *tape, at *string) (gotorch.Tensor, error) {
	p := eagerPass{prefix: prefix, tensors: map[string]gotorch.Tensor{}, mask: mask, kept: kept, at: at}
	for _, l := range leaves {
		p.tensors[l.param.Name] = l.tensor
	}
	return p.run(n.layers, x)
}

// eagerPass is one encoder's forward pass.
type eagerPass struct {
	prefix  string
	tensors map[string]gotorch.Tensor // the whole network's, by name
	mask    *draw                     // nil in evaluation
	kept    *tape
	at      *string // the layer at work
	layer   int     // its number among the flattened layers
}

// run goes through layers, those of residual layers among them.
func (p *eagerPass) run(layers []Layer, x gotorch.Tensor) (gotorch.Tensor, error) {
	for _, layer := range layers {
		number := p.layer
		p.layer++
		var err error
		switch l := layer.(type) {
		case Conv2d:
			weight, bias := p.params(l.Name)
			x = F.Conv2d(x, weight, bias, pair(l.Stride), pair(l.Padding), pair(1), 1)
		case ReLU:
			x = F.Relu(x, false)
		case MaxPool2d:
			x = F.MaxPool2d(x, pair(l.Size), pair(l.Size), pair(0), pair(1), false)
		case AvgPool2d:
			shape := x.Shape()
			x = F.AdaptiveAvgPool2d(x, []int64{shape[2] / int64(l.Size), shape[3] / int64(l.Size)})
		case Dropout:
			if p.mask == nil {
				continue
			}
			x, err = p.dropout(number, l, x)
		case Flatten:
			x = gotorch.Flatten(x, 1, -1)
		case Linear:
			weight, bias := p.params(l.Name)
			x = F.Linear(x, weight, bias)
		case BatchNorm2d:
			weight, bias := p.params(l.Name)
			mean, variance := p.tensors[p.prefix+l.Name+".running_mean"], p.tensors[p.prefix+l.Name+".running_var"]
			x = F.BatchNorm(x, mean, variance, weight, bias, p.mask != nil, normMomentum, normEps)
		case GroupNorm:
			x = p.groupNorm(l, x)
		case Residual:
			x, err = p.residual(l, x)
		}
		if err != nil {
			return x, err
		}
		x = p.kept.keep(x)
	}
	return x, nil
}

// params returns a layer's weight and bias, and makes it the one that errors name.
func (p *eagerPass) params(name string) (weight, bias gotorch.Tensor) {
	*p.at = p.prefix + name
	return p.tensors[p.prefix+name+".weight"], p.tensors[p.prefix+name+".bias"]
}

func (p *eagerPass) residual(l Residual, x gotorch.Tensor) (gotorch.Tensor, error) {
	body, err := p.run(l.Body, x)
	if err != nil {
		return x, err
	}
	short, err := p.run(l.Shortcut, x)
	if err != nil {
		return x, err
	}
	return gotorch.Add(body, short, 1), nil
}

// groupNorm is a batch norm over [1, b groups, pixels of a group], scaled and shifted by channel: gotorch has no other.
func (p *eagerPass) groupNorm(l GroupNorm, x gotorch.Tensor) gotorch.Tensor {
	weight, bias := p.params(l.Name)
	shape := x.Shape()
	none := gotorch.Tensor{}
	groups := p.kept.keep(gotorch.View(x, 1, shape[0]*int64(l.Groups), -1))
	y := p.kept.keep(F.BatchNorm(groups, none, none, none, none, true, 0, normEps))
	y = p.kept.keep(gotorch.View(y, shape...))
	by := func(t gotorch.Tensor) gotorch.Tensor {
		return p.kept.keep(p.kept.keep(gotorch.View(t, 1, -1, 1, 1)).ExpandAs(y))
	}
	return gotorch.Add(p.kept.keep(gotorch.Mul(y, by(weight))), by(bias), 1)
}

// pair is a setting of both image axes.
func pair(x int) []int64 { return []int64{int64(x), int64(x)} }

// dropout multiplies with the engine's own mask for a layer of a step.
func (p *eagerPass) dropout(layer int, l Dropout, x gotorch.Tensor) (gotorch.Tensor, error) {
	size := 1
	var dims []int
	for _, s := range x.Shape() {
		size *= int(s)
		dims = append(dims, int(s))
	}
	mask := make([]float32, size)
	err := failure(C.fd_dropout_mask(C.uint64_t(p.mask.seed), C.int64_t(p.mask.step), C.int64_t(layer), C.double(l.P),
		C.int64_t(size), (*C.float)(first(mask))))
	if err != nil {
		return x, fmt.Errorf("dropout: %w", err)
	}
	return gotorch.Mul(x, p.kept.keep(tensorOf(mask, dims...))), nil
}
