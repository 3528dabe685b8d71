package groups

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
)

// CCGraph returns the complementarity H (Z x Z) and the CC-graph. graph[p] has the sources q of cluster p, at most topK, in
// descending order of H_pq; ties are ordered by q. A cluster is complementary to p if it has many images of the kinds that are
// rare in p, whatever their labels:
//
//	r_i,c  rank of class c among the m_i classes that client i holds; the rarest has rank 0, and ties are ordered by class
//	d_p,c = sum_{i in p holding c} (m_i - r_i,c)              demand
//	s_q,e = 1/N_q sum_{i in q holding e} (r_i,e + 1)          supply, N_q clients
//	G_pc,qe = 2^(-4 D^2 / near)                               alikeness, see [kinds]
//	H_pq  = sum_c sum_e d_p,c s_q,e G_pc,qe,  H_pp = -inf
//
// These are eq. 11 to 14 with distances of class means in the metric instead of principal angles, and with a sum over pairs of
// classes, because under a concept shift class c of p is not class c of q. If labels mean the same, G is about 1 for c = e and at
// most 1/16 for most other pairs, and H is only slightly larger than H of eq. 12. A cluster without members has no edges, and its
// scores are -inf.
func (r *Roster) CCGraph(topK int) (*mat.Dense, [][]int, error) {
	if topK < 0 {
		return nil, nil, fmt.Errorf("CC-graph: top k is %d: use 0 or more", topK)
	}
	k, z := r.kinds(), len(r.Clusters)
	demand, supply := r.demandSupply()
	h := mat.NewDense(z, z, nil)
	parallel.For(z, func(p int) {
		for q := range z {
			if p == q || len(r.Clusters[p]) == 0 || len(r.Clusters[q]) == 0 {
				h.Set(p, q, math.Inf(-1))
				continue
			}
			sum := 0.
			for c, d := range demand[p] {
				for e, s := range supply[q] {
					if d > 0 && s > 0 {
						sum += d * s * k.alike(p, c, q, e)
					}
				}
			}
			h.Set(p, q, sum)
		}
	})
	graph := make([][]int, z)
	for p := range z {
		sources := []int{}
		for q := range z {
			if !math.IsInf(h.At(p, q), -1) {
				sources = append(sources, q)
			}
		}
		slices.SortStableFunc(sources, func(a, b int) int { return cmp.Compare(h.At(p, b), h.At(p, a)) })
		graph[p] = sources[:min(topK, len(sources))]
	}
	return h, graph, nil
}

// demandSupply returns d and s, each Z x C, see [Roster.CCGraph].
func (r *Roster) demandSupply() (demand, supply [][]float64) {
	t := r.finder().all
	for _, members := range r.Clusters {
		d, s := make([]float64, t.classes), make([]float64, t.classes)
		for _, i := range members {
			var held []int
			for c, n := range t.weights(i) {
				if n > 0 {
					held = append(held, c)
				}
			}
			slices.SortStableFunc(held, func(a, b int) int { return cmp.Compare(t.weight(i, a), t.weight(i, b)) })
			for rank, c := range held {
				d[c] += float64(len(held) - rank)
				s[c] += float64(rank+1) / float64(len(members))
			}
		}
		demand, supply = append(demand, d), append(supply, s)
	}
	return demand, supply
}
