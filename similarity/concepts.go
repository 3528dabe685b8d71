package similarity

import (
	"feddag/similarity/agreement"
	"slices"

	"gonum.org/v1/gonum/mat"
)

const (
	// conceptGap is by how many degrees two clusters' images of a class must be farther from each other than from those
	// of their own cluster to be of different things. On Fashion-MNIST it is -2..5 for clusters of one concept and 22..28
	// for clusters of two (docs/clustering.md, benchmarks/concepts.py).
	conceptGap = 10
	// rareClass is the share of a cluster's clients below which the holders of a class do not make it the cluster's.
	rareClass = 0.1
)

// withinConcepts returns the place of a candidate coarser than the chosen one where clients name the same images
// differently (concept shift). A rule that looks at A alone splits such clients by their labels as well, which A holds too.
// Here the choice goes to fewer clusters while of those that merge one has all classes of the other and they mean the same
// by them, up to the first that do not mean the same. Where there are none such, or clusters that each have classes of
// their own come first, the choice stays: label skew is for the rule to judge. Candidates are cuts of one tree.
func (s *Choice) withinConcepts(chosen int, angles []*HeldAngles) int {
	clusters, n := s.Candidates[chosen].Clusters, angles[0].Clients()
	v := viewClasses(clusters, n, angles)
	groups := make([][]int, len(clusters)) // each candidate's clusters, as unions of the chosen one's
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

// classView is what Z clusters have in C classes. Its methods take unions of clusters.
type classView struct {
	sizes   []float64    // clients; Z
	holders [][]float64  // of each class, the clients that hold it; C x Z
	angles  []*mat.Dense // of each class, V'_c summed over the pairs of holders of two clusters (pairSums); C x Z x Z
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

// covers says whether a has all classes that b has.
func (v *classView) covers(a, b []int) bool {
	has := func(g []int, c int) bool { return total(v.holders[c], g) > rareClass*total(v.sizes, g) }
	for c := range v.holders {
		if has(b, c) && !has(a, c) {
			return false
		}
	}
	return true
}

// gap returns how much larger, in degrees, the angles across a and b are than those within either: the mean over the
// classes, by their pairs across. A class without a pair across or within says nothing; without any the gap is 0.
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

// total adds up some entries.
func total(x []float64, some []int) (sum float64) {
	for _, k := range some {
		sum += x[k]
	}
	return sum
}
