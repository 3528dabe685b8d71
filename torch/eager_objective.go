package torch

// #include "shim/fd.h"
import "C"

import (
	"runtime"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// eagerBatch is a forward pass on one batch.
type eagerBatch struct {
	*eagerTraining
	leaves []leaf
	batch  []int32 // positions in the job's samples
	labels []int64 // [b]
	kept   tape
	at     string // the layer at work
}

// eagerObjective is an Objective on autograd.
type eagerObjective interface {
	// loss returns the batch's loss, x its images.
	loss(f *eagerBatch, x gotorch.Tensor) (gotorch.Tensor, error)
	// done comes after the backward pass.
	done(f *eagerBatch) error
}

func newEagerObjective(t *eagerTraining) (eagerObjective, error) {
	switch o := t.sgd.Objective.(type) {
	case *Mix:
		m := &eagerMix{Mix: o}
		var err error
		if m.images, err = o.Images.Floats(); err != nil {
			return nil, err
		}
		m.labels, err = o.Labels.Floats()
		return m, err
	case *Contrast:
		return newEagerContrast(t, o)
	case *Diverse:
		return &eagerDiverse{o}, nil
	}
	return nil, nil
}

// encoders returns each encoder's features of images. Frozen ones run in evaluation mode.
func (f *eagerBatch) encoders(x gotorch.Tensor) ([]gotorch.Tensor, error) {
	return f.net.encoders(f.leaves, x, func(part Part) *draw {
		if f.parts&part == 0 {
			return nil
		}
		return &draw{f.job.Seed, f.step}
	}, &f.kept, &f.at)
}

// logProbabilities returns those of features.
func (f *eagerBatch) logProbabilities(features []gotorch.Tensor) gotorch.Tensor {
	f.at = "head"
	logits := f.net.head(f.leaves, features, &f.kept)
	f.at = "loss"
	return f.kept.keep(F.LogSoftmax(logits, 1))
}

// nll is the mean, or each, of the samples' cross-entropy.
func (f *eagerBatch) nll(logp gotorch.Tensor, reduction string) gotorch.Tensor {
	return f.kept.keep(F.NllLoss(logp, f.kept.keep(longs(f.labels)), gotorch.Tensor{}, -100, reduction))
}

// soft is the mean cross-entropy against one row of probabilities.
func (f *eagerBatch) soft(logp gotorch.Tensor, row []float32) gotorch.Tensor {
	b := int(logp.Shape()[0])
	target := make([]float32, 0, b*len(row))
	for range b {
		target = append(target, row...)
	}
	sum := f.kept.keep(gotorch.Sum(f.kept.keep(gotorch.Mul(logp, f.kept.keep(tensorOf(target, b, len(row)))))))
	return f.scaled(sum, -1/float64(b))
}

// scaled is a x for a scalar x.
func (f *eagerBatch) scaled(x gotorch.Tensor, a float64) gotorch.Tensor {
	return f.kept.keep(gotorch.Mul(x, f.kept.keep(tensorOf([]float32{float32(a)}, 1))))
}

// plus is x + a y.
func (f *eagerBatch) plus(x, y gotorch.Tensor, a float64) gotorch.Tensor {
	return f.kept.keep(gotorch.Add(x, y, float32(a)))
}

// crossEntropy is the mean, each sample weighted as the job says.
func (f *eagerBatch) crossEntropy(x gotorch.Tensor) (gotorch.Tensor, error) {
	features, err := f.encoders(x)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	logp := f.logProbabilities(features)
	if f.job.Weights == nil {
		return f.nll(logp, "mean"), nil
	}
	weights := make([]float32, len(f.batch))
	for i, p := range f.batch {
		weights[i] = f.job.Weights[p]
	}
	each := f.kept.keep(gotorch.Mul(f.nll(logp, "none"), f.kept.keep(tensorOf(weights, len(weights)))))
	return f.kept.keep(gotorch.Mean(each)), nil
}

// adopt takes over a tensor that the shim made.
func (t *tape) adopt(handle unsafe.Pointer) gotorch.Tensor {
	gotorch.SetTensorFinalizer(&handle)
	return t.keep(gotorch.Tensor{T: &handle})
}

// cosine returns that of every pair of rows, [b].
func (f *eagerBatch) cosine(u, v gotorch.Tensor) (gotorch.Tensor, error) {
	var out unsafe.Pointer
	if err := failure(C.fd_eager_cosine(raw(u), raw(v), &out)); err != nil {
		return gotorch.Tensor{}, err
	}
	return f.kept.adopt(out), nil
}

// softplus returns log(1 + e^x) of each value.
func (f *eagerBatch) softplus(x gotorch.Tensor) (gotorch.Tensor, error) {
	var out unsafe.Pointer
	if err := failure(C.fd_eager_softplus(raw(x), &out)); err != nil {
		return gotorch.Tensor{}, err
	}
	return f.kept.adopt(out), nil
}

// derivative returns that of a scalar by a tensor, as a tensor that can be differentiated again.
func (f *eagerBatch) derivative(loss, x gotorch.Tensor) (gotorch.Tensor, error) {
	var out unsafe.Pointer
	if err := failure(C.fd_eager_derivative(raw(loss), raw(x), &out)); err != nil {
		return gotorch.Tensor{}, err
	}
	return f.kept.adopt(out), nil
}

// eagerDiverse is [Diverse].
type eagerDiverse struct{ *Diverse }

func (o *eagerDiverse) loss(f *eagerBatch, x gotorch.Tensor) (gotorch.Tensor, error) {
	features, err := f.encoders(x)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	ce := f.nll(f.logProbabilities(features), "mean")
	c, err := f.cosine(features[0], features[1])
	if err != nil {
		return gotorch.Tensor{}, err
	}
	square := f.kept.keep(gotorch.Mean(f.kept.keep(gotorch.Mul(c, c))))
	return f.plus(ce, square, o.Lambda), nil
}

func (*eagerDiverse) done(*eagerBatch) error { return nil }

// eagerMix is [Mix], its last term by a second derivative.
type eagerMix struct {
	*Mix
	images, labels []float32
	step           int
}

func (o *eagerMix) loss(f *eagerBatch, x gotorch.Tensor) (gotorch.Tensor, error) {
	item := int(f.job.Mix[o.step])
	o.step++
	pixels, classes := len(o.images)/(len(o.labels)/f.net.classes), f.net.classes
	mean := f.kept.keep(tensorOf(o.images[item*pixels:(item+1)*pixels], append([]int{1}, f.net.input[:]...)...))

	values := make([]float32, len(f.batch)*pixels)
	if err := failure(C.fd_eager_values(raw(x), (*C.float)(&values[0]), C.int64_t(len(values)))); err != nil {
		return gotorch.Tensor{}, err
	}
	runtime.KeepAlive(x.T)
	for i := range values {
		values[i] *= float32(1 - o.Lambda)
	}
	mixed := f.kept.keep(tensorOf(values, append([]int{len(f.batch)}, f.net.input[:]...)...))
	if err := failure(C.fd_eager_require_grad(raw(mixed))); err != nil {
		return gotorch.Tensor{}, err
	}
	features, err := f.encoders(mixed)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	logp := f.logProbabilities(features)
	l1 := f.scaled(f.nll(logp, "mean"), 1-o.Lambda)
	l2 := f.soft(logp, o.labels[item*classes:(item+1)*classes])
	g, err := f.derivative(l1, mixed)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	l3 := f.kept.keep(gotorch.Sum(f.kept.keep(gotorch.Mul(g, mean))))
	return f.plus(f.plus(l1, l2, o.Lambda), l3, o.Lambda), nil
}

func (*eagerMix) done(*eagerBatch) error { return nil }
