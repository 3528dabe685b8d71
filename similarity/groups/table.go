package groups

import "gonum.org/v1/gonum/blas/blas64"

// table holds the class means of clients, or of clusters, with their weights.
type table struct {
	rows, classes, d int
	n                []float64 // weight of each class of each row: a number of images  [rows, C]
	m                []float64 // means, zero where the weight is zero  [rows, C, d]
}

func newTable(rows, classes, d int) *table {
	return &table{rows, classes, d, make([]float64, rows*classes), make([]float64, rows*classes*d)}
}

// weights returns the weights of row i, one per class.
func (t *table) weights(i int) []float64 { return t.n[i*t.classes : (i+1)*t.classes] }

// weight returns the weight of class c of row i.
func (t *table) weight(i, c int) float64 { return t.n[i*t.classes+c] }

// mean returns the mean of class c of row i.
func (t *table) mean(i, c int) []float64 {
	at := (i*t.classes + c) * t.d
	return t.m[at : at+t.d : at+t.d]
}

// pick returns a copy of some of the rows.
func (t *table) pick(rows []int) *table {
	p := newTable(len(rows), t.classes, t.d)
	for k, i := range rows {
		copy(p.weights(k), t.weights(i))
		copy(p.m[k*t.classes*t.d:(k+1)*t.classes*t.d], t.m[i*t.classes*t.d:])
	}
	return p
}

// centres returns the class means of k clusters, weighted by the clients' images: w_kc = sum_i n_ic and
// mu_kc = sum_i n_ic m_ic / w_kc over the members i of cluster k.
func (t *table) centres(label []int, k int) *table {
	mu := newTable(k, t.classes, t.d)
	for i, z := range label {
		for c, n := range t.weights(i) {
			if n > 0 {
				mu.n[z*t.classes+c] += n
				axpy(n, t.mean(i, c), mu.mean(z, c))
			}
		}
	}
	for z := range k {
		for c, w := range mu.weights(z) {
			scale(1/max(w, 1), mu.mean(z, c))
		}
	}
	return mu
}

// centre returns the class means of all rows together, a table of one row.
func (t *table) centre() *table { return t.centres(make([]int, t.rows), 1) }

// sumOf returns the sum of x.
func sumOf(x []float64) float64 {
	sum := 0.
	for _, v := range x {
		sum += v
	}
	return sum
}

// sequence returns 0, 1, ..., n-1.
func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}

func vector(x []float64) blas64.Vector { return blas64.Vector{N: len(x), Data: x, Inc: 1} }

// axpy adds a x to y.
func axpy(a float64, x, y []float64) { blas64.Axpy(a, vector(x), vector(y)) }

// scale multiplies x by a.
func scale(a float64, x []float64) { blas64.Scal(a, vector(x)) }

// dot returns the inner product of x and y.
func dot(x, y []float64) float64 { return blas64.Dot(vector(x), vector(y)) }
