package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
	"slices"
)

// Engine trains and predicts in C++, one C call a phase: on the CPU with worker threads of one libtorch thread each, a
// job at a time, gradients written by hand. It implements Executor.
type Engine struct {
	handle *C.fd_engine
	device Device
	// Plain leaves out the fused CPU kernels, so that a test can run on the CPU what a CUDA device runs.
	Plain bool
}

// NewEngine starts an engine with a number of workers.
func NewEngine(device Device, workers int) (*Engine, error) {
	e := &Engine{device: device}
	err := device.call(func(name *C.char) *C.char { return C.fd_engine_new(name, C.int(workers), &e.handle) })
	if err != nil {
		return nil, fmt.Errorf("starting the engine: %w", err)
	}
	runtime.SetFinalizer(e, (*Engine).Close)
	return e, nil
}

// Close ends the worker threads. No call may be running. It may be called again.
func (e *Engine) Close() {
	if e == nil || e.handle == nil {
		return
	}
	C.fd_engine_close(e.handle)
	e.handle = nil
	runtime.SetFinalizer(e, nil)
}

// Progress is the number of samples trained since the engine was made. It may be read while Train runs.
func (e *Engine) Progress() int64 { return int64(C.fd_engine_progress(e.handle)) }

// Cancel makes the calls that run, and later ones, return ErrCancelled soon.
func (e *Engine) Cancel() { C.fd_engine_cancel(e.handle) }

// Train implements Executor.
func (e *Engine) Train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) (trained []Trained, err error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	epochs := len(jobs[0].Order)
	trained = make([]Trained, len(jobs))
	defer func() {
		if err != nil {
			for _, t := range trained {
				t.End.Close()
				t.Projection.Close()
			}
			trained = nil
		}
	}()
	var pins runtime.Pinner
	defer pins.Unpin()
	compiled := make([]C.fd_job, len(jobs))
	for i, job := range jobs {
		if err := job.fits(net, parts, sgd); err != nil {
			return trained, fmt.Errorf("client %d: %w", job.Client, err)
		}
		order, err := flatten(job, epochs)
		if err != nil {
			return trained, err
		}
		if trained[i].End, err = NewVector(e.device, net.Len()); err != nil {
			return trained, err
		}
		trained[i].Loss = make([]float64, epochs)
		compiled[i] = C.fd_job{
			client:  C.int64_t(job.Client),
			start:   job.Start.handle,
			end:     trained[i].End.handle,
			samples: (*C.int32_t)(pinned(&pins, job.Samples)),
			n:       C.int64_t(len(job.Samples)),
			order:   (*C.int32_t)(pinned(&pins, order)),
			seed:    C.uint64_t(job.Seed),
			losses:  (*C.double)(pinned(&pins, trained[i].Loss)),
		}
		compiled[i].label_map = labelMap(&pins, job.LabelMap)
		compiled[i].proximal = C.double(job.Proximal)
		if job.Anchor != nil {
			if compiled[i].anchor = job.Anchor.handle; job.Anchor.handle == nil {
				return trained, fmt.Errorf("client %d: the anchor is closed", job.Client)
			}
		}
		if job.Weights != nil {
			if len(job.Weights) != len(job.Samples) {
				return trained, fmt.Errorf("client %d: %d weights for %d samples", job.Client, len(job.Weights), len(job.Samples))
			}
			compiled[i].weights = (*C.float)(pinned(&pins, job.Weights))
		}
		if err := job.checkObjective(net, parts, sgd); err != nil {
			return trained, fmt.Errorf("client %d: %w", job.Client, err)
		}
		switch sgd.Objective.(type) {
		case *Mix:
			compiled[i].mix = (*C.int32_t)(pinned(&pins, job.Mix))
		case *Contrast:
			if trained[i].Projection, err = NewVector(e.device, job.Projection.n); err != nil {
				return trained, err
			}
			compiled[i].projection_start, compiled[i].projection_end = job.Projection.handle, trained[i].Projection.handle
		}
	}
	settings := C.fd_sgd{
		parts:         C.int32_t(parts),
		epochs:        C.int64_t(epochs),
		batch:         C.int64_t(sgd.Batch),
		learning_rate: C.double(sgd.LearningRate),
		momentum:      C.double(sgd.Momentum),
		weight_decay:  C.double(sgd.WeightDecay),
	}
	if e.Plain {
		settings.plain = 1
	}
	if sgd.Whole {
		settings.rule = C.FD_STEP_EPOCH
	}
	if m := sgd.Meta; m != nil {
		settings.rule, settings.inner, settings.delta = C.FD_STEP_META, C.double(m.Alpha), C.double(m.Delta)
	}
	settings.objective = objective(sgd.Objective)
	err = failure(C.fd_engine_train(e.handle, net.handle, images.handle, &compiled[0], C.int64_t(len(jobs)), &settings))
	runtime.KeepAlive(e)
	runtime.KeepAlive(net)
	runtime.KeepAlive(images)
	runtime.KeepAlive(jobs)
	runtime.KeepAlive(sgd)
	return trained, err
}

