package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
	F "github.com/wangkuiyi/gotorch/nn/functional"
)

// Eager trains and predicts layer by layer on gotorch tensors and autograd, one job after another, on the CPU. It is
// slow and plain: the oracle the engine is held to, and the place for objectives the engine does not have.
type Eager struct {
	steps int // since gotorch's tensors were last collected
}

// NewEager returns the eager executor.
func NewEager() (*Eager, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	return &Eager{}, nil
}

// Close implements Executor; there is nothing to free.
func (*Eager) Close() {}

var _ Executor = (*Eager)(nil)

// leaf is one parameter as an autograd leaf.
type leaf struct {
	param   Param
	tensor  gotorch.Tensor
	trained bool
}

// tape keeps a step's tensors until the step is done: gotorch hands C a tensor's address and forgets the tensor, whose
// finalizer could then run while C still reads it.
type tape struct{ tensors []gotorch.Tensor }

func (t *tape) keep(x gotorch.Tensor) gotorch.Tensor {
	t.tensors = append(t.tensors, x)
	return x
}

// tensorOf copies values into a float32 tensor of a shape.
func tensorOf(values []float32, shape ...int) gotorch.Tensor {
	sizes := make([]int64, len(shape))
	for i, s := range shape {
		sizes[i] = int64(s)
	}
	t := gotorch.FromBlob(unsafe.Pointer(&values[0]), gotorch.Float, sizes)
	runtime.KeepAlive(values)
	return t
}

// raw is the at::Tensor* behind a gotorch tensor.
func raw(t gotorch.Tensor) unsafe.Pointer { return unsafe.Pointer(*t.T) }

// attempt turns gotorch's panics into errors that name the layer at work.
func attempt(at *string, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			text, _, _ := strings.Cut(fmt.Sprint(p), "\nException raised from") // and the C++ stack behind it
			err = fmt.Errorf("layer %s: %s", *at, text)
		}
	}()
	return fn()
}

// Train implements Executor.
func (e *Eager) Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error) {
	trained := make([]Trained, len(jobs))
	for i, job := range jobs {
		var err error
		if trained[i], err = e.trainOne(net, images, job, parts, sgd); err != nil {
			for _, t := range trained {
				t.End.Close()
			}
			return nil, fmt.Errorf("client %d: %w", job.Client, err)
		}
	}
	return trained, nil
}

func (e *Eager) trainOne(net *Network, images *Images, job Job, parts Part, sgd SGD) (Trained, error) {
	if err := images.fits(net); err != nil {
		return Trained{}, err
	}
	weights, err := job.Start.Floats()
	if err != nil {
		return Trained{}, err
	}
	start := append([]float32(nil), weights...)
	momentum := make([]float32, len(weights))
	losses := make([]float64, len(job.Order))
	n, step := len(job.Samples), int64(0)
	for epoch, order := range job.Order {
		for begin := 0; begin < n; begin += sgd.Batch {
			batch := order[begin:min(begin+sgd.Batch, n)]
			rows := make([]int32, len(batch))
			for i, p := range batch {
				rows[i] = job.Samples[p]
			}
			leaves := leavesOf(net, weights, parts)
			loss, err := e.step(net, images, rows, job, leaves, parts, step)
			if err != nil {
				return Trained{}, err
			}
			losses[epoch] += loss * float64(len(batch)) / float64(n)
			if err := update(leaves, weights, start, momentum, sgd); err != nil {
				return Trained{}, err
			}
			step++
			// gotorch frees tensors by finalizers alone; left to itself the garbage collector sees no pressure.
			if e.steps++; e.steps%20 == 0 {
				runtime.GC()
			}
		}
	}
	end, err := VectorOf(CPU, weights)
	if err != nil {
		return Trained{}, err
	}
	return Trained{End: end, Loss: losses}, nil
}

// leavesOf makes a tensor of each parameter; those of the trained parts require a gradient.
func leavesOf(net *Network, weights []float32, parts Part) []leaf {
	leaves := make([]leaf, len(net.params))
	for i, p := range net.params {
		t := tensorOf(weights[p.Range.Begin:p.Range.End], p.Shape...)
		leaves[i] = leaf{param: p, tensor: t, trained: p.Part&parts != 0}
	}
	return leaves
}

