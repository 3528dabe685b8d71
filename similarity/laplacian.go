package similarity

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// leastDegree keeps the Laplacian finite for a row of an affinity that is all zeros.
const leastDegree = 1e-12

// NormalisedLaplacian returns the symmetric normalised Laplacian of an affinity S, [n, n],
//
//	L = I - D^(-1/2) S D^(-1/2),   D = diag(d),  d_i = Σ_j S_ij,
//
// and the degrees d, which are at least 1e-12 (von Luxburg, A tutorial on spectral clustering, 2007, section 3.2).
func NormalisedLaplacian(s *mat.SymDense) (l *mat.SymDense, degrees []float64) {
	n := s.SymmetricDim()
	degrees = make([]float64, n)
	for i := range n {
		for j := range n {
			degrees[i] += s.At(i, j)
		}
		degrees[i] = max(degrees[i], leastDegree)
	}
	l = mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			x := -s.At(i, j) / math.Sqrt(degrees[i]*degrees[j])
			if i == j {
				x++
			}
			l.SetSym(i, j, x)
		}
	}
	return l, degrees
}