// objective writes an objective as the engine reads it.
func objective(o Objective) (c C.fd_objective) {
	switch o := o.(type) {
	case *Mix:
		c.kind, c.lambda, c.epsilon = C.FD_MIX, C.double(o.Lambda), C.double(o.Epsilon)
		c.images, c.labels = o.Images.handle, o.Labels.handle
	case *Contrast:
		c.kind, c.lambda, c.mu, c.rate = C.FD_CONTRAST, C.double(o.Lambda), C.double(o.Mu), C.double(o.Rate)
		c.tau1, c.tau2, c.images = C.double(o.Tau1), C.double(o.Tau2), o.Images.handle
	case *Diverse:
		c.kind, c.lambda = C.FD_DIVERSE, C.double(o.Lambda)
	}
	return c
}

// labelMap pins a widened label map.
func labelMap(pins *runtime.Pinner, m []uint8) *C.uint8_t {
	if m == nil {
		return nil
	}
	return (*C.uint8_t)(pinned(pins, widened(m)))
}

// widened extends a label map to the whole range of a byte, so that nothing that reads it needs a bounds check; a label
// beyond the map becomes one that no network has.
func widened(m []uint8) []uint8 {
	full := slices.Repeat([]uint8{255}, 256)
	copy(full, m)
	return full
}

// flatten checks a job's permutations and lays them end to end.
func flatten(job Job, epochs int) ([]int32, error) {
	if len(job.Order) != epochs {
		return nil, fmt.Errorf("client %d: %d epochs where the first job has %d", job.Client, len(job.Order), epochs)
	}
	order := make([]int32, 0, epochs*len(job.Samples))
	for _, epoch := range job.Order {
		if len(epoch) != len(job.Samples) {
			return nil, fmt.Errorf("client %d: an order of %d positions for %d samples", job.Client, len(epoch), len(job.Samples))
		}
		order = append(order, epoch...)
	}
	return order, nil
}

// Predict implements Executor.
func (e *Engine) Predict(net *Network, images *Images, jobs []Prediction) ([]Predicted, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	var pins runtime.Pinner
	defer pins.Unpin()
	compiled := make([]C.fd_prediction, len(jobs))
	predicted := make([]Predicted, len(jobs))
	for i, job := range jobs {
		p := &predicted[i]
		p.Classes, p.Losses = make([]uint8, len(job.Samples)), make([]float32, len(job.Samples))
		compiled[i] = C.fd_prediction{
			state:     job.State.handle,
			samples:   (*C.int32_t)(pinned(&pins, job.Samples)),
			n:         C.int64_t(len(job.Samples)),
			label_map: labelMap(&pins, job.LabelMap),
			classes:   (*C.uint8_t)(pinned(&pins, p.Classes)),
			losses:    (*C.float)(pinned(&pins, p.Losses)),
		}
		if job.LogProbabilities {
			p.LogProbabilities = make([]float32, len(job.Samples)*net.classes)
			compiled[i].log_probabilities = (*C.float)(pinned(&pins, p.LogProbabilities))
		}
		if job.Features {
			p.Features = make([]float32, len(job.Samples)*net.width())
			compiled[i].features = (*C.float)(pinned(&pins, p.Features))
		}
	}
	err := failure(C.fd_engine_predict(e.handle, net.handle, images.handle, &compiled[0], C.int64_t(len(jobs))))
	runtime.KeepAlive(e)
	runtime.KeepAlive(net)
	runtime.KeepAlive(images)
	runtime.KeepAlive(jobs)
	if err != nil {
		return nil, err
	}
	for i := range predicted {
		predicted[i].Loss = mean(predicted[i].Losses)
	}
	return predicted, nil
}

func mean(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(max(len(x), 1))
}

var _ Executor = (*Engine)(nil)