// step runs one forward and backward pass and returns the batch's mean loss; the gradients stay in the leaves.
func (e *Eager) step(net *Network, images *Images, rows []int32, job Job, leaves []leaf, parts Part, step int64) (float64, error) {
	for _, l := range leaves {
		if l.trained {
			if err := failure(C.fd_eager_require_grad(raw(l.tensor))); err != nil {
				return 0, err
			}
		}
	}
	x, labels, err := images.batch(rows)
	if err != nil {
		return 0, err
	}
	if job.LabelMap != nil {
		for i, y := range labels {
			labels[i] = int64(job.LabelMap[y])
		}
	}
	draw := func(part Part) *draw {
		if parts&part == 0 {
			return nil // frozen encoders run in evaluation mode
		}
		return &draw{job.Seed, step}
	}
	var loss gotorch.Tensor
	var kept tape
	defer runtime.KeepAlive(&kept)
	at := ""
	err = attempt(&at, func() error {
		images := kept.keep(tensorOf(x, append([]int{len(rows)}, net.input[:]...)...))
		logits, err := net.logits(leaves, images, draw, &kept, &at)
		if err != nil {
			return err
		}
		at = "loss"
		y := kept.keep(gotorch.FromBlob(unsafe.Pointer(&labels[0]), gotorch.Long, []int64{int64(len(labels))}))
		loss = F.NllLoss(kept.keep(F.LogSoftmax(logits, 1)), y, gotorch.Tensor{}, -100, "mean")
		return nil
	})
	if err != nil {
		return 0, err
	}
	if err := failure(C.fd_eager_backward(raw(loss))); err != nil {
		return 0, err
	}
	value := make([]float32, 1)
	err = failure(C.fd_eager_values(raw(loss), (*C.float)(&value[0]), 1))
	runtime.KeepAlive(loss.T)
	return float64(value[0]), err
}

// draw says which dropout masks a training forward pass takes.
type draw struct {
	seed uint64
	step int64
}

// logits runs the encoders and the head. gotorch has no concatenation, so each encoder meets its columns of the head.
func (n *Network) logits(leaves []leaf, x gotorch.Tensor, masks func(Part) *draw, kept *tape, at *string) (gotorch.Tensor, error) {
	perEncoder := len(leaves) - 2
	if n.dual {
		perEncoder /= 2
	}
	weight, bias := leaves[len(leaves)-2].tensor, leaves[len(leaves)-1].tensor
	f, err := n.encode(leaves[:perEncoder], x, masks(Primary), kept, at)
	if err != nil {
		return f, err
	}
	*at = "head"
	if !n.dual {
		return kept.keep(F.Linear(f, weight, bias)), nil
	}
	g, err := n.encode(leaves[perEncoder:2*perEncoder], x, masks(Secondary), kept, at)
	if err != nil {
		return g, err
	}
	*at = "head"
	columns := func(begin int) gotorch.Tensor {
		return kept.keep(gotorch.IndexSelect(weight, 1, kept.keep(counting(begin, begin+n.features))))
	}
	left := kept.keep(F.Linear(f, columns(0), bias))
	right := kept.keep(F.Linear(g, columns(n.features), gotorch.Tensor{}))
	return kept.keep(gotorch.Add(left, right, 1)), nil
}

// counting is the index tensor begin, begin+1, ..., end-1.
func counting(begin, end int) gotorch.Tensor {
	index := make([]int64, end-begin)
	for i := range index {
		index[i] = int64(begin + i)
	}
	t := gotorch.FromBlob(unsafe.Pointer(&index[0]), gotorch.Long, []int64{int64(len(index))})
	runtime.KeepAlive(index)
	return t
}

// encode runs one encoder's layers: [b, C, H, W] -> [b, features].
func (n *Network) encode(leaves []leaf, x gotorch.Tensor, mask *draw, kept *tape, at *string) (gotorch.Tensor, error) {
	k := 0
	for i, layer := range n.layers {
		switch l := layer.(type) {
		case Conv2d:
			*at = leaves[k].param.Name
			x = kept.keep(F.Conv2d(x, leaves[k].tensor, leaves[k+1].tensor, pair(l.Stride), pair(l.Padding), pair(1), 1))
			k += 2
		case ReLU:
			x = kept.keep(F.Relu(x, false))
		case MaxPool2d:
			x = kept.keep(F.MaxPool2d(x, pair(l.Size), pair(l.Size), pair(0), pair(1), false))
		case Dropout:
			if mask == nil {
				continue
			}
			m, err := dropoutMask(*mask, i, l.P, x.Shape())
			if err != nil {
				return x, err
			}
			x = kept.keep(gotorch.Mul(x, kept.keep(m)))
		case Flatten:
			x = kept.keep(gotorch.Flatten(x, 1, -1))
		case Linear:
			*at = leaves[k].param.Name
			x = kept.keep(F.Linear(x, leaves[k].tensor, leaves[k+1].tensor))
			k += 2
		}
	}
	return x, nil
}

