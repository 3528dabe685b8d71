package federation

import (
	"math"

	"feddag/torch"
)

// Mixture predicts with several states of one network. It predicts the class with the highest Σ_k w_k softmax_k(x), where
// softmax_k(x) are the class probabilities by state k and Σ_k w_k = 1.
type Mixture struct {
	States  []*torch.Vector
	Weights []float64 // [len(States)] w; a state of weight 0 is not evaluated
}

// components returns the models of a single state that a model predicts with. These are the states of the mixture whose weight
// is above 0, or the model itself if it has no mixture.
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

// Classes returns the classes that the mixture predicts for some test images, out of count classes. The result is indexed by
// test image and is as long as the highest index needs. Only the elements of the given images are set. logp returns the
// log-probabilities by a state, [test images, count]. Classes calls it for states of weight above 0.
func (m *Mixture) Classes(images []int32, count int, logp func(*torch.Vector) []float32) []uint8 {
	most := 0
	for _, s := range images {
		most = max(most, int(s)+1)
	}
	classes := make([]uint8, most)
	p := make([]float64, count)
	for _, s := range images {
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
