package similarity

import "slices"

const (
	// conceptGap is by how many degrees two clusters' images of a class must be farther from each other than from those
	// of their own cluster to be of different things. On Fashion-MNIST it is -2..5 for clusters of one concept and 20..31
	// for clusters of two (docs/clustering.md).
	conceptGap = 10
	// rareClass is the share of a cluster's clients below which the holders of a class do not make it the cluster's.
	rareClass = 0.1
)

// mergeWithinConcepts makes a choice among cuts coarser where clients name the same images differently (concept shift).
// A rule that looks at A alone splits such clients by their labels as well, which A holds too. Here the choice goes to
// fewer clusters while of those that merge one has all classes of the other and they mean the same by them, up to the
// first that do not mean the same. Where there are none such, or clusters that each have classes of their own come
// first, the choice stays: label skew is for the rule to judge.
func (s *Choice) mergeWithinConcepts(angles []*HeldAngles) {
	chosen := slices.IndexFunc(s.Candidates, func(c Candidate) bool { return c.Chosen })
	var clusters []*inClass
	for _, members := range s.Clusters {
		clusters = append(clusters, classesOf(angles, members))
	}
	for k := chosen; k > 0; k-- {
		merged := make([]*inClass, len(s.Candidates[k-1].Clusters))
		into := Labels(s.Candidates[k-1].Clusters, angles[0].Clients())
		for _, c := range clusters {
			z := into[c.members[0]]
			if merged[z] == nil {
				merged[z] = c
				continue
			}
			if !merged[z].covers(c) && !c.covers(merged[z]) {
				return
			}
			across := merged[z].across(c, angles)
			if across.gap(merged[z], c) > conceptGap {
				s.Candidates[chosen].Chosen = false
				s.choose(k)
				return
			}
			merged[z] = merged[z].with(c, across)
		}
		clusters = merged
	}
}

// inClass is what some clients, or the pairs of clients of two clusters, have in each class.
type inClass struct {
	members []int
	holders []float64 // clients that hold the class; C
	sum     []float64 // of V'_c over the pairs of which both do, degrees; C
	pairs   []float64 // their number; C
}

func (a *inClass) add(c int, angle float64) {
	a.sum[c] += angle
	a.pairs[c]++
}

// classesOf looks at the clients of one cluster.
func classesOf(angles []*HeldAngles, members []int) *inClass {
	n := len(angles)
	a := &inClass{members, make([]float64, n), make([]float64, n), make([]float64, n)}
	for c, h := range angles {
		for k, i := range members {
			if h.place[i] < 0 {
				continue
			}
			a.holders[c]++
			for _, j := range members[k+1:] {
				if h.place[j] >= 0 {
					a.add(c, h.At(i, j))
				}
			}
		}
	}
	return a
}

// across looks at the pairs of a client of a and one of b.
func (a *inClass) across(b *inClass, angles []*HeldAngles) *inClass {
	n := len(angles)
	x := &inClass{sum: make([]float64, n), pairs: make([]float64, n)}
	for c, h := range angles {
		for _, i := range a.members {
			if h.place[i] < 0 {
				continue
			}
			for _, j := range b.members {
				if h.place[j] >= 0 {
					x.add(c, h.At(i, j))
				}
			}
		}
	}
	return x
}

// with returns the union of two clusters.
func (a *inClass) with(b, across *inClass) *inClass {
	u := &inClass{members: slices.Concat(a.members, b.members)}
	for c := range a.sum {
		u.holders = append(u.holders, a.holders[c]+b.holders[c])
		u.sum = append(u.sum, a.sum[c]+b.sum[c]+across.sum[c])
		u.pairs = append(u.pairs, a.pairs[c]+b.pairs[c]+across.pairs[c])
	}
	return u
}

// covers says whether a has all classes that b has.
func (a *inClass) covers(b *inClass) bool {
	has := func(x *inClass, c int) bool { return x.holders[c] > rareClass*float64(len(x.members)) }
	for c := range a.holders {
		if has(b, c) && !has(a, c) {
			return false
		}
	}
	return true
}

// gap returns how much larger, in degrees, the angles across two clusters are than those within either: the mean over
// the classes, by their pairs across. A class without a pair across or within says nothing; without any the gap is 0.
func (x *inClass) gap(a, b *inClass) float64 {
	var sum, pairs float64
	for c, n := range x.pairs {
		if inside := a.pairs[c] + b.pairs[c]; n > 0 && inside > 0 {
			sum += n * (x.sum[c]/n - (a.sum[c]+b.sum[c])/inside)
			pairs += n
		}
	}
	if pairs == 0 {
		return 0
	}
	return sum / pairs
}
