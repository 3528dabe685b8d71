package similarity

import (
	"math"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	// krylovExtra is the number of rows that a block has in addition to the p rows that are needed. A start block of exactly p
	// rows may happen to be nearly orthogonal to one of the p eigenvectors. A few more rows make that practically impossible
	// (Halko, Martinsson and Tropp 2011, section 4.2, propose 5 to 10 for a method without iterations).
	krylovExtra = 4

	// krylovResidual bounds |Gv - λv| / λ_1 of a vector v that is accepted as an eigenvector. Its angle to the true
	// eigenvector is at most about this bound times λ_1 over the distance of λ to the other eigenvalues (Davis and Kahan
	// 1970). Rounding alone leaves 2e-15, so a much smaller bound would not be met.
	krylovResidual = 1e-14

	// krylovNothing is a length relative to λ_1. If a step adds vectors up to this length, they count as rounding errors.
	krylovNothing = 1e-15
)

// topEigen returns the p largest eigenvalues of G (m x m, positive semidefinite), ascending, and their unit eigenvectors as
// the rows of a p x m matrix. ok is false if a full decomposition of G is cheaper, or if the method does not converge.
//
// It uses the block Krylov method: starting from a random Ω (b x m, b > p), it finds the best approximations to the
// eigenvectors in the span of the rows of Ω, ΩG, ΩG^2, ... (Halko, Martinsson and Tropp 2011, algorithm 4.4, but with all
// powers kept instead of only the last one: Musco and Musco 2015, algorithm 2). The orthonormal basis Q (d x m) of this
// span grows by one block per step, as in Lanczos' method. With (QGQ')y = θy, the approximations are θ and v = Q'y, and the
// method stops when the residuals |Gv - θv| are as small as those of a full decomposition. A repeated eigenvalue is found
// up to b times, which is always enough.
func topEigen(g *mat.SymDense, p int) (values []float64, vectors *mat.Dense, ok bool) {
	m := g.SymmetricDim()
	b := p + krylovExtra
	limit := 3 * m / 5 // largest d; above it the full decomposition is faster
	if 5*b > limit {
		return nil, nil, false
	}
	full := mat.DenseCopyOf(g)               // Dense times Dense is faster than Dense times SymDense
	all := mat.NewDense(limit, m, nil)       // Q and room for more
	products := mat.NewDense(limit, m, nil)  // QG
	projected := mat.NewSymDense(limit, nil) // QGQ'
	r := stream.New(0, "principal vectors")  // it does not depend on the run's seed, so equal images give equal vectors in all runs
	block := mat.NewDense(b, m, nil)
	for k := range b {
		for i, row := 0, block.RawRowView(k); i < m; i++ {
			row[i] = r.NormFloat64()
		}
	}
	rows := orthonormalRows(block, 0)

	check, before, worst := 4, 0, 1.0 // the step of the next check, the step of the last one, and its residual
	scale := 0.0                      // close to λ_1, from below
	for step, d := 1, 0; rows > 0 && d+rows <= limit; step++ {
		from := d
		d += rows
		view(all, from, d).Copy(block)
		q, product := view(all, 0, d), view(products, from, d)
		product.Mul(view(all, from, d), full)
		var across mat.Dense // b x d, the new rows of QGQ'
		across.Mul(product, q.T())
		for i := range rows {
			for j := range from + i + 1 {
				projected.SetSym(from+i, j, across.At(i, j))
			}
		}
		scale = max(scale, mat.Max(&across))

		// The next block is the part of the product that is orthogonal to Q. The second pass removes the remainder that rounding
		// leaves.
		block = mat.DenseCopyOf(product)
		nothing := krylovNothing * scale
		for range 2 {
			var shadow, known mat.Dense
			shadow.Mul(block, q.T())
			known.Mul(&shadow, q)
			block.Sub(block, &known)
			if rows = orthonormalRows(block, nothing); rows == 0 {
				break
			}
			block = view(block, 0, rows)
			nothing = 0.1 // relative to a unit vector
		}

		// Without a next block the span is invariant and contains all eigenvectors that can be found.
		if step < check && rows > 0 {
			continue
		}
		values, vectors, residual := ritz(projected.SliceSym(0, d).(*mat.SymDense), q, view(products, 0, d), p)
		if residual <= krylovResidual {
			return values, vectors, true
		}
		// The residual falls by about the same factor per step, and later by more, so take 0.7 of the predicted steps.
		need := 1
		if residual < worst {
			need = max(1, int(0.7*float64(step-before)*math.Log(krylovResidual/residual)/math.Log(residual/worst)))
		}
		if d+need*rows > limit {
			break
		}
		check, before, worst = step+need, step, residual
	}
	return nil, nil, false
}

// view returns rows from..to-1 of x without copying them.
func view(x *mat.Dense, from, to int) *mat.Dense {
	_, columns := x.Dims()
	return x.Slice(from, to, 0, columns).(*mat.Dense)
}

// orthonormalRows makes the rows of x orthonormal, first to last, by modified Gram-Schmidt. It drops rows whose remaining length
// is at most nothing, moves the other rows up, and returns their number.
func orthonormalRows(x *mat.Dense, nothing float64) int {
	count := 0
	for k := range x.RawMatrix().Rows {
		row := x.RawRowView(count)
		copy(row, x.RawRowView(k))
		for j := range count {
			floats.AddScaled(row, -floats.Dot(row, x.RawRowView(j)), x.RawRowView(j))
		}
		if floats.Norm(row, 2) > nothing {
			orthonormalise(row, x, 0, count)
			count++
		}
	}
	return count
}

// ritz returns the p largest eigenvalues θ of QGQ', ascending, their vectors v = Q'y as rows, and the largest
// |Gv - θv| / θ_1. product is QG.
func ritz(projected *mat.SymDense, q, product *mat.Dense, p int) (values []float64, vectors *mat.Dense, worst float64) {
	var eigen mat.EigenSym
	if !eigen.Factorize(projected, true) {
		return nil, nil, math.Inf(1)
	}
	d := projected.SymmetricDim()
	values = eigen.Values(nil)[d-p:]
	var y, residual mat.Dense
	eigen.VectorsTo(&y)
	top := y.Slice(0, d, d-p, d).T()
	vectors = new(mat.Dense)
	vectors.Mul(top, q)
	residual.Mul(top, product)
	for k, value := range values {
		row := residual.RawRowView(k)
		floats.AddScaled(row, -value, vectors.RawRowView(k))
		worst = max(worst, floats.Norm(row, 2))
	}
	return values, vectors, worst / values[p-1]
}
