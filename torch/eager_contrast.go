package torch

// #include "shim/fd.h"
import "C"

import (
	"runtime"

	gotorch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// eagerContrast is [Contrast].
type eagerContrast struct {
	*Contrast
	projection []float32 // P
	images     []float32 // of the pseudo-images
	global     []float32 // z_g, [items, features]
}

func newEagerContrast(t *eagerTraining, o *Contrast) (*eagerContrast, error) {
	c := &eagerContrast{Contrast: o}
	var err error
	if c.projection, err = t.job.Projection.Floats(); err != nil {
		return nil, err
	}
	if c.images, err = o.Images.Floats(); err != nil {
		return nil, err
	}
	f := &eagerBatch{eagerTraining: t, leaves: leavesOf(t.net, t.weights, 0)}
	defer runtime.KeepAlive(f)
	return c, attempt(&f.at, func() error {
		z, err := t.net.encoders(f.leaves, c.pseudo(f), func(Part) *draw { return nil }, &f.kept, &f.at)
		if err != nil {
			return err
		}
		c.global = make([]float32, c.items(t.net)*t.net.features)
		return failure(C.fd_eager_values(raw(z[0]), (*C.float)(&c.global[0]), C.int64_t(len(c.global))))
	})
}

func (o *eagerContrast) items(net *Network) int {
	return len(o.images) / (net.input[0] * net.input[1] * net.input[2])
}

// pseudo is X_p as a tensor.
func (o *eagerContrast) pseudo(f *eagerBatch) gotorch.Tensor {
	return f.kept.keep(tensorOf(o.images, append([]int{o.items(f.net)}, f.net.input[:]...)...))
}

func (o *eagerContrast) loss(f *eagerBatch, x gotorch.Tensor) (gotorch.Tensor, error) {
	here, err := f.encoders(x)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	there, err := f.encoders(o.pseudo(f))
	if err != nil {
		return gotorch.Tensor{}, err
	}
	index := make([]int64, len(f.batch)) // row r of the batch is paired with pseudo-image r mod their number
	for r := range index {
		index[r] = int64(r % o.items(f.net))
	}
	paired := func(t gotorch.Tensor) gotorch.Tensor {
		return f.kept.keep(gotorch.IndexSelect(t, 0, f.kept.keep(longs(index))))
	}
	zg := paired(f.kept.keep(tensorOf(o.global, o.items(f.net), f.net.features)))
	zp := paired(there[0])

	// Step A: P climbs, the features held.
	p, err := o.layers(f, true)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	held, err := o.contrast(f, p, f.kept.keep(zp.Detach()), zg, f.kept.keep(here[0].Detach()))
	if err != nil {
		return gotorch.Tensor{}, err
	}
	if err := failure(C.fd_eager_backward(raw(held))); err != nil {
		return gotorch.Tensor{}, err
	}
	g, begin := make([]float32, len(o.projection)), 0
	for _, l := range p {
		n := 1
		for _, s := range l.Shape() {
			n *= int(s)
		}
		if err := failure(C.fd_eager_grad(raw(l), (*C.float)(&g[begin]), C.int64_t(n))); err != nil {
			return gotorch.Tensor{}, err
		}
		begin += n
	}
	for i := range g {
		o.projection[i] += float32(o.Rate) * g[i]
	}
	// Step B: P held.
	if p, err = o.layers(f, false); err != nil {
		return gotorch.Tensor{}, err
	}
	con, err := o.contrast(f, p, zp, zg, here[0])
	if err != nil {
		return gotorch.Tensor{}, err
	}
	uniform := make([]float32, f.net.classes)
	for c := range uniform {
		uniform[c] = 1 / float32(f.net.classes)
	}
	ce, far := f.nll(f.logProbabilities(here), "mean"), f.soft(f.logProbabilities(there), uniform)
	return f.plus(f.plus(ce, con, o.Mu), far, o.Lambda), nil
}

func (*eagerContrast) done(*eagerBatch) error { return nil }

// layers are P's weights and biases in turn, with a gradient if they are to be trained.
func (o *eagerContrast) layers(f *eagerBatch, trained bool) ([]gotorch.Tensor, error) {
	h, begin := f.net.features, 0
	var layers []gotorch.Tensor
	for _, shape := range [][]int{{2 * h, h}, {2 * h}, {2 * h, 2 * h}, {2 * h}, {h, 2 * h}, {h}} {
		n := 1
		for _, s := range shape {
			n *= s
		}
		l := f.kept.keep(tensorOf(o.projection[begin:begin+n], shape...))
		if trained {
			if err := failure(C.fd_eager_require_grad(raw(l))); err != nil {
				return nil, err
			}
		}
		layers, begin = append(layers, l), begin+n
	}
	return layers, nil
}

// contrast is L_con.
func (o *eagerContrast) contrast(f *eagerBatch, p []gotorch.Tensor, zp, zg, z gotorch.Tensor) (gotorch.Tensor, error) {
	f.at = "projection"
	project := func(x gotorch.Tensor) gotorch.Tensor {
		x = f.kept.keep(F.Relu(f.kept.keep(F.Linear(x, p[0], p[1])), false))
		x = f.kept.keep(F.Relu(f.kept.keep(F.Linear(x, p[2], p[3])), false))
		return f.kept.keep(F.Linear(x, p[4], p[5]))
	}
	a := project(zp)
	near, err := f.cosine(a, project(zg))
	if err != nil {
		return gotorch.Tensor{}, err
	}
	far, err := f.cosine(a, project(z))
	if err != nil {
		return gotorch.Tensor{}, err
	}
	d := f.plus(f.kept.keep(gotorch.Mul(far, f.kept.keep(tensorOf([]float32{float32(o.Tau2)}, 1)))), near, -o.Tau1)
	s, err := f.softplus(d)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	return f.kept.keep(gotorch.Mean(s)), nil
}
