package similarity

import (
	"math"
	"math/rand/v2"
	"slices"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/floats"
)

const (
	mlpHidden = 128
	mlpSteps  = 50
	adamRate  = 1e-3
	adamB1    = 0.9
	adamB2    = 0.999
	adamEps   = 1e-8
	mlpBins   = 1024
)

// mlpGates trains the paper's gate network. Its input is x = (vec G^, vec V^) in 0..1, of length D = 2 N^2. The hidden
// layer is h = ReLU(W1 x + b1) with 128 units, and w = sigmoid(W2 h + b2), N. Adam minimises L(w). mlpGates returns the gates
// with the lowest entropy of all steps, so the entropy is never above the entropy at the start.
//
// x never changes, so only z = W1 x + b1 is needed, not W1 (128 x D) itself, and the network needs O(N^2) memory:
//   - With uniform initial weights in ±1/sqrt(D), each entry of W1 x is a sum of D terms of variance x_d^2/(3 D). Instead of
//     D numbers, one normal number of variance Σ x_d^2 / (3 D) is drawn, which is the limit of this sum.
//   - The gradient of W1 is δ x', so Adam's moments are M x_d and Q x_d^2 with one M and one Q per hidden unit, and a step changes
//     z by -rate Σ_d x_d^2 M/(x_d sqrt(Q) + ε). This sum runs over a histogram of x (bin means), which is exact if ε is small
//     compared with x_d sqrt(Q).
func mlpGates(angles *scaledAngles, seed uint64, tell teller) (Gates, error) {
	m, err := newMLP(angles, seed)
	if err != nil {
		return Gates{}, err
	}
	slope := make([]float64, len(angles.g))
	var best Gates
	for step := 0; ; step++ {
		if err := tell.tell(step, mlpSteps); err != nil {
			return Gates{}, err
		}
		w := m.forward()
		e, err := angles.entropy(w, slope)
		if err != nil {
			return Gates{}, err
		}
		if step == 0 {
			best = Gates{slices.Clone(w), e, e}
		} else if e < best.After {
			copy(best.W, w)
			best.After = e
		}
		if step == mlpSteps {
			return best, nil
		}
		m.backward(slope)
		m.step(step + 1)
	}
}

// mlp is the gate network.
type mlp struct {
	x      *inputs
	z      []adam // W1 x, mlpHidden
	b1     []adam // mlpHidden
	w2, b2 []adam // N x mlpHidden, N

	h, w    []float64 // set by forward: the hidden units and the gates
	outer   []float64 // set by backward: derivative of L with respect to each sigmoid's argument, ∂L/∂b2; times h it is ∂L/∂W2
	initial []float64 // set by backward: ∂L/∂z, which is ∂L/∂b1; times x' it is ∂L/∂W1
}

// newMLP returns the network with initial weights for the inputs G^ and V^.
func newMLP(angles *scaledAngles, seed uint64) (*mlp, error) {
	x, err := summarise(angles)
	if err != nil {
		return nil, err
	}
	n := len(angles.g)
	m := &mlp{
		x: x, z: make([]adam, mlpHidden), b1: make([]adam, mlpHidden), w2: make([]adam, n*mlpHidden), b2: make([]adam, n),
		h: make([]float64, mlpHidden), w: make([]float64, n), outer: make([]float64, n), initial: make([]float64, mlpHidden),
	}
	random := stream.New(seed, "gates")
	inputs := 2 * float64(n) * float64(n)
	for k := range m.z {
		m.z[k].value = random.NormFloat64() * math.Sqrt(m.x.squares/(3*inputs))
		m.b1[k].value = uniform(random, 1/math.Sqrt(inputs))
	}
	bound := 1 / math.Sqrt(mlpHidden)
	for i := range m.b2 {
		for k := range mlpHidden {
			m.w2[i*mlpHidden+k].value = uniform(random, bound)
		}
		m.b2[i].value = uniform(random, bound)
	}
	return m, nil
}

