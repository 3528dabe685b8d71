package groups

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	changeTests = 4  // number of tests: two halves learn, in two views
	changeHits  = 20 // a simulated test ends when this number of draws are as extreme as the observation
	changeNamed = 3  // largest number of classes that are named
	mostMates   = 100
)

// Change is the result of the test that compares a client's old and new sketch.
type Change struct {
	// P is the p-value of "the distribution of the images has not changed". If that is true, P <= alpha with probability at most
	// alpha.
	P       float64
	Labels  float64 // p-value of "the shares of the classes are the same"
	Images  float64 // p-value of "the images of each class are the same": four times the smallest of four, at most 1
	View    View    // view with the smallest p-value: Labels, ClassWise or Common
	Classes []int   // classes whose means differ most, at most three, in descending order of the difference
	Only    []int   // classes of the new sketch that the old one lacks
}

// Changed tests whether the distribution of a client's images is the same as when it sent its sketch, given a new sketch. There
// are two tests, and P is twice the smaller p-value.
//
// Labels. Given the total class counts of both sketches and the number of images of each, every division of the images is equally
// likely if the shares are the same. The p-value is the share of simulated divisions whose G is at least as large (see [gTest]).
//
// Images. delta_c = old - new mean of class c, in the metric of the roster, on each half of the images. On one half h the axis is
// learnt, a_c = delta_c (ClassWise) or a_c = sum_c k_c delta_c / sum_c k_c for all classes (Common), and the other half is
// projected on it:
//
//	u = sum_c k_c <delta_c, a_c>,   t = u / sqrt(level sum_c k_c kappa_c),   k_c = n_c m_c / (n_c + m_c)
//	kappa_c = (10 loud_c a_c' S a_c + sum_j h_jc <m_jc0 - m_jc1, a_c>^2) / (10 + J_c),  h_jc = n_jc0 n_jc1 / n_jc
//
// with n_c and m_c images in the half of the old and the new sketch. J_c other members j of its cluster have class c in both
// halves. The noise of their images is like the noise of the client's images, whatever their styles. loud_c is the factor of a
// class, see [loudness]. level is the noise of the client as a multiple of the noise of its cluster. It is estimated from a
// quantity that is independent of both delta_c: the difference r_c between the halves of old and new images taken together,
//
//	level = (g + sum_c q_c |r_c|^2) / (g + sum_c g_c),   g_c = loud_c tr S, g their mean,  1/q_c = 1/(n_c0 + m_c0) + 1/(n_c1 + m_c1)
//
// (The separate differences between the halves of the old and of the new images are larger if <delta_c0, delta_c1> is smaller.
// With them, 1.3% of the unchanged clients had p <= 1%.) t has Student's distribution with the degrees of freedom of
// Satterthwaite's formula.
//
// A client that had no images has changed once it has one (P is 0). If it has no images now, nothing can be tested (P is 1).
func (r *Roster) Changed(client int, now *Sketch) (Change, error) {
	if err := r.checkClients([]int{client}, false); err != nil {
		return Change{}, fmt.Errorf("test for a change: %w", err)
	}
	if err := r.checkNewcomers([]*Sketch{now}); err != nil {
		return Change{}, fmt.Errorf("test for a change of client %d: %w", client, err)
	}
	f, after := r.finder(), r.finderOf([]*Sketch{now})
	x := Change{P: 1, Labels: 1, Images: 1}
	old, new := f.all.weights(client), after.all.weights(0)
	for c := range new {
		if new[c] > 0 && old[c] == 0 {
			x.Only = append(x.Only, c)
		}
	}
	if sumOf(new) == 0 {
		return x, nil
	}
	if sumOf(old) == 0 {
		return Change{Labels: 0, Images: 1, View: Labels, Only: x.Only}, nil
	}
	keys := []uint64{uint64(client)} // the counts are keys too, so that no two tests share their draws
	for c := range new {
		keys = append(keys, uint64(old[c]), uint64(new[c]))
	}
	x.Labels = gTest(old, new, r.options.Alpha/2, stream.New(r.options.Seed, "groups: change of labels", keys...))
	d := newDifference(f, client, after, r.mates(client))
	x.View = Labels
	for _, view := range []View{ClassWise, Common} {
		for h := range Halves {
			if p := changeTests * d.pValue(view, h); p < x.Images {
				x.Images = p
				if p < x.Labels {
					x.View = view
				}
			}
		}
	}
	x.P, x.Classes = min(1, 2*x.Labels, 2*x.Images), d.largest()
	return x, nil
}

