package similarity

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"

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
type projected struct {
	full   *mat.Dense // P x F
	low    *mat.Dense // P x r; full itself for small stacks
	rest   []float64  // ρ, P; nil for small stacks
	signed bool       // the largest cosine, not the largest |cosine|
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
	for i := range rows {
		u, t := stack.RawRowView(i), p.low.RawRowView(i)
		p.rest[i] = math.Sqrt(max(0, floats.Dot(u, u)-floats.Dot(t, t))) + 1e-7 // and rounding
	}
	if p.open(owner) > projectOpen {
		return whole
	}
	return p
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
					highest = max(highest, p.score(p.cosine(k, l)))
				}
			}
			for k := a.from; k < a.to; k++ {
				for l := b.from; l < b.to; l++ {
					pairs++
					if p.score(floats.Dot(p.low.RawRowView(k), p.low.RawRowView(l)))+p.slack(k, l) > highest {
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
	score := p.score
	highest, s, t := math.Inf(-1), a.from, b.from // the most that a pair's cosine can be
	for k := a.from; k < a.to; k++ {
		for l, row := b.from, block.RawRowView(k); l < b.to; l++ {
			if bound := score(row[l]) + p.slack(i0+k, j0+l); bound > highest {
				highest, s, t = bound, k, l
			}
		}
	}
	cosine := block.At(s, t)
	if p.rest != nil {
		cosine = p.cosine(i0+s, j0+t)
		for k, s0, t0 := a.from, s, t; k < a.to; k++ {
			for l, row := b.from, block.RawRowView(k); l < b.to; l++ {
				if score(row[l])+p.slack(i0+k, j0+l) <= score(cosine) || k == s0 && l == t0 {
					continue
				}
				if x := p.cosine(i0+k, j0+l); score(x) > score(cosine) {
					cosine, s, t = x, k, l
				}
			}
		}
	}
	x := angle(cosine, p.full.RawRowView(i0+s), p.full.RawRowView(j0+t))
	if cosine < 0 && !p.signed {
		return 180 - x
	}
	return x
}

func (p *projected) slack(i, j int) float64 {
	if p.rest == nil {
		return 0
	}
	return p.rest[i] * p.rest[j]
}

func (p *projected) cosine(i, j int) float64 {
	return floats.Dot(p.full.RawRowView(i), p.full.RawRowView(j))
}

// parallel calls f(0) .. f(n-1), each once, on as many goroutines as there are processors.
func parallel(n int, f func(k int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wait.Go(func() {
			for k := int(next.Add(1)) - 1; k < n; k = int(next.Add(1)) - 1 {
				f(k)
			}
		})
	}
	wait.Wait()
}
