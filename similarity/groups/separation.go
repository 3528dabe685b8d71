package groups

import (
	"fmt"
	"math"
	"slices"
)

// Separation says what separates clusters A and B, indices of the clusters, A < B.
type Separation struct {
	A, B int
	View View // "" if a test of their union does not reject
	// P is the p-value of the test of the union in that view, six times the smaller of two, at most 1. It is NaN for labels,
	// which a code separates and no test.
	P float64
}

// Separation returns what separates clusters a and b, indices of Clusters.
func (r *Result) Separation(a, b int) (Separation, error) {
	if a < 0 || b < 0 || a >= len(r.Clusters) || b >= len(r.Clusters) || a == b {
		return Separation{}, fmt.Errorf("clusters %d and %d: there are clusters 0 to %d, and two different ones are compared", a, b, len(r.Clusters)-1)
	}
	a, b = min(a, b), max(a, b)
	if r.label[r.Clusters[a][0]] != r.label[r.Clusters[b][0]] {
		return Separation{a, b, Labels, math.NaN()}, nil
	}
	var sides [2][]int
	for k, z := range []int{a, b} {
		for _, i := range r.Clusters[z] {
			if r.place[i] >= 0 {
				sides[k] = append(sides[k], r.place[i])
			}
		}
	}
	x := r.finder.rejects(slices.Concat(sides[0], sides[1]))
	if x.view != "" {
		x = r.finder.name(sides, x)
	}
	return Separation{a, b, x.view, min(x.p, 1)}, nil
}

// name names what separates two groups whose union was rejected. The view "class-wise" rejects whenever another one does, and often is
// the surest, so it says little. With d_c the difference of the groups' means of class c, in each half of the images A and B, and
// weights h_c = w_1c w_2c / (w_1c + w_2c), the separation and what all classes have in common of it are
//
//	S = sum_c h_c <d_c^A, d_c^B>,    S' = sum_c h_c <d^A, d^B>,    d = sum_c h_c d_c / sum_c h_c
//
// without a bias, because the halves have no noise in common. The name is
//
//   - "common" if that view rejects at the level and S' is at least half of S;
//   - otherwise "concept" if that view rejects at the level and S' is at most half of S;
//   - otherwise the surest view.
func (f *finder) name(sides [2][]int, surest rejection) rejection {
	both := slices.Concat(sides[0], sides[1])
	found := map[View]rejection{}
	for _, r := range f.test(both) {
		found[r.view] = r
	}
	common, all := f.separation(sides)
	level := f.level(both)
	switch {
	case found[Common].p <= level && common >= all/2:
		return found[Common]
	case found[Concept].p <= level && common <= all/2:
		return found[Concept]
	}
	return surest
}

// separation returns S' and S of two groups, see [finder.name].
func (f *finder) separation(sides [2][]int) (common, all float64) {
	classes, d := f.white.classes, f.white.d
	var weights [2]*table
	for k, who := range sides {
		weights[k] = f.white.pick(who).centre()
	}
	var difference [Halves]*table // d_c; weight h_c
	for h := range difference {
		a, b := f.whiteHalves[h].pick(sides[0]).centre(), f.whiteHalves[h].pick(sides[1]).centre()
		difference[h] = newTable(1, classes, d)
		for c := range classes {
			if v, w := weights[0].weight(0, c), weights[1].weight(0, c); a.weight(0, c) > 0 && b.weight(0, c) > 0 {
				difference[h].n[c] = v * w / (v + w)
				axpy(1, b.mean(0, c), difference[h].mean(0, c))
				axpy(-1, a.mean(0, c), difference[h].mean(0, c))
			}
		}
	}
	sum, means := 0., [Halves][]float64{make([]float64, d), make([]float64, d)}
	for c := range classes {
		h := min(difference[0].weight(0, c), difference[1].weight(0, c)) // 0 where a half lacks the class
		sum += h
		all += h * dot(difference[0].mean(0, c), difference[1].mean(0, c))
		for k := range means {
			axpy(h, difference[k].mean(0, c), means[k])
		}
	}
	return dot(means[0], means[1]) / max(sum, 1e-30), all
}

// Separations returns what separates each pair of clusters, by A and then B. Its cost grows with the square of their number.
func (r *Result) Separations() []Separation {
	var all []Separation
	for a := range r.Clusters {
		for b := a + 1; b < len(r.Clusters); b++ {
			s, _ := r.Separation(a, b) // The pair exists, so there is no error.
			all = append(all, s)
		}
	}
	return all
}
