package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
)

// Engine trains and predicts in C++, with one C call per phase and hand-written gradients. On the CPU it has worker threads
// with one libtorch thread each, and each worker trains one job at a time. Engine implements Executor.
type Engine struct {
	handle     *C.fd_engine
	device     Device
	eager      autograd
	arithmetic Arithmetic
	// Plain turns off the fused CPU kernels, so that a test on the CPU can run the code of a CUDA device.
	Plain bool
}

// NewEngine starts an engine with the given number of workers, in float32.
func NewEngine(device Device, workers int) (*Engine, error) {
	return NewEngineWith(device, workers, Arithmetic{})
}

// NewEngineWith starts an engine with the given number of workers and arithmetic. The engine has no bfloat16.
func NewEngineWith(device Device, workers int, a Arithmetic) (*Engine, error) {
	if err := a.check(device); err != nil {
		return nil, err
	}
	if a.Precision == BF16 {
		return nil, fmt.Errorf("only the batched engine has precision bf16: add --engine batched")
	}
	e := &Engine{device: device, arithmetic: a, eager: autograd{workers: workers}}
	if device.IsCUDA() {
		e.eager.workers = 1
	}
	err := device.call(func(name *C.char) *C.char {
		return C.fd_engine_new(name, C.int(workers), flag(a.Precision == TF32), flag(a.Deterministic), &e.handle)
	})
	if err != nil {
		return nil, fmt.Errorf("starting the engine: %w", err)
	}
	runtime.SetFinalizer(e, (*Engine).Close)
	return e, nil
}

// Arithmetic returns how the engine computes.
func (e *Engine) Arithmetic() Arithmetic { return e.arithmetic }

// Close ends the worker threads. No call may be running. Close may be called again.
func (e *Engine) Close() {
	if e == nil || e.handle == nil {
		return
	}
	C.fd_engine_close(e.handle)
	e.handle = nil
	runtime.SetFinalizer(e, nil)
}

// Progress returns the number of samples trained since the engine was made. It may be called while Train runs.
func (e *Engine) Progress() int64 {
	return int64(C.fd_engine_progress(e.handle)) + e.eager.samples.Load()
}

// Cancel makes running and later calls return ErrCancelled soon.
func (e *Engine) Cancel() {
	C.fd_engine_cancel(e.handle)
	e.eager.cancelled.Store(true)
}

// Train implements Executor. Jobs with an [Objective] of another package run on the eager executor, as many at a time as
// the engine has workers, and one at a time on a GPU.
func (e *Engine) Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error) {
	if !Builtin(sgd.Objective) {
		return e.eager.train(net, images, jobs, parts, sgd)
	}
	return trainBy(e.device, net, images, jobs, parts, sgd, func(c *training) *C.char {
		if e.Plain {
			c.sgd.plain = 1
		}
		defer runtime.KeepAlive(e)
		return C.fd_engine_train(e.handle, net.handle, images.handle, &c.jobs[0], C.int64_t(len(c.jobs)), &c.sgd)
	})
}

// Encoded returns the number of images that Predict has passed through an encoder since the engine was made, counted once per
// encoder. Predictions of several models with equal encoders for the same images share the passes.
func (e *Engine) Encoded() int64 { return int64(C.fd_engine_encoded(e.handle)) }

// Predict implements Executor. The features of equal encoders for the same images are computed once, also for models whose other
// parts differ.
func (e *Engine) Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error) {
	return predictBy(net, images, jobs, func(c []C.fd_prediction) *C.char {
		defer runtime.KeepAlive(e)
		return C.fd_engine_predict(e.handle, net.handle, images.handle, &c[0], C.int64_t(len(c)))
	})
}

var _ Executor = (*Engine)(nil)
