package fedgwc

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// interactions is the state that the server keeps for a cluster in addition to its model. The field names are used in
// checkpoints.
type interactions struct {
	Members  []int       // ids of the clients, ascending
	W        [][]float64 // [K_c][K_c]
	E        float64     // running error e
	Patience int         // number of consecutive rounds with e < ε
}

// newInteractions returns the initial interactions of a cluster with the given members.
func newInteractions(members []int) *interactions {
	g := &interactions{Members: members, E: 1}
	for range members {
		g.W = append(g.W, slices.Repeat([]float64{1 / float64(len(members)*len(members))}, len(members)))
	}
	return g
}

// rewards returns the weights ω_i of clients with the given losses, [clients][S], and sample counts n, [clients]. They sum to 1.
func rewards(losses [][]float64, n []float64) []float64 {
	omega := make([]float64, len(losses))
	for s := range losses[0] {
		var mean, variance float64
		for i, l := range losses {
			mean += n[i] * l[s] / floats.Sum(n)
		}
		for i, l := range losses {
			variance += n[i] * (l[s] - mean) * (l[s] - mean) / floats.Sum(n)
		}
		for i, l := range losses {
			omega[i] += math.Exp(-(l[s] - mean) * (l[s] - mean) / (2 * max(variance, 1e-8)))
		}
	}
	floats.Scale(1/floats.Sum(omega), omega)
	return omega
}

// update updates the entries of W between the members at the given indices, whose weights are omega, and then the running error
// and the patience.
func (g *interactions) update(places []int, omega []float64, epsilon float64) {
	m, n := float64(len(places)), float64(len(g.Members))
	alpha := m / n
	var squares float64
	for i, p := range places {
		for _, q := range places {
			d := alpha * (omega[i] - g.W[p][q])
			g.W[p][q] += d
			squares += d * d / (m * m)
		}
	}
	g.E = (1-alpha)*g.E + alpha*squares
	if g.E < epsilon/(n*n) {
		g.Patience++
	} else {
		g.Patience = 0
	}
}

// affinity returns P, [K_c, K_c], with P_ij = exp(-γ Σ_{l other than i, j} (V_il - V_jl)²) and 0 on the diagonal. V is W
// scaled to 0..1, or its transpose if columns is set.
func (g *interactions) affinity(gamma float64, columns bool) *mat.SymDense {
	n := len(g.Members)
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range g.W {
		low, high = min(low, slices.Min(row)), max(high, slices.Max(row))
	}
	scale := 0.0
	if high > low {
		scale = 1 / (high - low)
	}
	p := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i {
			var sum float64
			for l := range n {
				if l != i && l != j {
					d := g.W[i][l] - g.W[j][l]
					if columns {
						d = g.W[l][i] - g.W[l][j]
					}
					sum += d * scale * d * scale
				}
			}
			p.SetSym(i, j, math.Exp(-gamma*sum))
		}
	}
	return p
}
