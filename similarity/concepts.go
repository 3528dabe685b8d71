package similarity

import (
	"feddag/similarity/agreement"
	"slices"

	"gonum.org/v1/gonum/mat"
)

const (
	// conceptGap is a number of degrees. The images of a class in two clusters count as different if they are farther from
	// each other than from the images of their own cluster by more than this. On Fashion-MNIST the gap is -2..5 for clusters
	// of one concept and 22..28 for clusters of two concepts (benchmarks/concepts.py).
	conceptGap = 10
	// rareClass is the share of a cluster's clients that must hold a class for the class to count as a class of the cluster.
	rareClass = 0.1
)

// withinConcepts looks for concept shift, where clients label the same images differently, and returns the index of the
// candidate to choose instead of the chosen one. A rule that uses only A also splits the clients of one concept by their
// labels, because A depends on these too. So withinConcepts moves to candidates with fewer clusters, one merge after another.
// It continues while one of the merging clusters has all classes of the other and both label the same images alike, and it
// stops before the first merge of two clusters that label them differently. It returns the chosen candidate if there is no
// merge of clusters that label images differently, or if a merge of clusters that each have classes which the other lacks
// comes first, because then the clusters differ by label skew, which the rule takes into account. The candidates must be cuts
// of one tree.
func (s *Choice) withinConcepts(chosen int, angles []*HeldAngles) int {
	clusters, n := s.Candidates[chosen].Clusters, angles[0].Clients()
	v := viewClasses(clusters, n, angles)
	groups := make([][]int, len(clusters)) // clusters of a candidate, as unions of the clusters of the chosen candidate
	for z := range groups {
		groups[z] = []int{z}
	}
	for k := chosen; k > 0; k-- {
		coarse := s.Candidates[k-1].Clusters
		into, merged := agreement.Labels(coarse, n), make([][]int, len(coarse))
		for _, g := range groups {
			z := into[clusters[g[0]][0]]
			if merged[z] != nil {
				if !v.covers(merged[z], g) && !v.covers(g, merged[z]) {
					return chosen
				}
				if v.gap(merged[z], g) > conceptGap {
					return k
				}
			}
			merged[z] = slices.Concat(merged[z], g)
		}
		groups = merged
	}
	return chosen
}

// classView describes the data of Z clusters in each of C classes. Its methods take unions of clusters.
type classView struct {
	sizes   []float64    // number of clients; Z
	holders [][]float64  // number of clients that hold each class; C x Z
	angles  []*mat.Dense // for each class, V'_c summed over the pairs of holders in two clusters (pairSums); C x Z x Z
}

func viewClasses(clusters [][]int, n int, angles []*HeldAngles) *classView {
	v := new(classView)
	for _, members := range clusters {
		v.sizes = append(v.sizes, float64(len(members)))
	}
	labels := agreement.Labels(clusters, n)
	for _, h := range angles {
		holders := make([]float64, len(clusters))
		for _, i := range h.holders {
			holders[labels[i]]++
		}
		v.holders = append(v.holders, holders)
		v.angles = append(v.angles, h.pairSums(labels, len(clusters), func(degrees float64) float64 { return degrees }))
	}
	return v
}

// covers reports whether a has all classes that b has.
func (v *classView) covers(a, b []int) bool {
	has := func(g []int, c int) bool { return total(v.holders[c], g) > rareClass*total(v.sizes, g) }
	for c := range v.holders {
		if has(b, c) && !has(a, c) {
			return false
		}
	}
	return true
}

// gap returns the number of degrees by which the angles between a and b are larger than the angles within each of them. It is
// the mean over the classes, weighted by the number of pairs between a and b. A class without a pair between them, or without
// a pair within them, is left out. If all classes are left out, the gap is 0.
func (v *classView) gap(a, b []int) float64 {
	var sum, pairs float64
	for c, held := range v.holders {
		sums := func(p, q []int) (x float64) {
			for _, y := range p {
				for _, z := range q {
					x += v.angles[c].At(y, z)
				}
			}
			return x
		}
		p, q := total(held, a), total(held, b)
		across, within := p*q, p*(p-1)/2+q*(q-1)/2
		if across > 0 && within > 0 {
			sum += sums(a, b) + sums(b, a) - across*(sums(a, a)+sums(b, b))/within
			pairs += across
		}
	}
	if pairs == 0 {
		return 0
	}
	return sum / pairs
}

// total returns the sum of some entries of x.
func total(x []float64, some []int) (sum float64) {
	for _, k := range some {
		sum += x[k]
	}
	return sum
}
