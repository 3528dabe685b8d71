package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"unsafe"
)

// eagerTraining is one job that is being trained.
type eagerTraining struct {
	eager  *Eager
	net    *Network
	images *Images
	job    Job
	parts  Part
	sgd    SGD

	weights, momentum, gradient *Vector // [net.Len()]
	second                      *Vector // the second moment of Adam, of the same length; nil with SGD
	extra                       *Vector // a copy of the objective's own values; nil if it has none
	kept                        tape    // tensors that live as long as the training
	memo                        map[string]Tensor

	epoch, number, batches int     // current batch: its epoch, its number in the epoch, and the number of earlier batches
	step                   int64   // step of the dropout masks
	descents               int64   // number of steps of Adam
	forward                int64   // samples that went through the network in training
	loss, seen             float64 // sum of the losses of the epoch's samples, and their number
}

// close frees the memory of the training.
func (t *eagerTraining) close() {
	t.kept.free()
	for _, v := range []*Vector{t.weights, t.momentum, t.second, t.gradient, t.extra} {
		v.Close()
	}
}

func (t *eagerTraining) run() (trained Trained, err error) {
	if t.job.Start == nil || t.job.Start.handle == nil {
		return Trained{}, fmt.Errorf("the weights to start from are closed")
	}
	t.kept.device = t.job.Start.device
	if t.weights, err = t.job.Start.Clone(); err != nil {
		return Trained{}, err
	}
	zeros := []**Vector{&t.momentum, &t.gradient}
	if t.sgd.Adam != nil {
		zeros = append(zeros, &t.second)
	}
	for _, v := range zeros {
		if *v, err = NewVector(t.job.Start.device, t.weights.n); err != nil {
			return Trained{}, err
		}
	}
	if t.job.Extra != nil && t.sgd.Objective != nil {
		if t.extra, err = t.job.Extra.Clone(); err != nil {
			return Trained{}, err
		}
	}
	for epoch, order := range t.job.Order {
		batches := slices.Collect(slices.Chunk(order, max(1, t.sgd.Batch)))
		t.epoch, t.number, t.loss, t.seen = epoch, 0, 0, 0
		switch {
		case t.sgd.Meta != nil:
			err = t.metaEpoch(batches)
		case t.sgd.Whole:
			err = t.wholeEpoch(batches)
		default:
			err = t.plainEpoch(batches)
		}
		if err != nil {
			return Trained{}, err
		}
		trained.Loss = append(trained.Loss, t.loss/t.seen)
	}
	end, err := t.weights.Floats()
	if err != nil {
		return Trained{}, err
	}
	trained.Finite = !slices.ContainsFunc(end, func(w float32) bool { return math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) })
	trained.End, trained.Extra = t.weights, t.extra
	if !Builtin(t.sgd.Objective) {
		trained.Forward = t.forward
	}
	t.weights, t.extra = nil, nil
	return trained, nil
}

// plainEpoch makes one step of SGD for every batch.
func (t *eagerTraining) plainEpoch(batches [][]int32) error {
	for _, batch := range batches {
		if err := t.differentiate(batch); err != nil {
			return err
		}
		if err := t.descend(t.gradient, t.sgd); err != nil {
			return err
		}
		t.step++
	}
	return nil
}

// wholeEpoch makes one step with the mean gradient of all samples.
func (t *eagerTraining) wholeEpoch(batches [][]int32) error {
	sum, err := NewVector(t.weights.device, t.weights.n)
	if err != nil {
		return err
	}
	defer sum.Close()
	for _, batch := range batches {
		if err := t.differentiate(batch); err != nil {
			return err
		}
		share := float64(len(batch)) / float64(len(t.job.Samples))
		if err := sum.AddScaled(share, t.gradient, sum.Range()); err != nil {
			return err
		}
		t.step++
	}
	return t.descend(sum, t.sgd)
}

// metaEpoch makes the steps of Per-FedAvg (see [Meta]).
func (t *eagerTraining) metaEpoch(batches [][]int32) error {
	each := 2
	if t.sgd.Meta.Delta > 0 {
		each = 3
	}
	for s := range max(1, len(batches)/each) {
		if err := t.metaStep(func(k int) []int32 { return batches[(s*each+k)%len(batches)] }); err != nil {
			return err
		}
		t.step++
	}
	return nil
}

