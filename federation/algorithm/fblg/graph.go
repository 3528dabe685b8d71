package fblg

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// meanFeature returns the mean of a batch's features, [rows * width], as a distribution, [width]: negative values count as 0,
// and the result is scaled to sum 1.
func meanFeature(features []float32, width int) []float64 {
	f := make([]float64, width)
	var sum float64
	for i, x := range features {
		f[i%width] += max(0, float64(x))
		sum += max(0, float64(x))
	}
	for k := range f { // with the small constant, an embedding of zeros becomes uniform
		f[k] = (f[k] + 1e-12) / (sum + 1e-12*float64(width))
	}
	return f
}

// divergence returns the Jensen-Shannon divergence of two distributions without zeros, in bits.
func divergence(p, q []float64) (j float64) {
	for k := range p {
		a := (p[k] + q[k]) / 2
		j += (p[k]*math.Log2(p[k]/a) + q[k]*math.Log2(q[k]/a)) / 2
	}
	return max(0, j)
}

// graphDistances returns the distances D, [n, n], in 0..1, between clients with the given features, [n][width]. The
// similarities are s = 1/(1 + divergence), scaled to 0..1 off the diagonal. Two clients with s > 0.01 are connected by an edge
// of length exp(-s²/0.1). D is the length of the shortest path, divided by the largest of these lengths, or 1 if there is no
// path. If all similarities are equal, D is 0.
func graphDistances(features [][]float64) *mat.SymDense {
	n := len(features)
	d := mat.NewSymDense(n, nil)
	low, high := math.Inf(1), math.Inf(-1)
	for i := range n {
		for j := range i {
			s := 1 / (1 + divergence(features[i], features[j]))
			d.SetSym(i, j, s)
			low, high = min(low, s), max(high, s)
		}
	}
	if !(high > low) {
		return mat.NewSymDense(n, nil)
	}
	for i := range n {
		for j := range i {
			length := math.Inf(1)
			if s := (d.At(i, j) - low) / (high - low); s > 0.01 {
				length = math.Exp(-s * s / 0.1)
			}
			d.SetSym(i, j, length)
		}
	}
	for k := range n { // shortest paths by the Floyd-Warshall algorithm
		for i := range n {
			for j := range i {
				if length := d.At(i, k) + d.At(k, j); length < d.At(i, j) {
					d.SetSym(i, j, length)
				}
			}
		}
	}
	longest := 0.0
	for i := range n {
		for j := range i {
			if x := d.At(i, j); !math.IsInf(x, 0) {
				longest = max(longest, x)
			}
		}
	}
	for i := range n {
		for j := range i {
			d.SetSym(i, j, min(1, d.At(i, j)/longest))
		}
	}
	return d
}

// maximise returns m of the indices of h, [n, n], ascending, for which Σ_{i<=j} h_ij over the chosen indices is large. It
// chooses by greedy ascent, and then replaces a chosen index by another one, the best swap first, as long as a swap increases
// the sum. If two swaps are equal, it chooses the lower index.
func maximise(h *mat.SymDense, m int) []int {
	n := h.SymmetricDim()
	chosen := make([]bool, n)
	gain := make([]float64, n) // gain[i] is the increase of the sum by index i
	for i := range n {
		gain[i] = h.At(i, i)
	}
	flip := func(i int, sign float64) {
		chosen[i] = sign > 0
		for k := range n {
			if k != i {
				gain[k] += sign * h.At(i, k)
			}
		}
	}
	for range m {
		best := -1
		for i := range n {
			if !chosen[i] && (best < 0 || gain[i] > gain[best]) {
				best = i
			}
		}
		flip(best, 1)
	}
	for {
		remove, add, most := -1, -1, 1e-12
		for i := range n {
			for j := range n {
				if x := gain[j] - h.At(i, j) - gain[i]; chosen[i] && !chosen[j] && x > most {
					remove, add, most = i, j, x
				}
			}
		}
		if remove < 0 {
			break
		}
		flip(remove, -1)
		flip(add, 1)
	}
	var indices []int
	for i := range n {
		if chosen[i] {
			indices = append(indices, i)
		}
	}
	return indices
}
