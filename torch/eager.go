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
	anchor := append([]float32(nil), weights...)
	if job.Anchor != nil {
		if anchor, err = job.Anchor.Floats(); err != nil {
			return Trained{}, err
		}
	}
	momentum := make([]float32, len(weights))
	losses := make([]float64, len(job.Order))
	n, step := len(job.Samples), int64(0)
	for epoch, order := range job.Order {
		for begin := 0; begin < n; begin += sgd.Batch {
			batch := order[begin:min(begin+sgd.Batch, n)]
			leaves := leavesOf(net, weights, parts)
			loss, err := e.step(net, images, batch, job, leaves, parts, step)
			if err != nil {
				return Trained{}, err
			}
			losses[epoch] += loss * float64(len(batch)) / float64(n)
			if err := update(leaves, weights, anchor, momentum, job.Proximal, sgd); err != nil {
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

// step runs one forward and backward pass on a batch of the job's samples, given by their positions, and returns the
// mean loss; the gradients stay in the leaves.
func (e *Eager) step(net *Network, images *Images, batch []int32, job Job, leaves []leaf, parts Part, step int64) (float64, error) {
	for _, l := range leaves {
		if l.trained {
			if err := failure(C.fd_eager_require_grad(raw(l.tensor))); err != nil {
				return 0, err
			}
		}
	}
	rows := make([]int32, len(batch))
	for i, p := range batch {
		rows[i] = job.Samples[p]
	}
	x, labels, err := images.batch(rows)
	if err != nil {
		return 0, err
	}
	relabel(labels, job.LabelMap)
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
		logp := kept.keep(F.LogSoftmax(logits, 1))
		if job.Weights == nil {
			loss = F.NllLoss(logp, y, gotorch.Tensor{}, -100, "mean")
			return nil
		}
		weights := make([]float32, len(batch))
		for i, p := range batch {
			weights[i] = job.Weights[p]
		}
		each := kept.keep(F.NllLoss(logp, y, gotorch.Tensor{}, -100, "none"))
		loss = gotorch.Mean(kept.keep(gotorch.Mul(each, kept.keep(tensorOf(weights, len(weights))))))
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

// relabel applies a client's label map.
func relabel(labels []int64, labelMap []uint8) {
	if labelMap == nil {
		return
	}
	full := widened(labelMap)
	for i, y := range labels {
		labels[i] = int64(full[y])
	}
}

// draw says which dropout masks a training forward pass takes.
type draw struct {
	seed uint64
	step int64
}

// logits runs the encoders and the head.
func (n *Network) logits(leaves []leaf, x gotorch.Tensor, masks func(Part) *draw, kept *tape, at *string) (gotorch.Tensor, error) {
	f, err := n.encoders(leaves, x, masks, kept, at)
	if err != nil {
		return gotorch.Tensor{}, err
	}
	*at = "head"
	return n.head(leaves, f, kept), nil
}

// encoders returns each encoder's features, [b, features].
func (n *Network) encoders(leaves []leaf, x gotorch.Tensor, masks func(Part) *draw, kept *tape, at *string) ([]gotorch.Tensor, error) {
	parts := []Part{Primary, Secondary}
	if !n.dual {
		parts = parts[:1]
	}
	each := (len(leaves) - 2) / len(parts)
	features := make([]gotorch.Tensor, len(parts))
	for i, part := range parts {
		var err error
		if features[i], err = n.encode(leaves[i*each:(i+1)*each], x, masks(part), kept, at); err != nil {
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

// update is one step of SGD on the host, as PyTorch's: g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
func update(leaves []leaf, weights, anchor, momentum []float32, proximal float64, sgd SGD) error {
	lr, m, wd, mu := float32(sgd.LearningRate), float32(sgd.Momentum), float32(sgd.WeightDecay), float32(proximal)
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
				d += mu * (weights[k] - anchor[k])
			}
			momentum[k] = m*momentum[k] + d
			weights[k] -= lr * momentum[k]
		}
	}
	return nil
}
