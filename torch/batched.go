package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
)

// Batched trains and predicts in C++ for all clients of a call at once: their weights are one stack, a step is a step of
// everyone who still has one. It is what keeps a GPU busy with small networks; on the CPU the same code runs, slower
// than [Engine], for tests. It implements Executor.
type Batched struct {
	handle *C.fd_stacked
	device Device
	o      BatchedOptions
	serial *Engine // for what the stack has no steps for

	unstacked    int // trainings so far that had no steps in the stack
	fewest, most int // clients that were trained at once so far
	refuseAbove  int // tests: more clients at once are out of memory; 0: never
}

// BatchedOptions vary how Batched computes.
type BatchedOptions struct {
	Arithmetic
	Method ConvMethod // of all convolutions that it is possible for
	Memory int64      // bytes that a call may take on the device, by estimate, beside what its caller holds there; 0 is most of what is free
}

// ConvMethod is a method of computing the convolution of stacked clients.
type ConvMethod uint8

// The methods.
const (
	ChooseFastest ConvMethod = iota // on a GPU the fastest, timed on the first data; on the CPU, and where results must be deterministic, Columns
	Columns                         // the windows as columns, and one batched matrix product
	Grouped                         // one convolution with one group of channels per client
	PerClient                       // one convolution per client, on a GPU in concurrent streams
	Fused                           // with the ReLU and the max pooling behind it, in a kernel of our own
)

// NewBatched starts the executor.
func NewBatched(device Device, o BatchedOptions) (*Batched, error) {
	if err := o.check(device); err != nil {
		return nil, err
	}
	e := &Batched{device: device, o: o}
	options := C.fd_stacked_options{
		precision: C.int32_t(o.Precision), method: C.int32_t(o.Method), deterministic: C.int32_t(flag(o.Deterministic)),
	}
	err := device.call(func(name *C.char) *C.char { return C.fd_stacked_new(name, &options, &e.handle) })
	if err == nil {
		serial := o.Arithmetic
		if serial.Precision == BF16 {
			serial.Precision = FP32
		}
		e.serial, err = NewEngineWith(device, 1, serial)
	}
	if err != nil {
		e.Close()
		return nil, fmt.Errorf("starting the batched engine: %w", err)
	}
	runtime.SetFinalizer(e, (*Batched).Close)
	return e, nil
}

// Close frees what the executor holds on the device. No call may be running. It may be called again.
func (e *Batched) Close() {
	if e == nil || e.handle == nil {
		return
	}
	C.fd_stacked_close(e.handle)
	e.handle = nil
	e.serial.Close()
	runtime.SetFinalizer(e, nil)
}

// Progress is the number of samples trained since the executor was made. It may be read while Train runs.
func (e *Batched) Progress() int64 {
	return int64(C.fd_engine_progress(C.fd_stacked_worker(e.handle))) + e.serial.Progress()
}

// Cancel makes the calls that run, and later ones, return ErrCancelled soon.
func (e *Batched) Cancel() {
	C.fd_engine_cancel(C.fd_stacked_worker(e.handle))
	e.serial.Cancel()
}

// Train implements Executor. The clients are stacked in as many groups as fit into memory. Steps other than SGD's, and
// objectives beyond cross-entropy, run one client after another on the same device, in float32; those of another package
// on the eager executor, see [Engine.Train].
func (e *Batched) Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error) {
	if sgd.Whole || sgd.Meta != nil || sgd.Objective != nil {
		e.unstacked += len(jobs)
		return e.serial.Train(net, images, jobs, parts, sgd)
	}
	work := StackedWork{Epochs: 1, Batch: max(1, sgd.Batch), Parts: parts, Precision: e.o.Precision}
	samples := make([]int, len(jobs))
	for i, j := range jobs {
		samples[i] = len(j.Samples)
		work.Samples, work.Epochs = max(work.Samples, samples[i]), max(work.Epochs, len(j.Order))
		work.Proximal = work.Proximal || j.Proximal > 0
	}
	trained := make([]Trained, len(jobs))
	bytes := func(clients int) int64 {
		work.Clients = clients
		return net.StackedBytes(e.device, work)
	}
	err := e.inGroups("client", samples, bytes, func(group []int) error {
		some := make([]Job, len(group))
		for i, j := range group {
			some[i] = jobs[j]
		}
		done, err := trainBy(e.device, net, images, some, parts, sgd, func(c *training) *C.char {
			defer runtime.KeepAlive(e)
			return C.fd_stacked_train(e.handle, net.handle, images.handle, &c.jobs[0], C.int64_t(len(c.jobs)), &c.sgd)
		})
		for i, t := range done {
			trained[group[i]] = t
		}
		return err
	})
	if err != nil {
		CloseTrained(trained)
		return nil, err
	}
	return trained, nil
}

// Predict implements Executor. The models are stacked in as many groups as fit into memory.
func (e *Batched) Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error) {
	samples := make([]int, len(jobs))
	longest := 0
	for i, j := range jobs {
		samples[i] = len(j.Samples)
		longest = max(longest, samples[i])
	}
	predicted := make([]Predicted, len(jobs))
	bytes := func(models int) int64 { return net.StackedPredictionBytes(models, longest, e.o.Precision) }
	err := e.inGroups("model", samples, bytes, func(group []int) error {
		some := make([]Prediction, len(group))
		for i, j := range group {
			some[i] = jobs[j]
		}
		done, err := predictBy(net, images, some, func(c []C.fd_prediction) *C.char {
			defer runtime.KeepAlive(e)
			return C.fd_stacked_predict(e.handle, net.handle, images.handle, &c[0], C.int64_t(len(c)))
		})
		for i, p := range done {
			predicted[group[i]] = p
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return predicted, nil
}

// Unstacked returns the number of trainings so far that the stack has no steps for: they ran one after another, in float32.
func (e *Batched) Unstacked() int { return e.unstacked }

// Report says how each shape of convolution was computed so far, a line each.
func (e *Batched) Report() (string, error) {
	var text *C.char
	if err := failure(C.fd_stacked_report(e.handle, &text)); err != nil {
		return "", err
	}
	defer C.fd_free_message(text)
	return C.GoString(text), nil
}

var _ Executor = (*Batched)(nil)