// pair is a setting of both image axes.
func pair(x int) []int64 { return []int64{int64(x), int64(x)} }

// dropoutMask is the engine's own mask for a layer of a step.
func dropoutMask(d draw, layer int, p float64, shape []int64) (gotorch.Tensor, error) {
	size := 1
	dims := make([]int, len(shape))
	for i, s := range shape {
		size *= int(s)
		dims[i] = int(s)
	}
	mask := make([]float32, size)
	err := failure(C.fd_dropout_mask(C.uint64_t(d.seed), C.int64_t(d.step), C.int64_t(layer), C.double(p), C.int64_t(size),
		(*C.float)(first(mask))))
	if err != nil {
		return gotorch.Tensor{}, err
	}
	return tensorOf(mask, dims...), nil
}

// update is one step of SGD on the host, as PyTorch's: g += wd w + mu (w - start); m = momentum m + g; w -= lr m.
func update(leaves []leaf, weights, start, momentum []float32, sgd SGD) error {
	lr, m, wd, mu := float32(sgd.LearningRate), float32(sgd.Momentum), float32(sgd.WeightDecay), float32(sgd.Proximal)
	for _, l := range leaves {
		if !l.trained {
			continue
		}
		g := make([]float32, l.param.Range.Len())
		err := failure(C.fd_eager_grad(raw(l.tensor), (*C.float)(&g[0]), C.int64_t(len(g))))
		runtime.KeepAlive(l.tensor.T)
		if err != nil {
			return fmt.Errorf("layer %s: %w", l.param.Name, err)
		}
		for i := range g {
			k := l.param.Range.Begin + i
			d := g[i] + wd*weights[k]
			if mu > 0 {
				d += mu * (weights[k] - start[k])
			}
			momentum[k] = m*momentum[k] + d
			weights[k] -= lr * momentum[k]
		}
	}
	return nil
}

// Predict implements Executor.
func (e *Eager) Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error) {
	out := make([]Predicted, len(jobs))
	if err := images.fits(net); err != nil {
		return nil, err
	}
	for i, job := range jobs {
		weights, err := job.State.Floats()
		if err != nil {
			return nil, err
		}
		leaves := leavesOf(net, weights, 0)
		out[i].Classes = make([]uint8, 0, len(job.Samples))
		for begin := 0; begin < len(job.Samples); begin += 128 {
			rows := job.Samples[begin:min(begin+128, len(job.Samples))]
			logp, labels, err := net.logProbabilities(images, rows, leaves)
			if err != nil {
				return nil, err
			}
			for r := range rows {
				row := logp[r*net.classes : (r+1)*net.classes]
				out[i].Classes = append(out[i].Classes, argmax(row))
				out[i].Loss -= float64(row[labels[r]]) / float64(len(job.Samples))
			}
			runtime.GC()
		}
	}
	return out, nil
}

// logProbabilities evaluates a batch: [len(rows), classes], and the labels.
func (n *Network) logProbabilities(images *Images, rows []int32, leaves []leaf) ([]float32, []int64, error) {
	x, labels, err := images.batch(rows)
	if err != nil {
		return nil, nil, err
	}
	logp := make([]float32, len(rows)*n.classes)
	var kept tape
	at := ""
	err = attempt(&at, func() error {
		none := func(Part) *draw { return nil }
		images := kept.keep(tensorOf(x, append([]int{len(rows)}, n.input[:]...)...))
		logits, err := n.logits(leaves, images, none, &kept, &at)
		if err != nil {
			return err
		}
		t := kept.keep(F.LogSoftmax(logits, 1))
		return failure(C.fd_eager_values(raw(t), (*C.float)(&logp[0]), C.int64_t(len(logp))))
	})
	runtime.KeepAlive(&kept)
	runtime.KeepAlive(leaves)
	return logp, labels, err
}

// argmax is the index of the largest value, the lowest of equals.
func argmax(x []float32) uint8 {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return uint8(best)
}
