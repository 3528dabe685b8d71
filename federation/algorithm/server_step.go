package algorithm

import (
	"fmt"
	"math"

	"feddag/federation"
	"feddag/torch"
)

// ServerState is the state that a [federation.ServerOptimizer] keeps for a model from round to round. It is on the host, so
// that a step has the same bits on every device. It is never modified, so models that start equal may share it.
type ServerState struct {
	momentum []float32 // m, [P]
	second   []float32 // v, [P]; nil with momentum alone
}

// StepServer applies a server optimiser to mean, the average that is to replace the model from in some ranges, and overwrites mean
// with the model after the optimiser's step. The ranges must not contain running statistics, see [torch.Network.Trained]. s is the
// state before the step, nil before the first step. StepServer returns the state after the step. On an error mean is still the
// average.
func StepServer(o federation.ServerOptimizer, from, mean *torch.Vector, s *ServerState, ranges ...torch.Range) (*ServerState, error) {
	x, err := from.Floats()
	if err != nil {
		return nil, err
	}
	y, err := mean.Floats()
	if err != nil {
		return nil, err
	}
	next := newServerState(o, s, len(x))
	rate := o.Rate()
	for _, r := range ranges {
		for k := r.Begin; k < r.End; k++ {
			y[k] = float32(float64(x[k]) + rate*next.update(o, k, float64(y[k])-float64(x[k])))
		}
	}
	return next, mean.Set(y)
}

// newServerState returns a copy of a state of n weights, or the state before the first step if s is nil.
func newServerState(o federation.ServerOptimizer, s *ServerState, n int) *ServerState {
	if s != nil {
		return &ServerState{append([]float32(nil), s.momentum...), append([]float32(nil), s.second...)}
	}
	next := &ServerState{momentum: make([]float32, n)}
	if o.Adaptive() {
		next.second = make([]float32, n)
		for k := range next.second {
			next.second[k] = float32(o.Tau * o.Tau)
		}
	}
	return next
}

// WithRange returns a copy of s, which may be nil, that has the values of other in a range.
func (s *ServerState) WithRange(o federation.ServerOptimizer, other *ServerState, r torch.Range) *ServerState {
	next := newServerState(o, s, len(other.momentum))
	copy(next.momentum[r.Begin:r.End], other.momentum[r.Begin:r.End])
	if other.second != nil {
		copy(next.second[r.Begin:r.End], other.second[r.Begin:r.End])
	}
	return next
}

// update updates the state with Δ of weight k and returns the direction of the step, without η.
func (s *ServerState) update(o federation.ServerOptimizer, k int, delta float64) float64 {
	m := float64(s.momentum[k])
	if !o.Adaptive() {
		m = o.Momentum*m + delta
		s.momentum[k] = float32(m)
		return m
	}
	m = o.Beta1*m + (1-o.Beta1)*delta
	v, square := float64(s.second[k]), delta*delta
	switch o.Name {
	case federation.ServerAdam:
		v = o.Beta2*v + (1-o.Beta2)*square
	case federation.ServerYogi:
		switch {
		case v > square:
			v -= (1 - o.Beta2) * square
		case v < square:
			v += (1 - o.Beta2) * square
		}
	case federation.ServerAdagrad:
		v += square
	}
	s.momentum[k], s.second[k] = float32(m), float32(v)
	return m / (math.Sqrt(v) + o.Tau)
}

// serverVectors returns the names of the vectors m and v of a state in a checkpoint.
func serverVectors(z int) (momentum, second string) {
	return fmt.Sprintf("server-momentum-%d", z), fmt.Sprintf("server-second-%d", z)
}

// Save adds the state of model z to a checkpoint.
func (s *ServerState) Save(to *federation.Saved, z int) {
	momentum, second := serverVectors(z)
	to.Vectors[momentum] = s.momentum
	if s.second != nil {
		to.Vectors[second] = s.second
	}
}

// LoadServerState reads the state of model z, of n weights, from a checkpoint.
func LoadServerState(o federation.ServerOptimizer, from federation.Saved, z, n int) (*ServerState, error) {
	momentum, second := serverVectors(z)
	s := &ServerState{momentum: from.Vectors[momentum]}
	if len(s.momentum) != n {
		return nil, fmt.Errorf("%s has %d values, but this model has %d weights", momentum, len(s.momentum), n)
	}
	if o.Adaptive() {
		if s.second = from.Vectors[second]; len(s.second) != n {
			return nil, fmt.Errorf("%s has %d values, but this model has %d weights", second, len(s.second), n)
		}
	}
	return s, nil
}