// metaStep makes one step of Per-FedAvg on the batches D, D' and D”.
func (t *eagerTraining) metaStep(batch func(int) []int32) error {
	m, outer := t.sgd.Meta, t.sgd
	outer.Momentum = 0
	inner := outer
	inner.LearningRate = m.Alpha
	from, err := t.weights.Clone()
	if err != nil {
		return err
	}
	defer from.Close()
	if err := t.differentiate(batch(0)); err != nil {
		return err
	}
	if err := t.descend(t.gradient, inner); err != nil {
		return err
	}
	if err := t.differentiate(batch(1)); err != nil {
		return err
	}
	g, err := t.gradient.Clone()
	if err != nil {
		return err
	}
	defer g.Close()
	way, err := g.Clone()
	if err != nil {
		return err
	}
	defer way.Close()
	for _, sign := range []float64{1, -1} {
		if m.Delta == 0 {
			break
		}
		if err := t.place(from, g, sign*m.Delta); err != nil {
			return err
		}
		if err := t.differentiate(batch(2)); err != nil {
			return err
		}
		if err := way.AddScaled(-m.Alpha*sign/(2*m.Delta), t.gradient, way.Range()); err != nil {
			return err
		}
	}
	if err := t.place(from, g, 0); err != nil {
		return err
	}
	return t.descend(way, outer)
}

// place sets the trained weights to w + a g.
func (t *eagerTraining) place(w, g *Vector, a float64) error {
	for _, r := range t.net.Trained(t.parts) {
		if err := t.weights.Copy(r, w, r); err != nil {
			return err
		}
		if a == 0 {
			continue
		}
		if err := t.weights.AddScaled(a, g, r); err != nil {
			return err
		}
	}
	return nil
}

// descend makes one step of SGD as in PyTorch: g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m. With [SGD].Adam it makes one
// step of Adam. It overwrites g.
func (t *eagerTraining) descend(g *Vector, sgd SGD) error {
	anchor := t.job.Start
	if t.job.Anchor != nil {
		anchor = t.job.Anchor
	}
	t.descents++
	for _, r := range t.net.Trained(t.parts) {
		if sgd.Adam != nil {
			if err := t.descendAdam(g, anchor, sgd, r); err != nil {
				return err
			}
			continue
		}
		err := failure(C.fd_vector_descend(t.weights.handle, t.momentum.handle, g.handle, anchor.handle, C.double(t.job.Proximal),
			C.double(sgd.LearningRate), C.double(sgd.Momentum), C.double(sgd.WeightDecay), C.int64_t(r.Begin), C.int64_t(r.End)))
		if err != nil {
			return fmt.Errorf("a step of SGD: %w", err)
		}
	}
	runtime.KeepAlive(anchor)
	return nil
}

// descendAdam makes the current step of Adam on a range.
func (t *eagerTraining) descendAdam(g, anchor *Vector, sgd SGD, r Range) error {
	a := sgd.Adam
	err := failure(C.fd_vector_adam(t.weights.handle, t.momentum.handle, t.second.handle, g.handle, anchor.handle, C.double(t.job.Proximal),
		C.double(sgd.LearningRate), C.double(a.Beta1), C.double(a.Beta2), C.double(a.Epsilon), C.double(sgd.WeightDecay),
		flag(a.Decoupled), C.int64_t(t.descents), C.int64_t(r.Begin), C.int64_t(r.End)))
	if err != nil {
		return fmt.Errorf("a step of Adam: %w", err)
	}
	return nil
}

// differentiate sets t.gradient to the gradient of the loss on a batch of the job's samples, given by their positions. The
// gradient is zero for parameters that are not trained. differentiate adds the loss to the loss of the epoch. Its errors name
// the batch.
func (t *eagerTraining) differentiate(positions []int32) error {
	err := t.eager.stop()
	if err == nil {
		err = t.backward(positions)
	}
	if err != nil && err != ErrCancelled {
		return fmt.Errorf("epoch %d, batch %d: %w", t.epoch, t.number, err)
	}
	t.number++
	t.batches++
	t.eager.batch(len(positions))
	return err
}

func (t *eagerTraining) backward(positions []int32) error {
	b := &Batch{training: t, kept: tape{device: t.kept.device}}
	defer b.kept.free()
	if err := b.gather(positions); err != nil {
		return err
	}
	var loss Tensor
	err := attempt(&b.at, func() (err error) {
		if t.sgd.Objective != nil {
			loss, err = t.sgd.Objective.Loss(b)
			return err
		}
		loss = b.CrossEntropy()
		return nil
	})
	if err != nil {
		return err
	}
	var leaves []unsafe.Pointer
	var begins []C.int64_t
	for _, l := range b.leaves {
		if l.trained {
			leaves, begins = append(leaves, *l.tensor.T), append(begins, C.int64_t(l.param.Range.Begin))
		}
	}
	var value C.double
	err = failure(C.fd_tensor_descent(loss.raw(), first(leaves), first(begins), C.int64_t(len(leaves)), t.gradient.handle, &value))
	runtime.KeepAlive(b)
	if err != nil {
		return err
	}
	t.loss += float64(value) * float64(len(positions))
	t.seen += float64(len(positions))
	return nil
}
