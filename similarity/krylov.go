package similarity

import (
	"math"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	// krylovExtra is how many more rows than asked for a block has. A start block of exactly p may by bad luck be nearly
	// orthogonal to one of the p eigenvectors; a few more make that as good as impossible (Halko, Martinsson and Tropp
	// 2011, section 4.2, propose 5 to 10 where nothing iterates).
	krylovExtra = 4

	// krylovResidual bounds |Gv - λv| / λ_1 of what is taken for an eigenvector v. Its angle to the true one is at most
	// about this times λ_1 over the distance of λ to the other eigenvalues (Davis and Kahan 1970). Rounding alone
	// leaves 2e-15, so a much smaller bound would not be met.
	krylovResidual = 1e-14

	// krylovNothing is the length, over λ_1, up to which what a step adds is rounding error and no direction.
	krylovNothing = 1e-15
)

// topEigen returns the p largest eigenvalues of G (m x m, positive semidefinite), ascending, and their unit eigenvectors
// as the rows of a p x m matrix. ok is false where decomposing all of G is the cheaper way, or the only one.
//
// It is the block Krylov method: from a random Ω (b x m, b > p) the best approximations to the eigenvectors in the span
// of the rows of Ω, ΩG, ΩG^2, ... (Halko, Martinsson and Tropp 2011, algorithm 4.4, with all powers kept and not the
// last alone: Musco and Musco 2015, algorithm 2). Its orthonormal basis Q (d x m) grows by a block a step, as in
// Lanczos' method; with (QGQ')y = θy the approximations are θ and v = Q'y, and it stops when the residuals |Gv - θv| are
// as small as a full decomposition's. A repeated eigenvalue is found up to b times, so never too seldom.
func topEigen(g *mat.SymDense, p int) (values []float64, vectors *mat.Dense, ok bool) {
	m := g.SymmetricDim()
	b := p + krylovExtra
	limit := 3 * m / 5 // of d: beyond, the full decomposition is faster
	if 5*b > limit {
		return nil, nil, false
	}
	full := mat.DenseCopyOf(g)               // Dense times Dense is faster than Dense times SymDense
	all := mat.NewDense(limit, m, nil)       // Q and room for more
	products := mat.NewDense(limit, m, nil)  // QG
	projected := mat.NewSymDense(limit, nil) // QGQ'
	r := stream.New(0, "principal vectors")  // not of the run's seed: equal images give equal vectors in all runs
	block := mat.NewDense(b, m, nil)
	for k := range b {
		for i, row := 0, block.RawRowView(k); i < m; i++ {
			row[i] = r.NormFloat64()
		}
	}
	rows := orthonormalRows(block, 0)

	check, before, worst := 4, 0, 1.0 // the step of the next check, that of the last and the residual it found
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

		// The next block is what the product has that Q lacks; the second round takes out what rounding left of Q.
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
			nothing = 0.1 // of a unit vector
		}

		// With no next block the span is invariant: it holds all there is to find.
		if step < check && rows > 0 {
			continue
		}
		values, vectors, residual := ritz(projected.SliceSym(0, d).(*mat.SymDense), q, view(products, 0, d), p)
		if residual <= krylovResidual {
			return values, vectors, true
		}
		// It falls by about the same factor a step, later by more: 0.7 of the steps this one foretells.
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

// view returns rows from..to-1 of x, not copied.
func view(x *mat.Dense, from, to int) *mat.Dense {
	_, columns := x.Dims()
	return x.Slice(from, to, 0, columns).(*mat.Dense)
}

// orthonormalRows makes the rows of x orthonormal (Gram and Schmidt, modified), first to last, and moves them up over
// those of which no more than nothing is left. It returns how many there are.
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
