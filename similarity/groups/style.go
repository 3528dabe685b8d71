package groups

import "gonum.org/v1/gonum/mat"

// withoutStyle returns the class means minus the style s_i of each client, which is the deviation that all its classes have in
// common, in the two-way fit
//
//	min over mu, s of  sum_ic n_ic |m_ic - mu_c - s_i|^2
//
// A domain shifts all classes of a client in the same direction. A concept, which gives the classes different labels, shifts them
// in different directions.
//
// Both effects must be fitted together. The mean deviation of a client from the class means of all clients is not its style,
// because these means contain the styles of the clients that hold the class, so clients with other shares of the classes would
// differ.
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

// classEffects returns mu_c of the two-way fit, C x d. With s_i eliminated, the normal equations are
//
//	sum_e ( [c = e] w_c - sum_i n_ic n_ie / n_i ) mu_e = sum_i n_ic (m_ic - m_i),    w_c = sum_i n_ic
//
// The matrix is the Laplacian of the graph in which clients connect classes, so the level of each connected component is
// arbitrary. A billionth of w_c on the diagonal makes the matrix positive definite. What it adds to a level is subtracted by the
// styles.
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
		if left.At(c, c) == 0 { // no client holds the class
			left.SetSym(c, c, 1)
		}
	}
	mu := mat.NewDense(t.classes, t.d, nil)
	var cholesky mat.Cholesky
	if cholesky.Factorize(left) { // always true, because the diagonal dominates
		_ = cholesky.SolveTo(mu, right) // an error only says that the levels are ill-conditioned
	}
	return mu
}
