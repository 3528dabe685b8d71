package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
)

// Batched trains and predicts in C++ for all clients of a call at once. Their weights are one stack, and a step is a step of
// every client that has steps left. This keeps a GPU busy with small networks. The same code also runs on the CPU, for tests,
// where it is slower than [Engine]. Batched implements Executor.
type Batched struct {
	handle *C.fd_stacked
	device Device
	o      BatchedOptions
	serial *Engine // for trainings for which the stack has no steps

	unstacked    int // number of trainings so far that ran outside the stack
	fewest, most int // smallest and largest number of clients that were trained at once so far
	refuseAbove  int // for tests: more clients at once count as out of memory; 0 for never
}

// BatchedOptions are the options of Batched.
type BatchedOptions struct {
	Arithmetic
	Method ConvMethod // method of all convolutions for which it is possible
	// GeneralKernels uses GPU kernels that are not compiled for the shapes of a network's layers, for comparisons.
	GeneralKernels bool
	// FusedKernels computes all layers of a small network in few kernels, where the network is of the kind and fits into the shared
	// memory of a multiprocessor. No GPU has run these kernels yet.
	FusedKernels bool
	Memory       int64 // estimated bytes that a call may use on the device, in addition to its caller's memory there; 0 for most of the free memory
}

// ConvMethod is a method of computing the convolution of stacked clients.
type ConvMethod uint8

// The methods.
const (
	ChooseFastest ConvMethod = iota // on a GPU the fastest method, timed on the first data; on the CPU, and if results must be deterministic, Columns
	Columns                         // lays out the windows as columns, and computes one batched matrix product
	Grouped                         // computes one convolution with one group of channels per client
	PerClient                       // computes one convolution per client, on a GPU in concurrent streams
	Fused                           // computes the convolution with the following ReLU and max pooling in feddag's own kernel
	TensorCores                     // computes the same, or a convolution without bias, as matrix products on the tensor cores of a GPU, in tf32 or bf16
)

// NewBatched starts the executor.
func NewBatched(device Device, o BatchedOptions) (*Batched, error) {
	if err := o.check(device); err != nil {
		return nil, err
	}
	e := &Batched{device: device, o: o}
	options := C.fd_stacked_options{
		precision: C.int32_t(o.Precision), method: C.int32_t(o.Method), deterministic: C.int32_t(flag(o.Deterministic)),
		general: C.int32_t(flag(o.GeneralKernels)), fused: C.int32_t(flag(o.FusedKernels)),
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

// Arithmetic returns how the executor computes.
func (e *Batched) Arithmetic() Arithmetic { return e.o.Arithmetic }

// Close frees the executor's memory on the device. No call may be running. Close may be called again.
func (e *Batched) Close() {
	if e == nil || e.handle == nil {
		return
	}
	C.fd_stacked_close(e.handle)
	e.handle = nil
	e.serial.Close()
	runtime.SetFinalizer(e, nil)
}

// Progress returns the number of samples trained since the executor was made. It may be called while Train runs.
func (e *Batched) Progress() int64 {
	return int64(C.fd_engine_progress(C.fd_stacked_worker(e.handle))) + e.serial.Progress()
}

// Cancel makes running and later calls return ErrCancelled soon.
func (e *Batched) Cancel() {
	C.fd_engine_cancel(C.fd_stacked_worker(e.handle))
	e.serial.Cancel()
}

// Train implements Executor. The clients are stacked in as many groups as memory requires. Steps other than plain SGD, and
// objectives other than the cross-entropy, run one client after another on the same device, in float32. Objectives of other
// packages run on the eager executor, see [Engine.Train].
func (e *Batched) Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error) {
	if sgd.Whole || sgd.Meta != nil || sgd.Objective != nil || sgd.Adam != nil {
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

// Encoded returns the number of images that Predict has passed through an encoder since the executor was made, counted once per
// encoder. Models of a group that have equal encoders for the same images share the passes.
func (e *Batched) Encoded() int64 { return int64(C.fd_engine_encoded(C.fd_stacked_worker(e.handle))) }

// Predict implements Executor. The models are stacked in as many groups as memory requires. The features of equal encoders for the
// same images are computed once in a group, also for models whose other parts differ.
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

// Unstacked returns the number of trainings so far for which the stack has no steps. They ran one after another, in
// float32.
func (e *Batched) Unstacked() int { return e.unstacked }

// Report returns how each shape of convolution was computed so far, with one line per shape.
func (e *Batched) Report() (string, error) {
	var text *C.char
	if err := failure(C.fd_stacked_report(e.handle, &text)); err != nil {
		return "", err
	}
	defer C.fd_free_message(text)
	return C.GoString(text), nil
}

var _ Executor = (*Batched)(nil)
