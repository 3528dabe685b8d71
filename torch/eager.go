package torch

// #include "shim/fd.h"
import "C"

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"unsafe"

	gotorch "github.com/wangkuiyi/gotorch"
)

// Eager trains and predicts layer by layer on gotorch tensors with autograd, one job after another, on the device of the
// job's weights. It is slow and simple. It is the reference for the engines, and trains objectives that they do not
// implement.
type Eager struct {
	stop  func() error      // called before every batch; its error ends the training
	batch func(samples int) // called after every batch with the number of its samples
}

// NewEager returns the eager executor.
func NewEager() (*Eager, error) {
	if err := ready(); err != nil {
		return nil, err
	}
	return &Eager{stop: func() error { return nil }, batch: func(int) {}}, nil
}

// Close implements [Executor]. There is nothing to free.
func (*Eager) Close() {}

var _ Executor = (*Eager)(nil)

// leaf is one tensor of the network, as a view of the state vector.
type leaf struct {
	param   Param
	tensor  gotorch.Tensor
	trained bool // whether it has a gradient
}

// leavesOf returns a leaf for each parameter and buffer. The parameters of the trained parts require a gradient.
func leavesOf(net *Network, weights *Vector, parts Part, kept *tape) ([]leaf, error) {
	if weights == nil || weights.handle == nil || weights.n != net.Len() {
		return nil, fmt.Errorf("the weights are closed, or they are not the %d weights of the network", net.Len())
	}
	leaves := make([]leaf, len(net.params))
	for i, p := range net.params {
		trained := p.Part&parts != 0 && !p.Buffer
		var out unsafe.Pointer
		shape := dimensions(p.Shape)
		err := failure(C.fd_tensor_part(weights.handle, C.int64_t(p.Range.Begin), first(shape), C.int64_t(len(shape)), flag(trained), &out))
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", p.Name, err)
		}
		leaves[i] = leaf{p, kept.adopt(out).t, trained}
	}
	runtime.KeepAlive(weights)
	return leaves, nil
}

// attempt turns the panics of gotorch, of operations on tensors and of everything else that fn calls into errors. The
// errors name the layer that was running, or else the line outside this package that panicked.
func attempt(at *string, fn func() error) (err error) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		where := *at
		if where != "" {
			where = "layer " + where
		} else {
			where = panicLine()
		}
		switch p := p.(type) {
		case tensorError:
			err = fmt.Errorf("%s: %w", where, p.err)
		case string: // a panic of gotorch, followed by the C++ stack
			text, _, _ := strings.Cut(p, "\nException raised from")
			err = fmt.Errorf("%s: %s", where, text)
		default:
			err = fmt.Errorf("%s: panic: %v", where, p)
		}
	}()
	return fn()
}

// panicLine returns the innermost line of the panicking goroutine that is outside this package and the runtime. It must be
// called by the deferred function that recovers.
func panicLine() string {
	var callers [64]uintptr
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers[:])])
	for {
		frame, more := frames.Next()
		own := strings.HasPrefix(frame.Function, "runtime.") || strings.HasPrefix(frame.Function, "feddag/torch.") ||
			strings.HasPrefix(frame.Function, "github.com/wangkuiyi/gotorch")
		switch {
		case !more || frame.Function == "feddag/torch.attempt":
			return "the objective"
		case !own:
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
	}
}

// Train implements [Executor].
func (e *Eager) Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error) {
	trained := make([]Trained, len(jobs))
	for i, job := range jobs {
		var err error
		if trained[i], err = e.trainOne(net, images, job, parts, sgd); err != nil {
			CloseTrained(trained)
			return nil, err
		}
	}
	return trained, nil
}

// trainOne trains a job. Its errors name the client.
func (e *Eager) trainOne(net *Network, images *Images, job Job, parts Part, sgd SGD) (Trained, error) {
	trained, err := func() (Trained, error) {
		if err := errors.Join(images.fits(net), sgd.check(), job.fits(net, parts, sgd), job.checkOrder(), job.checkObjective(net, parts, sgd)); err != nil {
			return Trained{}, err
		}
		if job.Weights != nil && len(job.Weights) != len(job.Samples) {
			return Trained{}, fmt.Errorf("%d weights for %d samples", len(job.Weights), len(job.Samples))
		}
		if a := job.Anchor; a != nil && (a.handle == nil || a.n != net.Len()) {
			return Trained{}, fmt.Errorf("the anchor is closed, or does not have the %d values of the network", net.Len())
		}
		t := &eagerTraining{eager: e, net: net, images: images, job: job, parts: parts, sgd: sgd}
		defer t.close()
		return t.run()
	}()
	if err != nil && !errors.Is(err, ErrCancelled) {
		err = fmt.Errorf("client %d: %w", job.Client, err)
	}
	return trained, err
}

// checkOrder returns an error unless the order of every epoch has the positions of all samples.
func (job Job) checkOrder() error {
	for _, epoch := range job.Order {
		if len(epoch) != len(job.Samples) {
			return fmt.Errorf("the order has %d positions for %d samples", len(epoch), len(job.Samples))
		}
		for _, p := range epoch {
			if p < 0 || int(p) >= len(job.Samples) {
				return fmt.Errorf("the order has the position %d, but there are %d samples", p, len(job.Samples))
			}
		}
	}
	return nil
}

// applyLabelMap replaces labels according to a client's label map.
func applyLabelMap(labels []int64, labelMap []uint8) {
	if labelMap == nil {
		return
	}
	full := widened(labelMap)
	for i, y := range labels {
		labels[i] = int64(full[y])
	}
}
