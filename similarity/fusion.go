package similarity

import (
	"fmt"
	"math"
	"slices"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Fuse returns A (N x N, 0..1, a dissimilarity), eq. 7:
//
//	A_ij = w_i G^_ij + (1-w_i) V^_ij  for i < j,  A_ji = A_ij,  A_ii = 0
//
// from G^ and V^ (N x N, 0..1) and gates w (N, 0..1; 1 is gradient only). Because of the paper's i < j, each pair uses the
// gate of the client with the smaller number. Fuse returns an error if sizes differ or if a gate is outside 0..1.
func Fuse(g, v *mat.SymDense, w []float64) (*mat.SymDense, error) {
	n := g.SymmetricDim()
	if n == 0 || v.SymmetricDim() != n || len(w) != n {
		return nil, fmt.Errorf("fusion: there are %d gradient rows, %d data rows and %d gates: the numbers must be equal and at least 1", n, v.SymmetricDim(), len(w))
	}
	a := mat.NewSymDense(n, nil)
	return a, fuse(triangleOf(g), triangleOf(v), triangleOf(a), w)
}

// fuse is Fuse for the rows that this process has. a may be v itself.
func fuse(g, v, a triangle, w []float64) error {
	for i, wi := range w {
		if !(wi >= 0 && wi <= 1) {
			return fmt.Errorf("client %d: its gate is %g, outside 0..1", i, wi)
		}
		for k, gij := range g[i] {
			a[i][k] = wi*gij + (1-wi)*v[i][k]
		}
	}
	return nil
}

// Gates is the result of a solver of eq. 8.
type Gates struct {
	W             []float64 // w, N, 0..1
	Before, After float64   // entropy (nats) at the solver's start and at W; After <= Before except for "shared"
}

// LearnGates returns gates that reduce the mean entropy of the row-wise softmax of A (eq. 8),
//
//	L(w) = -1/N Σ_i Σ_j p_ij ln p_ij,  p_i = softmax(A_i)
//
// by the solver that o.Fusion names: "mlp" (mlp.go), "direct" (projected gradient descent on w itself, from 1/2) or
// "fixed:x" (no solver: every w_i = x). With "shared", all clients have the mean of the gates that direct finds, which is
// close to the share of clients whose entropy is lower with gradients. The entropy of this mean may be above the entropy at
// 1/2. g and v are G^ and V^, N x N, 0..1.
func LearnGates(g, v *mat.SymDense, o Options) (Gates, error) {
	n := g.SymmetricDim()
	if n == 0 || v.SymmetricDim() != n {
		return Gates{}, fmt.Errorf("fusion: there are %d gradient rows and %d data rows: the numbers must be equal and at least 1", n, v.SymmetricDim())
	}
	return learnGates(&scaledAngles{triangleOf(g), triangleOf(v), newBands(nil, n)}, o, nil)
}

// scaledAngles are G^ and V^. Each process of a team has some of their bands.
type scaledAngles struct {
	g, v  triangle
	share *bands
}

// learnGates is LearnGates. All processes of a team get the gates.
func learnGates(m *scaledAngles, o Options, tell teller) (Gates, error) {
	name, x, err := o.fusion()
	if err != nil {
		return Gates{}, err
	}
	switch name {
	case "mlp":
		return mlpGates(m, o.Seed, tell)
	case "direct":
		return descend(len(m.g), m.entropy, tell)
	case "shared":
		gates, err := descend(len(m.g), m.entropy, tell)
		if err != nil {
			return Gates{}, err
		}
		w := slices.Repeat([]float64{stat.Mean(gates.W, nil)}, len(m.g))
		after, err := m.entropy(w, nil)
		return Gates{w, gates.Before, after}, err
	}
	w := slices.Repeat([]float64{x}, len(m.g))
	e, err := m.entropy(w, nil)
	return Gates{w, e, e}, err
}

const directSteps = 100

// descend minimises a loss L of n gates, starting from 1/2, by w <- clip(w - η ∇L, 0, 1). A step that would increase L is
// repeated with half of η, and η doubles after a step that decreases L. The first η changes the gate with the largest
// derivative by 1/4. loss returns L and writes ∇L to slope.
func descend(n int, loss func(w, slope []float64) (float64, error), tell teller) (Gates, error) {
	w, next := make([]float64, n), make([]float64, n)
	for i := range w {
		w[i] = 0.5
	}
	slope, nextSlope := make([]float64, n), make([]float64, n)
	before, err := loss(w, slope)
	if err != nil {
		return Gates{}, err
	}
	current := before
	eta := 0.25 / max(floats.Norm(slope, math.Inf(1)), 1e-300)
	for step := range directSteps {
		if err := tell.tell(step, directSteps); err != nil {
			return Gates{}, err
		}
		for i := range w {
			next[i] = min(max(w[i]-eta*slope[i], 0), 1)
		}
		if floats.Distance(w, next, math.Inf(1)) < 1e-9 {
			break
		}
		e, err := loss(next, nextSlope)
		if err != nil {
			return Gates{}, err
		}
		if e <= current {
			current, eta = e, 2*eta
			w, next, slope, nextSlope = next, w, nextSlope, slope
		} else {
			eta /= 2
		}
	}
	return Gates{w, before, current}, nil
}

// entropy returns L(w) in nats and writes ∂L/∂w (N) to slope if it is not nil. With H_i the entropy of row i,
//
//	∂H_i/∂A_ij = -p_ij (ln p_ij + H_i),  ∂L/∂w_i = 1/N Σ_{j>i} (∂H_i/∂A_ij + ∂H_j/∂A_ij) (G^_ij - V^_ij)
//
// A itself is never stored. Entries are in 0..1, so no exponential overflows.
func (m *scaledAngles) entropy(w, slope []float64) (float64, error) {
	n := len(w)
	sum, mean, err := m.rowSums(w) // mean is Σ_j A_ij exp A_ij, then Σ_j p_ij A_ij
	if err != nil {
		return 0, err
	}
	total := 0.0
	for i := range n {
		mean[i] /= sum[i]
		total += math.Log(sum[i]) - mean[i] // H_i
	}
	if slope == nil {
		return total / float64(n), nil
	}
	parallel.For(n, func(i int) {
		slope[i] = 0
		gi, vi := m.g[i], m.v[i]
		for k, gij := range gi {
			if gij == vi[k] {
				continue
			}
			a := w[i]*gij + (1-w[i])*vi[k]
			j := i + 1 + k
			// ln p_ij + H_i = A_ij - Σ_j p_ij A_ij
			d := (a-mean[i])/sum[i] + (a-mean[j])/sum[j]
			slope[i] -= math.Exp(a) * d * (gij - vi[k])
		}
		slope[i] /= float64(n)
	})
	return total / float64(n), m.shareSlope(slope)
}

// shareSlope completes ∂L/∂w, of which each process has the rows of its bands.
func (m *scaledAngles) shareSlope(slope []float64) error {
	parts := make([][]float64, m.share.count())
	for b := range parts {
		from, to := m.share.of(b)
		parts[b] = slope[from:to]
	}
	if err := m.share.exchange("slopes", parts, func(b int) int { return len(parts[b]) }, nil); err != nil {
		return err
	}
	for b, part := range parts {
		from, _ := m.share.of(b)
		copy(slope[from:], part)
	}
	return nil
}

// bandPieces is the number of pieces of a band that are summed at the same time, if there are several bands.
const bandPieces = 4

// rowSums returns Σ_j exp A_ij and Σ_j A_ij exp A_ij for every row i (N each). The pieces of a band, and then the bands, are
// added in their order, so that the sums depend neither on the number of processors nor on the number of processes.
func (m *scaledAngles) rowSums(w []float64) (sum, mean []float64, err error) {
	n, pieces := len(w), bandPieces
	if m.share.count() == 1 {
		pieces = 1
	}
	sums := make([][]float64, pieces*m.share.count()) // both sums, 2 N
	parallel.For(len(sums), func(p int) {
		b := p / pieces
		if !m.share.mine(b) {
			return
		}
		sums[p] = make([]float64, 2*n)
		sum, mean := sums[p][:n], sums[p][n:]
		from, to := m.share.of(b)
		for i := from + p%pieces; i < to; i += pieces { // every fourth row, so that the pieces have about the same work
			sum[i]++ // exp A_ii
			gi, vi := m.g[i], m.v[i]
			for k, gij := range gi {
				a := w[i]*gij + (1-w[i])*vi[k]
				e := math.Exp(a)
				j := i + 1 + k
				sum[i] += e
				sum[j] += e
				mean[i] += a * e
				mean[j] += a * e
			}
		}
	})
	byBand := make([][]float64, m.share.count())
	for b := range byBand {
		if m.share.mine(b) {
			byBand[b] = sums[b*pieces]
			for _, x := range sums[b*pieces+1 : (b+1)*pieces] {
				floats.Add(byBand[b], x)
			}
		}
	}
	if err := m.share.exchange("sums of the rows", byBand, func(int) int { return 2 * n }, nil); err != nil {
		return nil, nil, err
	}
	for _, x := range byBand[1:] {
		floats.Add(byBand[0], x)
	}
	return byBand[0][:n], byBand[0][n:], nil
}

// upper returns entries i+1..N-1 of row i of a symmetric matrix, which share its memory.
func upper(m *mat.SymDense, i int) []float64 {
	raw := m.RawSymmetric()
	return raw.Data[i*raw.Stride+i+1 : i*raw.Stride+raw.N]
}
