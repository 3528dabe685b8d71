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

// leaf is one tensor of the network as an autograd leaf.
type leaf struct {
	param   Param
	tensor  gotorch.Tensor
	trained bool // has a gradient
	moves   bool // a buffer that forward passes change
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
	if err := job.fits(net, parts, sgd); err != nil {
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

// leavesOf makes a tensor of each parameter and buffer; the parameters of the trained parts require a gradient.
func leavesOf(net *Network, weights []float32, parts Part) []leaf {
	leaves := make([]leaf, len(net.params))
	for i, p := range net.params {
		t := tensorOf(weights[p.Range.Begin:p.Range.End], p.Shape...)
		leaves[i] = leaf{param: p, tensor: t, trained: p.Part&parts != 0 && !p.Buffer, moves: p.Part&parts != 0 && p.Buffer}
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

// update is one step of SGD on the host, as PyTorch's: g += wd w + mu (w - anchor); m = momentum m + g; w -= lr m.
// The buffers that the forward pass moved are taken over.
func update(leaves []leaf, weights, anchor, momentum []float32, proximal float64, sgd SGD) error {
	lr, m, wd, mu := float32(sgd.LearningRate), float32(sgd.Momentum), float32(sgd.WeightDecay), float32(proximal)
	for _, l := range leaves {
		if l.moves {
			to := weights[l.param.Range.Begin:l.param.Range.End]
			if err := failure(C.fd_eager_values(raw(l.tensor), (*C.float)(&to[0]), C.int64_t(len(to)))); err != nil {
				return fmt.Errorf("layer %s: %w", l.param.Name, err)
			}
			runtime.KeepAlive(l.tensor.T)
		}
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