// mates returns other members of a client's cluster, at most 100, which are enough to estimate the noise: the members that follow
// it in the list, and then those at the beginning of the list.
func (r *Roster) mates(client int) []int {
	for _, members := range r.Clusters {
		if at := slices.Index(members, client); at >= 0 {
			others := slices.Concat(members[at+1:], members[:at])
			return others[:min(len(others), mostMates)]
		}
	}
	return nil
}

// difference compares two rows of the class means, the old sketch of a client and the new one.
type difference struct {
	f       *finder
	delta   [Halves]*table // one row: old - new mean of each class that both sketches have in the half, with weight k_c
	mates   [Halves]*table // the other members of the cluster
	loud    []float64
	level   float64 // see [Roster.Changed]
	freedom float64 // degrees of freedom of level
}

// newDifference compares row old of f with the only row of after.
func newDifference(f *finder, old int, after *finder, mates []int) *difference {
	d := &difference{f: f}
	var sums [Halves]*table // one row: the mean of old and new images, with weight n_c + m_c
	for h := range Halves {
		d.mates[h] = f.whiteHalves[h].pick(mates)
		x, y := f.whiteHalves[h].pick([]int{old}), after.whiteHalves[h]
		d.delta[h], sums[h] = newTable(1, x.classes, x.d), newTable(1, x.classes, x.d)
		for c := range x.classes {
			n, m := x.weight(0, c), y.weight(0, c)
			if n > 0 && m > 0 {
				d.delta[h].n[c] = n * m / (n + m)
				axpy(1, x.mean(0, c), d.delta[h].mean(0, c))
				axpy(-1, y.mean(0, c), d.delta[h].mean(0, c))
			}
			sums[h].n[c] = n + m
			axpy(n/max(n+m, 1), x.mean(0, c), sums[h].mean(0, c))
			axpy(m/max(n+m, 1), y.mean(0, c), sums[h].mean(0, c))
		}
	}
	d.loud = loudness(d.mates, f.metric.noise)
	trace := max(mat.Trace(f.metric.noise), 1e-30)
	mean := sumOf(d.loud) / float64(len(d.loud)) * trace
	gap, expected, classes := mean, mean, 1.
	for c := range d.loud {
		if n, m := sums[0].weight(0, c), sums[1].weight(0, c); n > 0 && m > 0 {
			gap += n * m / (n + m) * squareDistance(sums[0].mean(0, c), sums[1].mean(0, c))
			expected += d.loud[c] * trace
			classes++
		}
	}
	d.level, d.freedom = gap/expected, classes*spanned(f.metric.noise)
	return d
}

// pValue returns the p-value of "the means are the same" in a view, with the axis learnt on half h. It is 1 if no class can be
// compared.
func (d *difference) pValue(view View, h int) float64 {
	learn, check := d.delta[h], d.delta[1-h]
	common := make([]float64, learn.d)
	for c, k := range learn.weights(0) {
		axpy(k/max(sumOf(learn.weights(0)), 1e-30), learn.mean(0, c), common)
	}
	u, variance, square := 0., 0., 0.
	for c, k := range check.weights(0) {
		if k == 0 || learn.weight(0, c) == 0 {
			continue
		}
		a := common
		if view == ClassWise {
			a = learn.mean(0, c)
		}
		kappa, freedom := d.noise(c, a)
		part := k * d.level * kappa
		u += k * dot(check.mean(0, c), a)
		variance += part
		square += part * part / freedom
	}
	if variance <= 0 {
		return 1
	}
	freedom := 1 / (square/(variance*variance) + 1/d.freedom)
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.Survival(u / math.Sqrt(variance))
}

