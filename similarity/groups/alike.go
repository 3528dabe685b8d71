package groups

import (
	"math"
	"slices"

	"feddag/internal/matching"
	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
)

const (
	sameShare   = 0.9 // smallest share of images with a counterpart at which two clusters can have similar images
	fewForPrior = 8   // with fewer clients, the noise of the images also counts, in addition to the noise between the clients
	nameCredit  = 3   // standard deviations by which different labels must fit better than equal labels
)

// ClassPair is a class of one cluster and a class of another cluster that are of the same kind.
type ClassPair struct {
	A        int     `json:"a"`        // class of one cluster
	B        int     `json:"b"`        // class of the other
	Distance float64 `json:"distance"` // distance of their means, in standard deviations of one image
}

// renamed reports whether the two classes have different labels.
func (p ClassPair) renamed() bool { return p.A != p.B }

// Likeness says how similar the images of two clusters are, whatever their labels.
type Likeness struct {
	A       int         `json:"a"` // A and B are the clusters
	B       int         `json:"b"`
	Same    bool        `json:"same"`    // nine tenths of the images or more are in pairs, and no test rejects at Options.Alpha
	Renamed bool        `json:"renamed"` // a pair has different labels
	Share   float64     `json:"share"`   // share of the images of both clusters that are in paired classes
	P       float64     `json:"p"`       // p-value of "with these labels, the images of every class have the same distribution"
	Pairs   []ClassPair `json:"pairs"`   // classes of the same kind, ordered by A
}

// Likenesses compares each pair of clusters that have members, ordered by A and then B. Its cost grows with the square of the
// number of clusters. The classes of two clusters are matched one to one with the smallest sum of squared distances (see
// [kinds]). Equal labels have a credit of three standard deviations, so that noise alone does not match different labels. A pair
// is of the same kind if its distance, minus the difference that all pairs have in common, is below half of the distance between
// a class and its nearest neighbour.
//
// Then the classes of b get the labels of a, and a test decides whether all members of both draw every class from one
// distribution. The axis from a to b is learnt on one half of the images and tested on the other, as in [pValue]. There are six
// tests, so p is six times the smallest p-value. Because the matching makes the clusters as similar as possible, the test rejects
// too rarely rather than too often.
func (r *Roster) Likenesses() []Likeness {
	k := r.kinds()
	var all []Likeness
	r.pairs(func(a, b int) { all = append(all, r.alike(k, a, b)) })
	return all
}

// pairs calls do for each pair a < b of clusters that have members.
func (r *Roster) pairs(do func(a, b int)) {
	for a, members := range r.Clusters {
		for b := a + 1; b < len(r.Clusters); b++ {
			if len(members) > 0 && len(r.Clusters[b]) > 0 {
				do(a, b)
			}
		}
	}
}

func (r *Roster) alike(k *kinds, a, b int) Likeness {
	x := Likeness{A: a, B: b, Pairs: k.pairs(a, b), P: 1}
	paired := 0.
	for _, p := range x.Pairs {
		paired += k.whole.weight(a, p.A) + k.whole.weight(b, p.B)
		x.Renamed = x.Renamed || p.renamed()
	}
	x.Share = paired / max(sumOf(k.whole.weights(a))+sumOf(k.whole.weights(b)), 1)
	if len(x.Pairs) > 0 {
		p := r.pairPValues(a, b, x.Pairs)
		x.P = slices.Min(p[:])
	}
	x.Same = x.Share >= sameShare && x.P > r.options.Alpha
	return x
}

// pairs returns the pairs of classes of clusters a and b that are of the same kind, see [Roster.Likenesses].
func (k *kinds) pairs(a, b int) []ClassPair {
	var ofA, ofB []int
	for c := range k.whole.classes {
		if k.holds(a, c) {
			ofA = append(ofA, c)
		}
		if k.holds(b, c) {
			ofB = append(ofB, c)
		}
	}
	if len(ofA) == 0 || len(ofB) == 0 {
		return nil
	}
	var matched []ClassPair
	shift, total := make([]float64, k.whole.d), 0.
	for i, j := range matching.Least(k.costs(a, b, ofA, ofB)) {
		if j < 0 {
			continue
		}
		c, e := ofA[i], ofB[j]
		matched = append(matched, ClassPair{c, e, math.Sqrt(max(k.square(a, c, b, e), 0))})
		v, w := k.whole.weight(a, c), k.whole.weight(b, e)
		h := v * w / (v + w)
		axpy(h, k.whole.mean(a, c), shift)
		axpy(-h, k.whole.mean(b, e), shift)
		total += h
	}
	scale(1/total, shift)
	common := 0.
	if len(matched) > 1 { // the class means of the two halves are not kept together, so the noise of the whole is subtracted
		common = dot(shift, shift)
	}
	var pairs []ClassPair
	for _, p := range matched {
		own := p.Distance * p.Distance
		if common > 0 { // |delta - shift|^2 = |delta|^2 - 2 <delta, shift> + |shift|^2
			own += common - 2*(dot(k.whole.mean(a, p.A), shift)-dot(k.whole.mean(b, p.B), shift))
		}
		if own <= max(k.near/4, nameCredit*k.deviation(a, p.A, b, p.B)) {
			pairs = append(pairs, p)
		}
	}
	return pairs
}

