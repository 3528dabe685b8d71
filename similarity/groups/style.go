package groups

import "gonum.org/v1/gonum/mat"

// withoutStyle returns the class means less what moves all classes of a client together, its style s_i, in the two-way fit
//
//	min over mu, s of  sum_ic n_ic |m_ic - mu_c - s_i|^2
//
// A domain moves the classes of a client together; a concept, which gives the classes other names, moves them apart.
//
// Both effects must be fitted at once. The mean deviation of a client from the class means of all clients is not its style: those
// means contain the styles of the clients that hold the class, so clients with other shares of the classes would differ.
func (t *table) withoutStyle() *table {
	mean := newTable(t.rows, 1, t.d) // m_i = sum_c n_ic m_ic / n_i
	for i := range t.rows {
		n := sumOf(t.weights(i))
		for c, x := range t.weights(i) {
			if x > 0 {
				axpy(x/n, t.mean(i, c), mean.mean(i, 0))
			}
		}
	}
	mu := t.classEffects(mean)
	out := t.clone()
	for i := range t.rows {
		n, style := sumOf(t.weights(i)), mean.mean(i, 0) // s_i = m_i - sum_c n_ic mu_c / n_i
		for c, x := range t.weights(i) {
			if x > 0 {
				axpy(-x/n, mu.RawRowView(c), style)
			}
		}
		for c, x := range t.weights(i) {
			if x > 0 {
				axpy(-1, style, out.mean(i, c))
			}
		}
	}
	return out
}

// classEffects returns mu_c of the two-way fit, C x d. With s_i put in, the normal equations are
//
//	sum_e ( [c = e] w_c - sum_i n_ic n_ie / n_i ) mu_e = sum_i n_ic (m_ic - m_i),    w_c = sum_i n_ic
//
// The matrix is the Laplacian of the graph in which clients connect classes, so classes that no client connects have each their
// own level. A billionth of w_c on the diagonal makes it positive definite; what it adds to a level, the styles take away.
func (t *table) classEffects(mean *table) *mat.Dense {
	left, right := mat.NewSymDense(t.classes, nil), mat.NewDense(t.classes, t.d, nil)
	for i := range t.rows {
		n := sumOf(t.weights(i))
		for c, x := range t.weights(i) {
			if x == 0 {
				continue
			}
			axpy(x, t.mean(i, c), right.RawRowView(c))
			axpy(-x, mean.mean(i, 0), right.RawRowView(c))
			left.SetSym(c, c, left.At(c, c)+x*(1+1e-9))
			for e := c; e < t.classes; e++ {
				left.SetSym(c, e, left.At(c, e)-x*t.weight(i, e)/n)
			}
		}
	}
	for c := range t.classes {
		if left.At(c, c) == 0 { // Nobody holds the class.
			left.SetSym(c, c, 1)
		}
	}
	mu := mat.NewDense(t.classes, t.d, nil)
	var cholesky mat.Cholesky
	if cholesky.Factorize(left) { // Always: the diagonal dominates.
		_ = cholesky.SolveTo(mu, right) // An error only says that the levels are badly determined.
	}
	return mu
}
