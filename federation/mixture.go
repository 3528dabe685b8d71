package federation

import (
	"math"

	"feddag/torch"
)

// Mixture predicts with several states of one network: the class of the highest Σ_k w_k softmax_k(x), Σ_k w_k = 1.
type Mixture struct {
	States  []*torch.Vector
	Weights []float64 // w
}

// components returns the single states that a model predicts with: those of its mixture that have weight, or its own.
func (m Model) components() []Model {
	if m.Mix == nil {
		return []Model{m}
	}
	var states []Model
	for k, s := range m.Mix.States {
		if m.Mix.Weights[k] > 0 {
			states = append(states, Model{Net: m.Net, State: s})
		}
	}
	return states
}

// classes returns the mixture's class of each of a client's test images, at the image's place.
func (m *Mixture) Classes(c *Client, count int, logp func(*torch.Vector) []float32) []uint8 {
	most := 0
	for _, s := range c.Test {
		most = max(most, int(s)+1)
	}
	classes := make([]uint8, most)
	p := make([]float64, count)
	for _, s := range c.Test {
		clear(p)
		for k, state := range m.States {
			if m.Weights[k] > 0 {
				for y, l := range logp(state)[int(s)*count : (int(s)+1)*count] {
					p[y] += m.Weights[k] * math.Exp(float64(l))
				}
			}
		}
		for y := range p {
			if p[y] > p[classes[s]] {
				classes[s] = uint8(y)
			}
		}
	}
	return classes
}
