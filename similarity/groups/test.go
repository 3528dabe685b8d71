package groups

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// fewest is the smallest number of clients that are tested if the noise is estimated only from the differences between clients.
const fewest = 4

// tests is the number of tests of some clients: two halves on which the axis is learnt, in three views.
const tests = 6

// pValue returns the p-value of "every class of these clients is drawn from one distribution" in a view. learn and check are the
// two halves of their images, in the metric. The split g and its axis a_c are learnt on the first half. On the other half,
//
//	u_ic = n_ic <m_ic - mu_c, a_c>                          score of client i in class c
//	v_ic = n_ic |a_c|^2                                     its variance, up to one factor per class
//	theta_k = sum_{i in k, c} u_ic / V_k                    effect of side k = 0, 1;  V_k = sum_{i in k, c} v_ic
//	kappa_c = sum_i (u_ic - theta_g(i) v_ic)^2 / v_ic / f_c   residual variance factor of class c
//	f_c = h_c (1 - 2/n), at least 1                         h_c clients with v_ic > 0, n clients with a score
//	t = (theta_1 - theta_0) / sqrt(sum_ic v_ic kappa_c / V_g(i)^2)
//
// and p is the upper tail of Student's t with n - 2 degrees of freedom. Because the split was chosen by other images, the choice
// needs no correction. The result is 1 if fewer than four clients have a score or all are on one side.
//
// If prior > 0, the noise of the images counts as this number of additional clients,
//
//	kappa_c = (prior kappa_c^image + sum_i ...) / (prior + f_c),    n - 2 + prior degrees of freedom
//	kappa_c^image = loud_c a_c' S a_c / |a_c|^2
//
// with S the noise of one image and loud_c the factor of class c (see [loudness]). Then even two clients with many images can be
// separated.
func pValue(learn, check *table, view View, prior float64, noise mat.Symmetric, loud []float64) float64 {
	side, a := split(learn, view, nil)
	return pValueOf(side, a, check, view, prior, noise, loud)
}

// pValueOf is like [pValue], but the sides of the rows of check and the axis are given. They must not depend on the images in
// check.
func pValueOf(side []int, a axis, check *table, view View, prior float64, noise mat.Symmetric, loud []float64) float64 {
	if view == Concept {
		check = check.withoutStyle()
	}
	mu, classes := check.centre(), check.classes
	square := make([]float64, classes)
	for c := range square {
		square[c] = a.square(c)
	}
	var u, v [][]float64
	var g []int
	for i := range check.rows {
		ui, vi := make([]float64, classes), make([]float64, classes)
		for c, n := range check.weights(i) {
			if n > 0 {
				ui[c] = n * (dot(check.mean(i, c), a.class(c)) - dot(mu.mean(0, c), a.class(c)))
				vi[c] = n * square[c]
			}
		}
		if sumOf(vi) > 0 {
			u, v, g = append(u, ui), append(v, vi), append(g, side[i])
		}
	}
	need := fewest
	if prior > 0 {
		need = 2
	}
	if len(v) < need || slices.Min(g) == slices.Max(g) {
		return 1
	}
	var U, V, theta [2]float64
	for i, k := range g {
		U[k] += sumOf(u[i])
		V[k] += sumOf(v[i])
	}
	theta[0], theta[1] = U[0]/V[0], U[1]/V[1]
	n, variance := float64(len(v)), 0.
	for c := range classes {
		holders, rss, weight := 0., 0., 0.
		for i, k := range g {
			if v[i][c] > 0 {
				holders++
				r := u[i][c] - theta[k]*v[i][c]
				rss += r * r / max(v[i][c], 1e-30)
				weight += v[i][c] / (V[k] * V[k])
			}
		}
		if prior > 0 && square[c] > 0 {
			direction := mat.NewVecDense(a.d, a.class(c))
			rss += prior * loud[c] * mat.Inner(direction, noise, direction) / square[c]
		}
		variance += weight * rss / max(prior+holders*(1-2/n), 1)
	}
	t := (theta[1] - theta[0]) / math.Sqrt(max(variance, 1e-30))
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: prior + n - 2}.Survival(t)
}

// loudness returns for each class the noise of its images as a multiple of the average noise. It is estimated from the
// differences between the halves of the clients, shrunk by the weight of one client:
//
//	(1 + sum_i h_ic |m_ic0 - m_ic1|^2 / tr S) / (1 + number of clients with images in both halves),   h_ic = n_ic0 n_ic1 / n_ic
func loudness(halves [Halves]*table, noise mat.Symmetric) []float64 {
	a, b := halves[0], halves[1]
	loud, trace := make([]float64, a.classes), max(mat.Trace(noise), 1e-30)
	for c := range loud {
		gap, both := 0., 0.
		for i := range a.rows {
			if n, m := a.weight(i, c), b.weight(i, c); n > 0 && m > 0 {
				gap += n * m / (n + m) * squareDistance(a.mean(i, c), b.mean(i, c))
				both++
			}
		}
		loud[c] = (1 + gap/trace) / (1 + both)
	}
	return loud
}

// rejection is the result of the test of some clients.
type rejection struct {
	view View    // view in which they are two groups; "" if they are one group
	p    float64 // p-value of this view, see [bothHalves]; the smallest of all views if they are one group
}

// rejects tests whether some clients are two groups. The level is alpha times their share of all clients. Among the views that
// reject and in which the clients are not one cloud, it returns the view with the smallest p-value.
func (f *finder) rejects(who []int) rejection {
	found := f.test(who)
	sort.SliceStable(found, func(i, j int) bool { return found[i].p < found[j].p })
	none := rejection{"", found[0].p}
	if found[0].p > f.level(who) {
		return none
	}
	if !f.styles && len(who) < cloudSure && !f.shatters(who) {
		return found[0]
	}
	for _, r := range found {
		if r.p <= f.level(who) && !f.oneCloud(who, r.view) {
			return r
		}
	}
	return none
}

// leastP returns the smallest p-value of some clients.
func (f *finder) leastP(who []int) float64 {
	return slices.MinFunc(f.test(who), func(a, b rejection) int { return cmp.Compare(a.p, b.p) }).p
}

// level returns the level of the test of some clients.
func (f *finder) level(who []int) float64 {
	return f.alpha * float64(len(who)) / float64(f.all.rows)
}

// test returns the p-values of some clients in each view.
func (f *finder) test(who []int) []rejection {
	var halves [Halves]*table
	for h := range halves {
		halves[h] = f.whiteHalves[h].pick(who)
	}
	var loud []float64
	if f.prior > 0 {
		loud = loudness(halves, f.metric.noise)
	}
	var p [tests]float64
	parallel.For(tests, func(k int) {
		h := k % Halves
		p[k] = pValue(halves[h], halves[1-h], imageViews[k/Halves], f.prior, f.metric.noise, loud)
	})
	found := make([]rejection, len(imageViews))
	for k, view := range imageViews {
		found[k] = rejection{view, bothHalves(p[Halves*k], p[Halves*k+1])}
	}
	return found
}

// bothHalves returns the p-value of a view from the p-values with each half as the one that learns, corrected for three views,
//
//	p = 3 e sqrt(p_0 p_1)
//
// which is valid whatever the dependence between the two (V. Vovk and R. Wang, Combining p-values via averaging, 2020). Groups
// are visible in both halves. An accident, for instance a few unusual images of one client, is visible only in one. If the
// smaller of the two p-values were used, clients of one distribution would be split about ten times as often as the level allows,
// because Student's t is not exact so far in the tail.
func bothHalves(p, q float64) float64 { return tests / Halves * math.E * math.Sqrt(p*q) }