// pairPValues returns the p-values of "with the labels of these pairs, the members of clusters a and b draw every class from one
// distribution", see [sidesPValues].
func (r *Roster) pairPValues(a, b int, pairs []ClassPair) [tests / Halves]float64 {
	f := r.finder()
	var side, who []int
	for k, z := range []int{a, b} {
		for _, i := range r.Clusters[z] {
			if sumOf(f.all.weights(i)) > 0 {
				who, side = append(who, i), append(side, k)
			}
		}
	}
	var halves [Halves]*table
	for h := range halves {
		from := f.whiteHalves[h]
		halves[h] = newTable(len(who), from.classes, from.d)
		for m, i := range who {
			for _, p := range pairs {
				c := p.A
				if side[m] == 1 {
					c = p.B
				}
				halves[h].n[m*from.classes+p.A] = from.weight(i, c)
				copy(halves[h].mean(m, p.A), from.mean(i, c))
			}
		}
	}
	return sidesPValues(halves, side, r.options.Prior, f.metric.noise)
}

// sidesPValues returns the p-values of "all rows draw every class from one distribution" against a given division, for each view
// in the order of imageViews. Each is six times the smaller p-value of the two halves that learn the axis, at most 1. There are
// six tests, so each of the three p-values is corrected for all of them.
func sidesPValues(halves [Halves]*table, side []int, prior float64, noise mat.Symmetric) [tests / Halves]float64 {
	if len(side) < fewForPrior {
		prior = max(prior, priorClients)
	}
	loud := loudness(halves, noise)
	var p [tests]float64
	parallel.For(tests, func(k int) {
		h, view := k%Halves, imageViews[k/Halves]
		p[k] = pValueOf(side, axisBetween(halves[h], side, view), halves[1-h], view, prior, noise, loud)
	})
	var least [tests / Halves]float64
	for v := range least {
		least[v] = min(1, tests*min(p[Halves*v], p[Halves*v+1]))
	}
	return least
}

// axisBetween returns the axis from the rows of side 0 to the rows of side 1 in a view, see [split].
func axisBetween(t *table, side []int, view View) axis {
	if view == Concept {
		t = t.withoutStyle()
	}
	mu, x := t.centres(side, 2), axis{t.d, make([]float64, t.classes*t.d)}
	common, total := make([]float64, t.d), 0.
	for c := range t.classes {
		v, w := mu.weight(0, c), mu.weight(1, c)
		if v == 0 || w == 0 {
			continue
		}
		axpy(1, mu.mean(1, c), x.class(c))
		axpy(-1, mu.mean(0, c), x.class(c))
		axpy(v*w/(v+w), x.class(c), common)
		total += v * w / (v + w)
	}
	if view == Common {
		for c := range t.classes {
			if mu.weight(0, c) > 0 && mu.weight(1, c) > 0 {
				copy(x.class(c), common)
				scale(1/max(total, 1e-30), x.class(c))
			}
		}
	}
	return x
}

// LikeImages returns a function that reports whether two clusters with members hold similar images, whatever they call them: whether
// their [Likeness] is the same.
func (r *Roster) LikeImages() func(a, b int) bool {
	k := r.kinds()
	return func(a, b int) bool { return r.alike(k, a, b).Same }
}

// Bodies returns lists of clusters that hold similar images, whatever they call them, see [Join]. Clusters without members are in no
// list. The cost grows with the square of the number of clusters.
func (r *Roster) Bodies() [][]int {
	var all []int
	for z, members := range r.Clusters {
		if len(members) > 0 {
			all = append(all, z)
		}
	}
	return Join(nil, all, r.LikeImages())
}

// Join adds clusters to lists of clusters, and returns the lists. A cluster joins the first list with every cluster of which it is
// the same, or begins a list.
func Join(lists [][]int, clusters []int, same func(a, b int) bool) [][]int {
	joined := make([][]int, len(lists))
	for i, list := range lists {
		joined[i] = slices.Clone(list)
	}
	for _, z := range clusters {
		i := slices.IndexFunc(joined, func(list []int) bool {
			return !slices.ContainsFunc(list, func(y int) bool { return !same(y, z) })
		})
		if i < 0 {
			joined = append(joined, []int{z})
		} else {
			joined[i] = append(joined[i], z)
		}
	}
	return joined
}
