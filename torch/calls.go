package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"runtime"
	"slices"
)

// training is a call of Train in the form that C reads.
type training struct {
	jobs    []C.fd_job
	sgd     C.fd_sgd
	pins    runtime.Pinner
	trained []Trained
	finite  []uint8
}

// trainBy checks a call of Train, passes it to an engine, and returns the results of the jobs.
func trainBy(device Device, net *Network, images *Images, jobs []Job, parts Part, sgd SGD, engine func(*training) *C.char) (_ []Trained, err error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	epochs := len(jobs[0].Order)
	c := &training{
		jobs: make([]C.fd_job, len(jobs)), trained: make([]Trained, len(jobs)), finite: make([]uint8, len(jobs)),
	}
	defer c.pins.Unpin()
	defer func() {
		if err != nil {
			CloseTrained(c.trained)
		}
	}()
	if err := sgd.check(); err != nil {
		return nil, err
	}
	for i, job := range jobs {
		if err := c.add(i, device, net, job, epochs, parts, sgd); err != nil {
			return nil, fmt.Errorf("client %d: %w", job.Client, err)
		}
	}
	c.sgd = settings(parts, epochs, sgd)
	err = failure(engine(c))
	runtime.KeepAlive(net)
	runtime.KeepAlive(images)
	runtime.KeepAlive(jobs)
	runtime.KeepAlive(sgd)
	if err != nil {
		return nil, err
	}
	for i := range c.trained {
		c.trained[i].Finite = c.finite[i] != 0
	}
	return c.trained, nil
}

// settings returns what all jobs share, in the form that C reads.
func settings(parts Part, epochs int, sgd SGD) C.fd_sgd {
	s := C.fd_sgd{
		parts:         C.int32_t(parts),
		epochs:        C.int64_t(epochs),
		batch:         C.int64_t(sgd.Batch),
		learning_rate: C.double(sgd.LearningRate),
		momentum:      C.double(sgd.Momentum),
		weight_decay:  C.double(sgd.WeightDecay),
		objective:     objective(sgd.Objective),
	}
	if a := sgd.Adam; a != nil {
		s.optimizer, s.beta1, s.beta2, s.epsilon = C.FD_ADAM, C.double(a.Beta1), C.double(a.Beta2), C.double(a.Epsilon)
		if a.Decoupled {
			s.optimizer = C.FD_ADAMW
		}
	}
	if sgd.Whole {
		s.rule = C.FD_STEP_EPOCH
	}
	if m := sgd.Meta; m != nil {
		s.rule, s.inner, s.delta = C.FD_STEP_META, C.double(m.Alpha), C.double(m.Delta)
	}
	return s
}

// add checks a job and adds it, with room for its results.
func (c *training) add(i int, device Device, net *Network, job Job, epochs int, parts Part, sgd SGD) error {
	if err := job.fits(net, parts, sgd); err != nil {
		return err
	}
	order, err := flatten(job, epochs)
	if err != nil {
		return err
	}
	t := &c.trained[i]
	if t.End, err = NewVector(device, net.Len()); err != nil {
		return err
	}
	t.Loss = make([]float64, epochs)
	j := &c.jobs[i]
	*j = C.fd_job{
		client:    C.int64_t(job.Client),
		start:     job.Start.handle,
		end:       t.End.handle,
		samples:   (*C.int32_t)(pinned(&c.pins, job.Samples)),
		n:         C.int64_t(len(job.Samples)),
		order:     (*C.int32_t)(pinned(&c.pins, order)),
		label_map: labelMap(&c.pins, job.LabelMap),
		seed:      C.uint64_t(job.Seed),
		losses:    (*C.double)(pinned(&c.pins, t.Loss)),
		finite:    (*C.uint8_t)(pinned(&c.pins, c.finite[i:])),
		proximal:  C.double(job.Proximal),
	}
	if job.Anchor != nil {
		if j.anchor = job.Anchor.handle; job.Anchor.handle == nil {
			return fmt.Errorf("the anchor is closed")
		}
	}
	if job.Weights != nil {
		if len(job.Weights) != len(job.Samples) {
			return fmt.Errorf("%d weights for %d samples", len(job.Weights), len(job.Samples))
		}
		j.weights = (*C.float)(pinned(&c.pins, job.Weights))
	}
	if err := job.checkObjective(net, parts, sgd); err != nil {
		return err
	}
	switch sgd.Objective.(type) {
	case *Mix:
		j.mix = (*C.int32_t)(pinned(&c.pins, job.Mix))
	case *Contrast:
		if t.Extra, err = NewVector(device, job.Extra.n); err != nil {
			return err
		}
		j.projection_start, j.projection_end = job.Extra.handle, t.Extra.handle
	}
	return nil
}

// objective returns an objective in the form that the engine reads.
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

// labelMap pins a widened label map and returns its address.
func labelMap(pins *runtime.Pinner, m []uint8) *C.uint8_t {
	if m == nil {
		return nil
	}
	return (*C.uint8_t)(pinned(pins, widened(m)))
}

// widened extends a label map to the whole range of a byte, so that readers need no bounds check. A label beyond the map
// becomes one that no network has.
func widened(m []uint8) []uint8 {
	full := slices.Repeat([]uint8{255}, 256)
	copy(full, m)
	return full
}

// flatten checks the permutations of a job and joins them.
func flatten(job Job, epochs int) ([]int32, error) {
	if len(job.Order) != epochs {
		return nil, fmt.Errorf("%d epochs, but the first job has %d", len(job.Order), epochs)
	}
	order := make([]int32, 0, epochs*len(job.Samples))
	for _, epoch := range job.Order {
		if len(epoch) != len(job.Samples) {
			return nil, fmt.Errorf("the order has %d positions for %d samples", len(epoch), len(job.Samples))
		}
		order = append(order, epoch...)
	}
	return order, nil
}

// predictBy passes a call of Predict to an engine, and returns its results.
func predictBy(net *Network, images *Images, jobs []Prediction, engine func([]C.fd_prediction) *C.char) ([]Predicted, error) {
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
	err := failure(engine(compiled))
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
