package groups

import "gonum.org/v1/gonum/blas/blas64"

// table holds the class means of clients, or of clusters, with their weights.
type table struct {
	rows, classes, d int
	n                []float64 // weight of each class of each row: a number of images  [rows, C]
	m                []float64 // means, zero if the weight is zero  [rows, C, d]
	at               []int     // index of row i in n and m; nil if it is i, see pick
}

func newTable(rows, classes, d int) *table {
	return &table{rows: rows, classes: classes, d: d, n: make([]float64, rows*classes), m: make([]float64, rows*classes*d)}
}

// row returns the index of row i in n and m.
func (t *table) row(i int) int {
	if t.at != nil {
		return t.at[i]
	}
	return i
}

// weights returns the weight of each class of row i.
func (t *table) weights(i int) []float64 {
	at := t.row(i) * t.classes
	return t.n[at : at+t.classes : at+t.classes]
}

// weight returns the weight of class c of row i.
func (t *table) weight(i, c int) float64 { return t.n[t.row(i)*t.classes+c] }

// means returns the means of all classes of row i.
func (t *table) means(i int) []float64 {
	width := t.classes * t.d
	at := t.row(i) * width
	return t.m[at : at+width : at+width]
}

// mean returns the mean of class c of row i.
func (t *table) mean(i, c int) []float64 {
	at := (t.row(i)*t.classes + c) * t.d
	return t.m[at : at+t.d : at+t.d]
}

// pick returns some of the rows, which share their memory with t, because the rows of many clients are large. The result must not
// be modified.
func (t *table) pick(rows []int) *table {
	p := *t
	p.rows, p.at = len(rows), make([]int, len(rows))
	for k, i := range rows {
		p.at[k] = t.row(i)
	}
	return &p
}

// clone returns a copy of the rows.
func (t *table) clone() *table {
	c := newTable(t.rows, t.classes, t.d)
	for i := range t.rows {
		copy(c.weights(i), t.weights(i))
		copy(c.means(i), t.means(i))
	}
	return c
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

// centre returns the class means over all rows, as a table of one row.
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
