package torch

// #include <stdlib.h>
// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// encoders returns the features of each encoder, [b, features].
func (n *Network) encoders(leaves []leaf, x gotorch.Tensor, masks func(Part) *draw, kept *tape, at *string) ([]Tensor, error) {
	parts := map[Part]string{Primary: "primary.", Secondary: "secondary."}
	features := make([]Tensor, n.width()/n.features)
	for i := range features {
		part := Primary << i
		f, err := n.encode(parts[part], leaves, x, masks(part), kept, at)
		if err != nil {
			return nil, err
		}
		features[i] = Tensor{f, kept}
	}
	return features, nil
}

// head returns the logits, [b, classes].
func (n *Network) head(leaves []leaf, features []Tensor, kept *tape) Tensor {
	weight, bias := leaves[len(leaves)-2].tensor, leaves[len(leaves)-1].tensor
	all := features[0]
	if n.dual {
		all = Cat(1, features...)
	}
	return kept.tensor(F.Linear(all.gotorch(), weight, bias))
}

// encode runs the layers of one encoder: [b, C, H, W] -> [b, features].
func (n *Network) encode(prefix string, leaves []leaf, x gotorch.Tensor, mask *draw, kept *tape, at *string) (gotorch.Tensor, error) {
	p := eagerPass{prefix: prefix, tensors: map[string]gotorch.Tensor{}, mask: mask, kept: kept, at: at}
	for _, l := range leaves {
		p.tensors[l.param.Name] = l.tensor
	}
	return p.run(n.layers, x)
}

// eagerPass is the forward pass of one encoder.
type eagerPass struct {
	prefix  string
	tensors map[string]gotorch.Tensor // tensors of the whole network, by name
	mask    *draw                     // nil in evaluation
	kept    *tape
	at      *string // the layer that is running
	layer   int     // index of the layer among the flattened layers
}

// run runs layers, including those inside residual layers.
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

// params returns the weight and the bias of a layer, and makes it the layer that errors name.
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

// groupNorm computes a group norm as a batch norm over [1, b groups, pixels of a group], scaled and shifted per channel,
// because gotorch has no group norm.
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

// pair returns a setting that is the same for both image axes.
func pair(x int) []int64 { return []int64{int64(x), int64(x)} }

// dropout multiplies by the mask that the engine uses for this layer and step.
func (p *eagerPass) dropout(layer int, l Dropout, x gotorch.Tensor) (gotorch.Tensor, error) {
	shape := x.Shape()
	name := C.CString(p.kept.device.String())
	defer C.free(unsafe.Pointer(name))
	var mask unsafe.Pointer
	err := failure(C.fd_dropout_mask(C.uint64_t(p.mask.seed), C.int64_t(p.mask.step), C.int64_t(layer), C.double(l.P), name,
		(*C.int64_t)(first(shape)), C.int64_t(len(shape)), &mask))
	if err != nil {
		return x, fmt.Errorf("dropout: %w", err)
	}
	return gotorch.Mul(x, p.kept.adopt(mask).t), nil
}
