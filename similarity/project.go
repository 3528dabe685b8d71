package similarity

import (
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	projectRows   = 1024 // stacks with fewer vectors are multiplied as they are
	projectSample = 192  // vectors that the subspace is fitted to
	projectRank   = 32   // its dimension r

	// projectPairs is the number of pairs of vectors whose bound is looked at before it is relied on, and projectOpen the
	// share of them, at most, that it may leave open: a product that is made alone costs several times its part of a
	// whole block's. Two clients' nearest pair is always left open: 1 in 9 pairs of 3 vectors each.
	projectPairs = 20000
	projectOpen  = 0.25
)

// projected finds the nearest of many vectors without most of the work: with t = Q'u the part of u in a subspace
// (Q: F x r, orthonormal) and ρ = |u - Q t| the rest,
//
//	|u.v - t_u.t_v| <= ρ_u ρ_v
//
// so the product needs only r of the F entries, and full products only the few pairs that this bound cannot rule out.
// The answer is that of the full product, whatever the subspace; images of one class make it a good one. Where it is not,
// as for vectors of random directions, everything is multiplied (project).
//
// A client's first vector is its class's mean image, nearly, and the nearest pair of two clients is most often that of
// their first vectors. So these are multiplied with each other whole, in one product, and seldom any other pair is.
type projected struct {
	full   *mat.Dense // P x F
	low    *mat.Dense // P x r; full itself for small stacks
	rest   []float64  // ρ, P; nil for small stacks
	signed bool       // the largest cosine, not the largest |cosine|

	first      *mat.Dense // of each client in each block of rows the first vector there, B x F; nil for small stacks
	firstAt    []int      // where in first each block of rows begins
	products   *mat.Dense // of first, from the block of rows productsOf on, and the vectors of that block
	productsOf int
}

// project takes the stacked vectors (P x F) and their clients, ascending.
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
	for k := projectRank - 1; k >= 0; k-- { // the largest come last
		if floats.Norm(q.RawRowView(k), 2) < 1e-6 {
			return p // a sample of few directions: not worth a subspace
		}
		orthonormalise(q.RawRowView(k), q, k+1, projectRank)
	}
	p.low = mat.NewDense(rows, projectRank, nil)
	p.low.Mul(stack, q.T())
	p.rest = make([]float64, rows)
	parallel.For(rows, func(i int) {
		u, t := stack.RawRowView(i), p.low.RawRowView(i)
		p.rest[i] = math.Sqrt(max(0, floats.Dot(u, u)-floats.Dot(t, t))) + 1e-7 // and rounding
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

// open returns the share of the pairs of vectors, of some pairs of clients, that the bound leaves to a full product.
func (p *projected) open(owner []int) float64 {
	own := runs(owner)
	pairs, left := 0, 0
	for step := 1; step < len(own) && pairs < projectPairs; step = 2*step + 1 { // clients near in number and far
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

// score is what the nearest pair has most of.
func (p *projected) score(cosine float64) float64 {
	if p.signed {
		return cosine
	}
	return math.Abs(cosine)
}

func (p *projected) factor() *mat.Dense { return p.low }

// nearest implements pairAngles: the smallest angle between two vectors. The block holds their products in the subspace.
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

// highest returns the product of the highest score in a part of a block.
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

// bounded returns the cosine of the highest score of two clients: that of their first vectors, or of another pair that the
// bound leaves open, the most promising one first.
func (p *projected) bounded(block *mat.Dense, i0, j0 int, a, b run) (cosine float64, s, t int) {
	before := p.firstAt[p.productsOf]
	cosine, s, t = p.products.At(p.firstAt[j0/blockRows]-before+b.place, a.place), a.from, b.from
	most := p.score(cosine)
	k0, l0 := -1, -1 // of the highest bound above that
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
