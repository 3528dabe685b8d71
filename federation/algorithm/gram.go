package algorithm

import (
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
)

// Gram returns the inner products of n vectors of equal length, [n, n], computed by the given number of goroutines. A vector
// without values counts as zero. Each product is summed in float64 in the order of the coordinates, so the result does not
// depend on the number of workers. Angles, distances and lengths of updates or gradients follow from it.
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

// Dot returns the inner product of two vectors of equal length, summed in float64 in the order of the coordinates. If one of
// them has no values, the product is 0.
func Dot(x, y []float32) (sum float64) {
	for k := range min(len(x), len(y)) {
		sum += float64(x[k]) * float64(y[k])
	}
	return sum
}

// CosineDistances returns 1 - cosine for every two of n vectors, given their inner products g, [n, n] (see [Gram]). The
// values of the result, [n, n], are in 0..2, and its diagonal is 0. A vector of length 0 has distance 1 to all others.
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
