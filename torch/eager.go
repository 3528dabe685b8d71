package torch

// #include "shim/fd.h"
import "C"

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
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
	if err := errors.Join(images.fits(net), job.fits(net, parts, sgd), job.checkObjective(net, parts, sgd)); err != nil {
		return Trained{}, err
	}
	if job.Weights != nil && len(job.Weights) != len(job.Samples) {
		return Trained{}, fmt.Errorf("%d weights for %d samples", len(job.Weights), len(job.Samples))
	}
	t := &eagerTraining{eager: e, net: net, images: images, job: job, parts: parts, sgd: sgd}
	return t.run()
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
