package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	gotorch "github.com/wangkuiyi/gotorch"
)

// eagerTraining is one job at work, its weights on the host.
type eagerTraining struct {
	eager      *Eager
	net        *Network
	images     *Images
	job        Job
	parts      Part
	sgd        SGD
	weights    []float32
	anchor     []float32
	momentum   []float32
	objective  eagerObjective // nil is cross-entropy alone
	step       int64          // of the dropout masks
	loss, seen float64        // of the epoch
}

func (t *eagerTraining) run() (trained Trained, err error) {
	if t.weights, err = t.job.Start.Floats(); err != nil {
		return Trained{}, err
	}
	t.anchor = append([]float32(nil), t.weights...)
	if t.job.Anchor != nil {
		if t.anchor, err = t.job.Anchor.Floats(); err != nil {
			return Trained{}, err
		}
	}
	t.momentum = make([]float32, len(t.weights))
	if t.objective, err = newEagerObjective(t); err != nil {
		return Trained{}, err
	}
	for _, order := range t.job.Order {
		var batches [][]int32
		for begin := 0; begin < len(order); begin += t.sgd.Batch {
			batches = append(batches, order[begin:min(begin+t.sgd.Batch, len(order))])
		}
		t.loss, t.seen = 0, 0
		switch {
		case t.sgd.Meta != nil:
			err = t.metaEpoch(batches)
		case t.sgd.Whole:
			err = t.wholeEpoch(batches)
		default:
			err = t.epoch(batches)
		}
		if err != nil {
			return Trained{}, err
		}
		trained.Loss = append(trained.Loss, t.loss/t.seen)
	}
	if c, ok := t.objective.(*eagerContrast); ok {
		if trained.Projection, err = VectorOf(CPU, c.projection); err != nil {
			return Trained{}, err
		}
	}
	trained.Finite = !slices.ContainsFunc(t.weights, func(w float32) bool { return math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) })
	trained.End, err = VectorOf(CPU, t.weights)
	return trained, err
}

// epoch makes a step of SGD of every batch.
func (t *eagerTraining) epoch(batches [][]int32) error {
	for _, batch := range batches {
		g, err := t.gradient(batch)
		if err != nil {
			return err
		}
		t.descend(g, t.sgd)
		t.step++
	}
	return nil
}

// wholeEpoch makes one step, with the mean gradient of all samples.
func (t *eagerTraining) wholeEpoch(batches [][]int32) error {
	sum := make([]float32, len(t.weights))
	for _, batch := range batches {
		g, err := t.gradient(batch)
		if err != nil {
			return err
		}
		share := float32(float64(len(batch)) / float64(len(t.job.Samples)))
		for i := range sum {
			sum[i] += share * g[i]
		}
		t.step++
	}
	t.descend(sum, t.sgd)
	return nil
}

// metaEpoch makes the steps of Per-FedAvg, see [Meta].
func (t *eagerTraining) metaEpoch(batches [][]int32) error {
	m, each := t.sgd.Meta, 2
	if m.Delta > 0 {
		each = 3
	}
	outer := t.sgd
	outer.Momentum = 0
	inner := outer
	inner.LearningRate = m.Alpha
	for s := range max(1, len(batches)/each) {
		batch := func(k int) []int32 { return batches[(s*each+k)%len(batches)] }
		w := append([]float32(nil), t.weights...)
		g, err := t.gradient(batch(0))
		if err != nil {
			return err
		}
		t.descend(g, inner)
		if g, err = t.gradient(batch(1)); err != nil {
			return err
		}
		way := append([]float32(nil), g...)
		for _, sign := range []float64{1, -1} {
			if m.Delta == 0 {
				break
			}
			t.place(w, g, sign*m.Delta)
			side, err := t.gradient(batch(2))
			if err != nil {
				return err
			}
			for i := range way {
				way[i] -= float32(m.Alpha*sign/(2*m.Delta)) * side[i]
			}
		}
		t.place(w, g, 0)
		t.descend(way, outer)
		t.step++
	}
	return nil
}

// place moves the trained weights to w + a g.
func (t *eagerTraining) place(w, g []float32, a float64) {
	for _, r := range t.net.Trained(t.parts) {
		for i := r.Begin; i < r.End; i++ {
			t.weights[i] = w[i] + float32(a)*g[i]
		}
	}
}

// descend is one step of SGD, as PyTorch's: g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
func (t *eagerTraining) descend(g []float32, sgd SGD) {
	lr, m := float32(sgd.LearningRate), float32(sgd.Momentum)
	wd, mu := float32(sgd.WeightDecay), float32(t.job.Proximal)
	for _, r := range t.net.Trained(t.parts) {
		for k := r.Begin; k < r.End; k++ {
			d := g[k] + wd*t.weights[k]
			if mu > 0 {
				d += mu * (t.weights[k] - t.anchor[k])
			}
			t.momentum[k] = m*t.momentum[k] + d
			t.weights[k] -= lr * t.momentum[k]
		}
	}
}

// gradient returns that of the loss on a batch of the job's samples, given by their positions, [len(weights)], zero
// where nothing is trained. It adds the loss to the epoch's.
func (t *eagerTraining) gradient(batch []int32) ([]float32, error) {
	leaves := leavesOf(t.net, t.weights, t.parts)
	for _, l := range leaves {
		if l.trained {
			if err := failure(C.fd_eager_require_grad(raw(l.tensor))); err != nil {
				return nil, err
			}
		}
	}
	rows := make([]int32, len(batch))
	for i, p := range batch {
		rows[i] = t.job.Samples[p]
	}
	x, labels, err := t.images.batch(rows)
	if err != nil {
		return nil, err
	}
	relabel(labels, t.job.LabelMap)
	f := &eagerBatch{eagerTraining: t, leaves: leaves, batch: batch, labels: labels}
	defer runtime.KeepAlive(f)
	var loss gotorch.Tensor
	err = attempt(&f.at, func() (err error) {
		images := f.kept.keep(tensorOf(x, append([]int{len(rows)}, t.net.input[:]...)...))
		if t.objective != nil {
			loss, err = t.objective.loss(f, images)
		} else {
			loss, err = f.crossEntropy(images)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := failure(C.fd_eager_backward(raw(loss))); err != nil {
		return nil, err
	}
	var value [1]float32
	if err := failure(C.fd_eager_values(raw(loss), (*C.float)(&value[0]), 1)); err != nil {
		return nil, err
	}
	runtime.KeepAlive(loss.T)
	t.loss += float64(value[0]) * float64(len(batch))
	t.seen += float64(len(batch))
	g := make([]float32, len(t.weights))
	for _, l := range leaves {
		r := l.param.Range
		if l.moves { // a buffer that the forward pass moved
			if err := failure(C.fd_eager_values(raw(l.tensor), (*C.float)(&t.weights[r.Begin]), C.int64_t(r.Len()))); err != nil {
				return nil, fmt.Errorf("layer %s: %w", l.param.Name, err)
			}
			runtime.KeepAlive(l.tensor.T)
		}
		if !l.trained {
			continue
		}
		if err := failure(C.fd_eager_grad(raw(l.tensor), (*C.float)(&g[r.Begin]), C.int64_t(r.Len()))); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.param.Name, err)
		}
		runtime.KeepAlive(l.tensor.T)
	}
	if t.objective != nil {
		if err := t.objective.done(f); err != nil {
			return nil, err
		}
	}
	// gotorch frees tensors by finalizers alone; left to itself the garbage collector sees no pressure.
	if t.eager.steps++; t.eager.steps%20 == 0 {
		runtime.GC()
	}
	return g, nil
}
