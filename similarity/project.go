package similarity

import (
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	projectRows   = 1024 // stacks with fewer vectors are multiplied directly
	projectSample = 192  // number of vectors to which the subspace is fitted
	projectRank   = 32   // dimension r of the subspace

	// projectPairs is the number of pairs of vectors on which the bound is tried before it is used, and projectOpen is the
	// largest share of these pairs that it may fail to rule out. A product that is computed alone costs several times as
	// much as in a block. The nearest pair of two clients is never ruled out, which is 1 in 9 pairs if each has 3 vectors.
	projectPairs = 20000
	projectOpen  = 0.25
)

// projected finds the nearest of many vectors with few full products. Let t = Q'u be the part of u in a subspace (Q: F x r,
// orthonormal) and ρ = |u - Q t| the length of the rest. Then
//
//	|u.v - t_u.t_v| <= ρ_u ρ_v
//
// so it multiplies vectors of length r instead of F, and computes full products only for the few pairs that this bound cannot
// rule out. The result is the same as with full products, whatever the subspace. For images of one class the subspace fits
// well. If it does not, as for vectors with random directions, all vectors are multiplied in full (see project).
//
// A client's first vector is nearly the mean image of its class, and the nearest pair of two clients is usually the pair of
// their first vectors. So the full products of all first vectors are computed together, and other pairs seldom need a full
// product.
type projected struct {
	full   *mat.Dense // P x F
	low    *mat.Dense // P x r; full itself for small stacks
	rest   []float64  // ρ, P; nil for small stacks
	signed bool       // use the largest cosine, not the largest |cosine|

	first      *mat.Dense // for each client in each block of rows, its first vector in that block, B x F; nil for small stacks
	firstAt    []int      // row of first at which each block of rows begins
	products   *mat.Dense // products of the rows of first, from the block of rows productsOf on, with the vectors of that block
	productsOf int
}

// project returns the projection of stacked vectors (P x F), whose clients are given in ascending order.
func project(stack *mat.Dense, owner []int, signed bool) *projected {
	rows, f := stack.Dims()
	whole := &projected{full: stack, low: stack, signed: signed}
	p := &projected{full: stack, low: stack, signed: signed}
	if rows < projectRows || f < 4*projectRank {
		return p
	}
	sample := mat.NewDense(projectSample, f, nil)
	for k := range projectSample {
		sample.SetRow(k, stack.RawRowView(k*rows/projectSample))
	}
	var gram mat.SymDense
	gram.SymOuterK(1, sample)
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, true) {
		return p
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	q := mat.NewDense(projectRank, f, nil) // Q'
	q.Mul(vectors.Slice(0, projectSample, projectSample-projectRank, projectSample).T(), sample)
	for k := projectRank - 1; k >= 0; k-- { // the vectors of the largest eigenvalues come last
		if floats.Norm(q.RawRowView(k), 2) < 1e-6 {
			return p // the sample has few directions, so a subspace saves nothing
		}
		orthonormalise(q.RawRowView(k), q, k+1, projectRank)
	}
	p.low = mat.NewDense(rows, projectRank, nil)
	p.low.Mul(stack, q.T())
	p.rest = make([]float64, rows)
	parallel.For(rows, func(i int) {
		u, t := stack.RawRowView(i), p.low.RawRowView(i)
		p.rest[i] = math.Sqrt(max(0, floats.Dot(u, u)-floats.Dot(t, t))) + 1e-7 // with an allowance for rounding
	})
	if p.open(owner) > projectOpen {
		return whole
	}
	p.takeFirst(owner)
	return p
}

// takeFirst fills first and firstAt.
func (p *projected) takeFirst(owner []int) {
	rows, f := p.full.Dims()
	var first []int
	for from := 0; from < rows; from += blockRows {
		p.firstAt = append(p.firstAt, len(first))
		for _, r := range runs(owner[from:min(from+blockRows, rows)]) {
			first = append(first, from+r.from)
		}
	}
	p.firstAt, p.productsOf = append(p.firstAt, len(first)), -1
	p.products = new(mat.Dense)
	p.first = mat.NewDense(len(first), f, nil)
	for k, row := range first {
		p.first.SetRow(k, p.full.RawRowView(row))
	}
}

