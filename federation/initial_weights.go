package federation

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"feddag/torch"
)

// primaryPrefix begins the names of an encoder's tensors. A file of weights may leave it out.
const primaryPrefix = "primary."

// SetInitialWeights uses tensors as θ^0, the weights from which all clients start, in place of random weights. The names are
// those that a run writes for a model with one encoder; "primary." may be missing. The error for tensors of another network
// names the layer.
func (e *Env) SetInitialWeights(tensors []torch.NamedTensor) error {
	net, err := e.Net(false)
	if err != nil {
		return err
	}
	byName := make(map[string]torch.NamedTensor, len(tensors))
	for _, t := range tensors {
		byName[t.Name] = t
	}
	x := make([]float32, net.Len())
	for _, p := range net.Params() {
		name := p.Name
		t, ok := byName[name]
		if !ok {
			name = strings.TrimPrefix(name, primaryPrefix)
			t, ok = byName[name]
		}
		switch {
		case !ok:
			return fmt.Errorf("there is no tensor %s, which has the shape %v in this network", p.Name, p.Shape)
		case !slices.Equal(t.Shape, p.Shape):
			return fmt.Errorf("tensor %s has the shape %v, but this network needs %v", name, t.Shape, p.Shape)
		case slices.ContainsFunc(t.Data, func(v float32) bool { return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) }):
			return fmt.Errorf("tensor %s has a value that is infinite or NaN", name)
		}
		copy(x[p.Range.Begin:p.Range.End], t.Data)
		delete(byName, name)
	}
	for _, t := range tensors {
		if _, left := byName[t.Name]; left {
			return fmt.Errorf("tensor %s is not part of this network, which has one encoder and a head", t.Name)
		}
	}
	e.initial = x
	return nil
}

// InitialState returns θ^0, the weights from which all clients of a method with one encoder start. They are the weights of
// SetInitialWeights, or random weights that depend only on the network and the seed of the run, not on the algorithm.
func (e *Env) InitialState(net *torch.Network) []float32 {
	if e.initial != nil {
		return slices.Clone(e.initial)
	}
	return e.RandomState(net, e.InitStream(0))
}

// RandomState returns initial weights for a method whose models must start with different weights: random weights, or the
// encoder of SetInitialWeights with a random head.
func (e *Env) RandomState(net *torch.Network, r *rand.Rand) []float32 {
	if e.initial != nil {
		x := slices.Clone(e.initial)
		net.Init(x, torch.Head, r)
		return x
	}
	x := make([]float32, net.Len())
	net.Init(x, torch.All, r)
	return x
}