// forward returns the gates, N, which the next call overwrites.
func (m *mlp) forward() []float64 {
	for k := range m.h {
		m.h[k] = max(0, m.z[k].value+m.b1[k].value)
	}
	for i := range m.w {
		s := m.b2[i].value
		for k, x := range m.h {
			s += m.w2[i*mlpHidden+k].value * x
		}
		m.w[i] = 1 / (1 + math.Exp(-s))
	}
	return m.w
}

// backward sets the gradients from slope, which is ∂L/∂w at the gates of the last call of forward.
func (m *mlp) backward(slope []float64) {
	clear(m.initial)
	for i, w := range m.w {
		m.outer[i] = slope[i] * w * (1 - w)
		for k := range m.h {
			m.initial[k] += m.outer[i] * m.w2[i*mlpHidden+k].value
		}
	}
	for k, h := range m.h {
		if h == 0 {
			m.initial[k] = 0
		}
	}
}

// step does the t-th step of Adam for all parameters, t from 1.
func (m *mlp) step(t int) {
	for i, d := range m.outer {
		for k, h := range m.h {
			m.w2[i*mlpHidden+k].step(d*h, t)
		}
		m.b2[i].step(d, t)
	}
	for k, d := range m.initial {
		m.b1[k].step(d, t)
		first, second := m.z[k].moments(d, t)
		m.z[k].value -= adamRate * m.x.sum(first, math.Sqrt(second))
	}
}

func uniform(random *rand.Rand, bound float64) float64 { return bound * (2*random.Float64() - 1) }

// adam is one parameter with its two moments.
type adam struct{ value, m, q float64 }

// moments adds a gradient to the moments and returns the bias-corrected moments after the t-th step, t from 1.
func (p *adam) moments(gradient float64, t int) (m, q float64) {
	p.m = adamB1*p.m + (1-adamB1)*gradient
	p.q = adamB2*p.q + (1-adamB2)*gradient*gradient
	return p.m / (1 - math.Pow(adamB1, float64(t))), p.q / (1 - math.Pow(adamB2, float64(t)))
}

func (p *adam) step(gradient float64, t int) {
	m, q := p.moments(gradient, t)
	p.value -= adamRate * m / (math.Sqrt(q) + adamEps)
}

// inputs is the part of x that Adam needs: a histogram.
type inputs struct {
	count, mean [mlpBins]float64
	squares     float64 // Σ x_d^2
}

// summarise returns the histogram of the entries of both matrices, 0..1. Each off-diagonal entry counts twice. The bands are
// added in their order.
func summarise(angles *scaledAngles) (*inputs, error) {
	share := angles.share
	parts := make([][]float64, share.count()) // the counts, the sums of the bins, and squares
	for b := range parts {
		if !share.mine(b) {
			continue
		}
		part := make([]float64, 2*mlpBins+1)
		from, to := share.of(b)
		for _, m := range []triangle{angles.g, angles.v} {
			for _, row := range m[from:to] {
				for _, a := range row {
					bin := min(max(int(a*mlpBins), 0), mlpBins-1)
					part[bin] += 2
					part[mlpBins+bin] += 2 * a
					part[2*mlpBins] += 2 * a * a
				}
			}
		}
		parts[b] = part
	}
	if err := share.exchange("histogram of the angles", parts, func(int) int { return 2*mlpBins + 1 }, nil); err != nil {
		return nil, err
	}
	for _, part := range parts[1:] {
		floats.Add(parts[0], part)
	}
	x := &inputs{squares: parts[0][2*mlpBins]}
	copy(x.count[:], parts[0])
	copy(x.mean[:], parts[0][mlpBins:])
	for b, count := range x.count {
		if count > 0 {
			x.mean[b] /= count
		}
	}
	return x, nil
}

// sum returns Σ_d x_d^2 m / (x_d s + ε).
func (x *inputs) sum(m, s float64) (total float64) {
	for b, a := range x.mean {
		total += x.count[b] * a * a * m / (a*s + adamEps)
	}
	return total
}