// begin implements pairAngles.
func (p *projected) begin(i0 int) {
	if b := i0 / blockRows; p.rest != nil && b != p.productsOf {
		from, to := p.firstAt[b], p.firstAt[b+1]
		p.productsOf = b
		p.products.Reset()
		p.products.Mul(view(p.first, from, p.firstAt[len(p.firstAt)-1]), view(p.first, from, to).T())
	}
}

// open returns the share of the pairs of vectors, among some pairs of clients, that the bound cannot rule out.
func (p *projected) open(owner []int) float64 {
	own := runs(owner)
	pairs, left := 0, 0
	for step := 1; step < len(own) && pairs < projectPairs; step = 2*step + 1 { // pairs of clients with near and distant numbers
		for i := 0; i+step < len(own) && pairs < projectPairs; i += 1 + len(own)/64 {
			a, b := own[i], own[i+step]
			highest := -1.0
			for k := a.from; k < a.to; k++ {
				for l := b.from; l < b.to; l++ {
					highest = max(highest, p.score(floats.Dot(p.full.RawRowView(k), p.full.RawRowView(l))))
				}
			}
			for k := a.from; k < a.to; k++ {
				for l := b.from; l < b.to; l++ {
					pairs++
					if p.score(floats.Dot(p.low.RawRowView(k), p.low.RawRowView(l)))+p.rest[k]*p.rest[l] > highest {
						left++
					}
				}
			}
		}
	}
	return float64(left) / max(float64(pairs), 1)
}

// score returns a value that is highest for the nearest pair.
func (p *projected) score(cosine float64) float64 {
	if p.signed {
		return cosine
	}
	return math.Abs(cosine)
}

func (p *projected) factor() *mat.Dense { return p.low }

// nearest implements pairAngles: it returns the smallest angle between two vectors. The block holds their products in the
// subspace.
func (p *projected) nearest(block *mat.Dense, i0, j0 int, a, b run) float64 {
	var cosine float64
	var s, t int
	if p.rest == nil {
		cosine, s, t = p.highest(block, a, b)
	} else {
		cosine, s, t = p.bounded(block, i0, j0, a, b)
	}
	x := angle(cosine, p.full.RawRowView(i0+s), p.full.RawRowView(j0+t))
	if cosine < 0 && !p.signed {
		return 180 - x
	}
	return x
}

// highest returns the product with the highest score in a part of a block, and its row and column.
func (p *projected) highest(block *mat.Dense, a, b run) (cosine float64, s, t int) {
	most := math.Inf(-1)
	for k := a.from; k < a.to; k++ {
		for l, x := range block.RawRowView(k)[b.from:b.to] {
			if score := p.score(x); score > most {
				cosine, most, s, t = x, score, k, b.from+l
			}
		}
	}
	return cosine, s, t
}

// bounded returns the cosine with the highest score between two clients. It starts from their first vectors, and then computes
// the other pairs that the bound cannot rule out, starting with the highest bound.
func (p *projected) bounded(block *mat.Dense, i0, j0 int, a, b run) (cosine float64, s, t int) {
	before := p.firstAt[p.productsOf]
	cosine, s, t = p.products.At(p.firstAt[j0/blockRows]-before+b.place, a.place), a.from, b.from
	most := p.score(cosine)
	k0, l0 := -1, -1 // the pair with the highest bound above the best score so far
	bound := most
	for k := a.from; k < a.to; k++ {
		rest := p.rest[j0+b.from : j0+b.to]
		for l, x := range block.RawRowView(k)[b.from:b.to] {
			if x = p.score(x) + p.rest[i0+k]*rest[l]; x > bound && (k != s || b.from+l != t) {
				bound, k0, l0 = x, k, b.from+l
			}
		}
	}
	if k0 < 0 {
		return cosine, s, t
	}
	try := func(k, l int) {
		if x := floats.Dot(p.full.RawRowView(i0+k), p.full.RawRowView(j0+l)); p.score(x) > most {
			cosine, most, s, t = x, p.score(x), k, l
		}
	}
	try(k0, l0)
	for k := a.from; k < a.to; k++ {
		for l, row := b.from, block.RawRowView(k); l < b.to; l++ {
			if p.score(row[l])+p.rest[i0+k]*p.rest[j0+l] > most && (k != k0 || l != l0) && (k != a.from || l != b.from) {
				try(k, l)
			}
		}
	}
	return cosine, s, t
}
