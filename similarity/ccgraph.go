package similarity

import (
	"cmp"
	"feddag/similarity/agreement"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// CCGraph returns the complementarity H (Z x Z) and the CC-graph (eq. 11-14). graph[p] has the sources q of learner p. These
// are at most topK, in descending order of H_pq, and in ascending order of q if these are equal.
//
//	r_i,c  rank of class c among the m_i classes that client i holds; the rarest has rank 0, and ties are ordered by class
//	d_p,c = Σ_{i in C_p holding c} (m_i - r_i,c)             demand
//	s_q,c = 1/|C_q| Σ_{i in C_q holding c} (r_i,c + 1)       supply
//	Γ_ijc = 1 - V'_ijc/90, clipped to 0..1                   alignment; Γ-_pqc is its mean over C_p x C_q
//	H_pq  = Σ_c d_p,c s_q,c Γ-_pqc,  H_pp = -inf             eq. 14; without alignment Γ- is 1 (eq. 12)
//
// counts are n_i,c (N x C). classAngles has V'_c between the N clients for each of the C classes. It is read only with
// alignment. With Z = 1 the graph is empty.
func CCGraph(counts [][]int, classAngles []*HeldAngles, clusters [][]int, topK int, alignment bool) (*mat.Dense, [][]int, error) {
	n, z := len(counts), len(clusters)
	if n == 0 {
		return nil, nil, fmt.Errorf("CC-graph: there are no clients")
	}
	if err := checkPartition(clusters, n); err != nil {
		return nil, nil, fmt.Errorf("CC-graph: %w", err)
	}
	if topK < 0 {
		return nil, nil, fmt.Errorf("CC-graph: top k is %d: use 0 or more", topK)
	}
	classes := len(counts[0])
	for i, row := range counts {
		if len(row) != classes {
			return nil, nil, fmt.Errorf("client %d has counts for %d classes, but client 0 has counts for %d", i, len(row), classes)
		}
	}
	if alignment {
		if len(classAngles) != classes {
			return nil, nil, fmt.Errorf("CC-graph: there are angles for %d classes, but counts for %d", len(classAngles), classes)
		}
		for c, angles := range classAngles {
			if angles.Clients() != n {
				return nil, nil, fmt.Errorf("CC-graph: class %d has angles for %d clients, but there are counts for %d", c, angles.Clients(), n)
			}
		}
	}

	demand, supply := demandSupply(counts, clusters)
	h := mat.NewDense(z, z, nil)
	for c := range classes {
		var mean *mat.Dense
		if alignment {
			mean = meanAlignment(classAngles[c], clusters)
		}
		for p := range z {
			for q := range z {
				x := demand[p][c] * supply[q][c]
				if alignment {
					x *= mean.At(p, q)
				}
				h.Set(p, q, h.At(p, q)+x)
			}
		}
	}
	graph := make([][]int, z)
	for p := range z {
		h.Set(p, p, math.Inf(-1))
		sources := make([]int, 0, z)
		for q := range z {
			if q != p {
				sources = append(sources, q)
			}
		}
		slices.SortStableFunc(sources, func(a, b int) int { return cmp.Compare(h.At(p, b), h.At(p, a)) })
		graph[p] = sources[:min(topK, len(sources))]
	}
	return h, graph, nil
}

// demandSupply returns d and s, each Z x C.
func demandSupply(counts [][]int, clusters [][]int) (demand, supply [][]float64) {
	for _, members := range clusters {
		d, s := make([]float64, len(counts[0])), make([]float64, len(counts[0]))
		for _, i := range members {
			var held []int
			for c, n := range counts[i] {
				if n > 0 {
					held = append(held, c)
				}
			}
			slices.SortStableFunc(held, func(a, b int) int { return cmp.Compare(counts[i][a], counts[i][b]) })
			for r, c := range held {
				d[c] += float64(len(held) - r)
				s[c] += float64(r+1) / float64(len(members))
			}
		}
		demand, supply = append(demand, d), append(supply, s)
	}
	return demand, supply
}

// meanAlignment returns Γ-_c (Z x Z), the mean of 1 - V'/90, clipped to 0..1, over the pairs of clients of two clusters. A pair
// in which neither client holds the class counts as 1, and a pair in which only one client holds it counts as 0.
func meanAlignment(angles *HeldAngles, clusters [][]int) *mat.Dense {
	labels := agreement.Labels(clusters, angles.Clients())
	lacking := make([]float64, len(clusters)) // number of clients without the class, by cluster
	for i, z := range labels {
		if angles.place[i] < 0 {
			lacking[z]++
		}
	}
	mean := angles.pairSums(labels, len(clusters), func(degrees float64) float64 { return min(max(1-degrees/90, 0), 1) })
	for p := range clusters {
		for q := range p {
			x := (mean.At(p, q) + mean.At(q, p) + lacking[p]*lacking[q]) / float64(len(clusters[p])*len(clusters[q]))
			mean.Set(p, q, x)
			mean.Set(q, p, x)
		}
	}
	return mean
}