// noise returns kappa_c, the variance of an image of class c along a, and its degrees of freedom.
func (d *difference) noise(c int, a []float64) (kappa, freedom float64) {
	direction := mat.NewVecDense(len(a), a)
	sum, freedom := priorClients*d.loud[c]*mat.Inner(direction, d.f.metric.noise, direction), float64(priorClients)
	for j := range d.mates[0].rows {
		if n, m := d.mates[0].weight(j, c), d.mates[1].weight(j, c); n > 0 && m > 0 {
			gap := dot(d.mates[0].mean(j, c), a) - dot(d.mates[1].mean(j, c), a)
			sum += n * m / (n + m) * gap * gap
			freedom++
		}
	}
	return sum / freedom, freedom
}

// largest returns the classes with the largest product of the differences in both halves, in which the noise cancels.
func (d *difference) largest() []int {
	var classes []int
	part := make([]float64, d.delta[0].classes)
	for c := range part {
		part[c] = math.Sqrt(d.delta[0].weight(0, c)*d.delta[1].weight(0, c)) * dot(d.delta[0].mean(0, c), d.delta[1].mean(0, c))
		if part[c] > 0 {
			classes = append(classes, c)
		}
	}
	slices.SortStableFunc(classes, func(a, b int) int {
		switch {
		case part[a] > part[b]:
			return -1
		case part[a] < part[b]:
			return 1
		}
		return 0
	})
	return classes[:min(len(classes), changeNamed)]
}

// gTest returns the p-value of "two lists of class counts are drawn from the same shares". The statistic is
//
//	G = sum_c x_c ln x_c + y_c ln y_c    (up to terms that do not depend on the division of x_c + y_c)
//
// Divisions of the images into two lists of these sizes are drawn until 20 have at least this G, p = 20 / draws, or until there
// are enough draws for a p-value far below the level, p = (1 + hits) / (1 + draws). Both have exactly the stated level (J. Besag
// and P. Clifford, Sequential Monte Carlo p-values, Biometrika 1991).
func gTest(x, y []float64, level float64, random *rand.Rand) float64 {
	draws := int(min(10/level, 1e6))
	n, all := sumOf(x), sumOf(x)+sumOf(y)
	factorials, terms := []float64{0}, []float64{0} // ln k! and k ln k for all counts that can occur
	for k := 1.; k <= all; k++ {
		factorials = append(factorials, factorials[len(factorials)-1]+math.Log(k))
		terms = append(terms, k*math.Log(k))
	}
	seen, hits := 0., 0
	for c := range x {
		seen += terms[int(x[c])] + terms[int(y[c])]
	}
	for k := range draws {
		rest, take, statistic := all, n, 0.
		for c := range x {
			both := x[c] + y[c]
			left := hypergeometric(random, both, rest-both, take, factorials)
			statistic += terms[int(left)] + terms[int(both-left)]
			rest, take = rest-both, take-left
		}
		if statistic >= seen-1e-9*math.Abs(seen) {
			if hits++; hits == changeHits {
				return float64(hits) / float64(k+1)
			}
		}
	}
	return float64(hits+1) / float64(draws+1)
}

// hypergeometric draws n balls without replacement from good and bad ones, and returns the number of good balls. It searches from
// the most likely number outwards. factorials holds ln k! up to the number of all balls.
func hypergeometric(random *rand.Rand, good, bad, n float64, factorials []float64) float64 {
	least, most := max(0, n-bad), min(good, n)
	if least == most {
		return least
	}
	mode := min(max(math.Floor((n+1)*(good+1)/(good+bad+2)), least), most)
	choose := func(n, k float64) float64 { return factorials[int(n)] - factorials[int(k)] - factorials[int(n-k)] }
	top := math.Exp(choose(good, mode) + choose(bad, n-mode) - choose(good+bad, n))
	u := random.Float64() - top
	low, high, pLow, pHigh := mode, mode, top, top
	for u > 0 && (low > least || high < most) {
		if high < most {
			pHigh *= (good - high) * (n - high) / ((high + 1) * (bad - n + high + 1))
			high++
			if u -= pHigh; u <= 0 {
				return high
			}
		}
		if low > least {
			pLow *= low * (bad - n + low) / ((good - low + 1) * (n - low + 1))
			low--
			if u -= pLow; u <= 0 {
				return low
			}
		}
	}
	return mode
}
