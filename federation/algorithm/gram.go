package algorithm

import (
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
)

// gram returns the inner products of vectors, [n, n], added in float64 in the order of the coordinates: the number of
// workers changes no bit.
func Gram(vectors [][]float32, workers int) *mat.SymDense {
	n := len(vectors)
	g := mat.NewSymDense(n, nil)
	parallel.ForWorkers(n, workers, func(i int) {
		for j := i; j < n; j++ {
			g.SetSym(i, j, Dot(vectors[i], vectors[j]))
		}
	})
	return g
}

// dot is the inner product of two vectors of one length. One without values is zero.
func Dot(x, y []float32) (sum float64) {
	for k := range min(len(x), len(y)) {
		sum += float64(x[k]) * float64(y[k])
	}
	return sum
}

// cosineDistances returns 1 - cosine of every two of n vectors, 0 on the diagonal, given their inner products. A vector
// of no length is at 1 from all others.
func CosineDistances(g *mat.SymDense) *mat.SymDense {
	n := g.SymmetricDim()
	d := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i {
			cosine := 0.0
			if scale := math.Sqrt(g.At(i, i) * g.At(j, j)); scale > 0 {
				cosine = max(-1, min(1, g.At(i, j)/scale))
			}
			d.SetSym(i, j, 1-cosine)
		}
	}
	return d
}
