package groups

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// metricRows is the number of clients whose deviations are added to the covariance at a time.
const metricRows = 64

// whitening maps feature vectors into the metric in which images are compared: x' = x U^-1, so that |x'|^2 = x W x' with
// W = (U'U)^-1. The noise of one image is then about 1 in every direction.
type whitening struct {
	u     blas64.Triangular
	noise *mat.SymDense // covariance of one image around its client's class mean, in this metric  [d, d]
}

// newWhitening returns the metric for a clustering: the inverse of the covariance of all deviations from the clusters' class
// means,
//
//	V = ( sum_i S_i + sum_ic n_ic (m_ic - mu_kc) (m_ic - mu_kc)' ) / F,    F = images - class means,  k the cluster of i
//	W^-1 = V + d/F diag(V) + 1e-9 tr(V)/d I
//
// Deviations within and between clients have the same weight, so the metric does not depend on which client drew which image.
// Then, without groups, the two halves of a client are independent. The covariance within the clients alone would prefer
// directions in which the halves agree by chance. The last two terms prevent a singular matrix if there are few images or
// constant features.
func newWhitening(t *table, scatter mat.Symmetric, clusters [][]int) (*whitening, error) {
	d := t.d
	label := make([]int, t.rows)
	for z, who := range clusters {
		for _, i := range who {
			label[i] = z
		}
	}
	mu := t.centres(label, len(clusters))
	free := 0.
	for _, w := range mu.n {
		if w > 0 {
			free += w - 1
		}
	}
	free = max(free, 1)
	v := mat.NewSymDense(d, nil)
	v.CopySym(scatter)
	images, means := 0., 0.
	block := newTable(min(metricRows, t.rows), t.classes, d) // sqrt(n_ic) (m_ic - mu_kc) of some rows, to limit the memory
	for from := 0; from < t.rows; from += block.rows {
		clear(block.m)
		for i := from; i < min(from+block.rows, t.rows); i++ {
			for c, n := range t.weights(i) {
				if n > 0 {
					row := block.mean(i-from, c)
					axpy(1, t.mean(i, c), row)
					axpy(-1, mu.mean(label[i], c), row)
					scale(math.Sqrt(n), row)
					images, means = images+n, means+1
				}
			}
		}
		blas64.Syrk(blas.Trans, 1, blas64.General{Rows: block.rows * t.classes, Cols: d, Stride: d, Data: block.m}, 1, v.RawSymmetric())
	}
	v.ScaleSym(1/free, v)
	ridge := 1e-9 * max(mat.Trace(v)/float64(d), 1e-30)
	for f := range d {
		v.SetSym(f, f, v.At(f, f)*(1+float64(d)/free)+ridge)
	}
	var cholesky mat.Cholesky
	if !cholesky.Factorize(v) {
		return nil, fmt.Errorf("the covariance of the features is not positive definite: the scatter matrix does not fit the clients' means")
	}
	u := mat.NewTriDense(d, mat.Upper, nil)
	cholesky.UTo(u)
	w := &whitening{u: u.RawTriangular(), noise: mat.NewSymDense(d, nil)}

	// U^-T S U^-1, the noise of one image.
	s := mat.DenseCopyOf(scatter)
	s.Scale(1/max(images-means, 1), s)
	blas64.Trsm(blas.Right, blas.NoTrans, 1, w.u, s.RawMatrix())
	blas64.Trsm(blas.Left, blas.Trans, 1, w.u, s.RawMatrix())
	for f := range d {
		for g := f; g < d; g++ {
			w.noise.SetSym(f, g, (s.At(f, g)+s.At(g, f))/2)
		}
	}
	return w, nil
}

// apply maps the class means of a table into the metric, in place. The rows of the table must not be picked.
func (w *whitening) apply(t *table) *table {
	blas64.Trsm(blas.Right, blas.NoTrans, 1, w.u, blas64.General{Rows: t.rows * t.classes, Cols: t.d, Stride: t.d, Data: t.m})
	return t
}
