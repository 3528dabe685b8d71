package similarity

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// randomMatrices returns G^ and V^ of n clients with entries in 0..1.
func randomMatrices(n int, seed uint64) (g, v *mat.SymDense) {
	random := rand.New(rand.NewPCG(seed, 9))
	g, v = mat.NewSymDense(n, nil), mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i {
			g.SetSym(i, j, random.Float64())
			v.SetSym(i, j, random.Float64())
		}
	}
	return g, v
}

// TestMLPGradients checks every gradient of the gate network against the central difference of the entropy.
func TestMLPGradients(t *testing.T) {
	const n, width = 6, 1e-4
	g, v := randomMatrices(n, 1)
	m := network(t, g, v, 3)
	slope := make([]float64, n)
	entropyOf(t, g, v, m.forward(), slope)
	m.backward(slope)
	difference := func(p *adam) float64 {
		value := p.value
		defer func() { p.value = value }()
		p.value = value + width
		above := entropyOf(t, g, v, m.forward(), nil)
		p.value = value - width
		below := entropyOf(t, g, v, m.forward(), nil)
		return (above - below) / (2 * width)
	}
	check := func(what string, i int, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9+1e-5*math.Abs(want) {
			t.Errorf("%s %d: gradient %g, by differences %g", what, i, got, want)
		}
	}
	outer, initial := append([]float64(nil), m.outer...), append([]float64(nil), m.initial...)
	h := append([]float64(nil), m.h...)
	active := 0
	for k := range mlpHidden {
		if math.Abs(m.z[k].value+m.b1[k].value) < 2*width { // at the kink of the ReLU there is no derivative
			continue
		}
		if h[k] > 0 {
			active++
		}
		check("W1 x", k, initial[k], difference(&m.z[k]))
		check("b1", k, initial[k], difference(&m.b1[k]))
		for i := range n {
			check("W2", i*mlpHidden+k, outer[i]*h[k], difference(&m.w2[i*mlpHidden+k]))
		}
	}
	for i := range n {
		check("b2", i, outer[i], difference(&m.b2[i]))
	}
	// Adam's first step changes every parameter by the learning rate, against its gradient.
	before := append(append([]adam(nil), m.b1...), append(append([]adam(nil), m.w2...), m.b2...)...)
	gradients := append([]float64(nil), initial...)
	for i := range n {
		for k := range mlpHidden {
			gradients = append(gradients, outer[i]*h[k])
		}
	}
	gradients = append(gradients, outer...)
	m.forward() // restores the units after the central differences
	m.step(1)
	for i, p := range append(append([]adam(nil), m.b1...), append(append([]adam(nil), m.w2...), m.b2...)...) {
		want := before[i].value - adamRate*gradients[i]/(math.Abs(gradients[i])+adamEps)
		if math.Abs(p.value-want) > 1e-12 {
			t.Errorf("parameter %d: %g after the first step, want %g", i, p.value, want)
		}
	}
	if active < mlpHidden/4 || active > 3*mlpHidden/4 {
		t.Errorf("%d of %d hidden units are active: the check of the ReLU is worth little", active, mlpHidden)
	}
}

// TestMLPStepsOfWeightsThatAreNotStored checks the first layer's steps, which use only W1 x, against Adam on a row of W1 with all
// of its entries.
func TestMLPStepsOfWeightsThatAreNotStored(t *testing.T) {
	const n = 6
	g, v := randomMatrices(n, 2)
	m := network(t, g, v, 3)
	var x []float64 // the input, without the zeros on the diagonals
	for _, a := range []*mat.SymDense{g, v} {
		for i := range n {
			for j := range n {
				if i != j {
					x = append(x, a.At(i, j))
				}
			}
		}
	}
	rows, start := make([][]adam, mlpHidden), make([]float64, mlpHidden)
	for k := range rows {
		rows[k], start[k] = make([]adam, len(x)), m.z[k].value
	}
	random := rand.New(rand.NewPCG(4, 4))
	for step := 1; step <= 20; step++ {
		for k := range rows {
			m.initial[k] = random.NormFloat64()
			for d := range x {
				rows[k][d].step(m.initial[k]*x[d], step)
			}
		}
		m.step(step)
	}
	for k := range rows {
		var moved float64
		for d := range x {
			moved += rows[k][d].value * x[d]
		}
		if got := m.z[k].value - start[k]; math.Abs(got-moved) > 1e-4*math.Abs(moved)+1e-6 {
			t.Errorf("hidden unit %d: W1 x moved by %g, with all weights by %g", k, got, moved)
		}
	}
}
