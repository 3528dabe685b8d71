package groups

import (
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// priorClients is the weight, as a number of clients, of the theoretical spread of the residuals relative to the measured
	// one.
	priorClients = 10
	// normalExcess is approximately the mean amount by which standard normal values above 1.5 exceed 1.5.
	normalExcess = 0.43
	// styleFreedom is the assumed number of directions in which the styles of clients differ.
	styleFreedom = 4
)

// The views in which a client is compared with a cluster. They divide its distance to the cluster into two parts.
const (
	together = iota // the deviation that all classes have in common: the view Common
	apart           // the remaining deviation of each class: the view Concept
	residualViews
)

// residual is the deviation of a client's class means from those of a cluster, in the metric. With w_c the number of images of
// the cluster without the client, mu_c their mean, h_c = n_c w_c / (n_c + w_c) and delta_c = m_c - mu_c over the k classes that
// both hold,
//
//	square[together] = |sum_c h_c delta_c|^2 / H,  square[apart] = sum_c h_c |delta_c|^2 - square[together],  H = sum_c h_c
//
// If the client draws its images from the same distribution as the cluster's clients, with an individual style of variance tau,
// the expectation is
//
//	E = level noise + weight tau
//	noise[together] = sum_c h_c g_c / H    noise[apart]  = sum_c g_c - noise[together]     g_c the noise of one image of class c
//	weight[together] = H                   weight[apart] = H - sum_c h_c^2 / H
//
// level is the noise of the client as a multiple of the noise of its cluster, from the differences between its halves:
//
//	level = (g + sum_c n_c0 n_c1 / n_c |m_c0 - m_c1|^2) / (g + sum_c g_c),  over the classes in both halves;  g the mean of g_c
type residual struct {
	square, noise, weight [residualViews]float64
	few                   [residualViews]float64 // mean of 1/n_c with its weight in the variance of square / E, see standardised
	level                 float64
	classes, both         float64 // k, and the number of classes that are in both halves of the client
}

// clusterModel is the model of a cluster with which a client is compared.
type clusterModel struct {
	who    []int                  // members with images
	mu     *table                 // class means of the members, one row
	noise  []float64              // g_c of each class
	mean   [residualViews]float64 // mean standardised residual of the members and of one more residual of zero
	labels *labelModel
}

// residuals compares clients with clusters. The spread of the members around their own clusters says which deviations are
// unusual.
type residuals struct {
	f         *finder
	models    []*clusterModel
	stranger  *stranger              // code of the class counts of a client that belongs to none of them
	labelTail tail                   // tail of the ratios of the members' class counts
	outer     [residualViews]tail    // tail of the negative standardised residuals of the members
	noise     []float64              // variance of one image of each class, the mean over the clusters that hold it
	style     [residualViews]float64 // tau
	tails     [residualViews]float64 // excess variance of |x|^2 of one image over a Gaussian, see standardised
	spread    [residualViews]float64 // standard deviation of the standardised residuals
	freedom   [residualViews]float64 // its degrees of freedom
	measured  float64                // number of directions that the noise of one image spans: (tr S)^2 / tr S^2
}

// newResiduals returns the comparison with some clusters of the clients of f, whose metric is set.
func newResiduals(f *finder, clusters [][]int) *residuals {
	r := &residuals{f: f, measured: spanned(f.metric.noise)}
	for _, members := range clusters {
		r.models = append(r.models, r.newModel(members))
	}
	type place struct{ z, i int }
	var places []place
	var counts [][]float64
	var labels []*labelModel
	for z, m := range r.models {
		for _, i := range m.who {
			places, counts = append(places, place{z, i}), append(counts, f.all.weights(i))
		}
		if len(m.who) > 0 {
			labels = append(labels, m.labels)
		}
	}
	r.stranger = newStranger(counts, labels, f.all.classes)
	var ratios []float64
	at := 0
	for _, m := range labels {
		for _, own := range m.own {
			ratios = append(ratios, own-r.stranger.logProbability(counts[at])+math.Log1p(1/max(m.members-1, 1)))
			at++
		}
	}
	r.labelTail = newTail(ratios, 1) // Markov's inequality bounds the scale by 1
	r.noise = make([]float64, f.all.classes)
	held := make([]float64, f.all.classes)
	for _, m := range r.models {
		for c, w := range m.mu.weights(0) {
			if w > 0 {
				r.noise[c] += m.noise[c]
				held[c]++
			}
		}
	}
	for c, n := range held {
		r.noise[c] /= max(n, 1)
	}
	all := make([]residual, len(places))
	parallel.For(len(places), func(k int) { all[k] = r.compare(places[k].i, r.models[places[k].z], true) })
	for v := range residualViews {
		excess, weight := 0., 0.
		for _, x := range all {
			if x.weight[v] > 0 {
				excess += x.square[v] - x.level*x.noise[v]
				weight += x.weight[v]
			}
		}
		r.style[v] = max(excess/max(weight, 1e-30), 0)
		r.tails[v] = r.measureTails(all, v)
		sums, members := make([]float64, len(r.models)), make([]float64, len(r.models))
		for k, x := range all {
			if x.weight[v] > 0 {
				sums[places[k].z] += r.standardised(x, v)
				members[places[k].z]++
			}
		}
		for z, m := range r.models {
			m.mean[v] = sums[z] / (members[z] + 1)
		}
		rss, freedom := float64(priorClients), float64(priorClients)
		var scores []float64
		for k, x := range all {
			if x.weight[v] > 0 {
				z := places[k].z
				y := r.standardised(x, v) - sums[z]/members[z]
				rss += y * y
				scores = append(scores, -y)
			}
		}
		for _, n := range members {
			freedom += max(n-1, 0)
		}
		r.spread[v], r.freedom[v] = math.Sqrt(rss/freedom), freedom
		for k := range scores {
			scores[k] /= r.spread[v]
		}
		r.outer[v] = newTail(scores, normalExcess)
	}
	return r
}

// newModel returns the model of the given members that have images.
func (r *residuals) newModel(members []int) *clusterModel {
	m := new(clusterModel)
	for _, i := range members {
		if sumOf(r.f.all.weights(i)) > 0 {
			m.who = append(m.who, i)
		}
	}
	var halves [Halves]*table
	for h := range halves {
		halves[h] = r.f.whiteHalves[h].pick(m.who)
	}
	m.mu = r.f.white.pick(m.who).centre()
	m.noise = loudness(halves, r.f.metric.noise)
	scale(mat.Trace(r.f.metric.noise), m.noise)
	counts := make([][]float64, len(m.who))
	for k, i := range m.who {
		counts[k] = r.f.all.weights(i)
	}
	m.labels = newLabelModel(counts, r.f.all.classes)
	return m
}

// compare returns the residual of client i from a cluster. member says whether the client is a member of it.
func (r *residuals) compare(i int, m *clusterModel, member bool) residual {
	t, x := r.f.white, residual{}
	sum, delta := make([]float64, t.d), make([]float64, t.d)
	h, h2, squares, noise, weighted, images, few := 0., 0., 0., 0., 0., 0., 0.
	for c, n := range t.weights(i) {
		w := m.mu.weight(0, c)
		if n == 0 || w == 0 || member && w-n < 0.5 {
			continue
		}
		copy(delta, t.mean(i, c))
		axpy(-1, m.mu.mean(0, c), delta)
		if member {
			scale(w/(w-n), delta)
			w -= n
		}
		hc := n * w / (n + w)
		axpy(hc, delta, sum)
		squares += hc * dot(delta, delta)
		h, h2 = h+hc, h2+hc*hc
		noise, weighted = noise+m.noise[c], weighted+hc*m.noise[c]
		images, few = images+n, few+1/n
		x.classes++
	}
	if h > 0 {
		x.square[together], x.noise[together], x.weight[together] = dot(sum, sum)/h, weighted/h, h
		if x.classes > 1 {
			x.square[apart], x.noise[apart] = max(squares-x.square[together], 0), noise-x.noise[together]
			x.weight[apart] = h - h2/h
		}
	}
	x.level, x.both = r.level(i, m)
	if x.classes > 0 {
		ofLevel := few / x.classes * x.both / ((x.both + 1) * (x.both + 1))
		x.few = [residualViews]float64{1/images + ofLevel, few/(x.classes*x.classes) + ofLevel}
	}
	return x
}

// level returns the noise of the images of client i as a multiple of a cluster's noise, and the number of classes in the
// estimate.
func (r *residuals) level(i int, m *clusterModel) (level, both float64) {
	a, b := r.f.whiteHalves[0], r.f.whiteHalves[1]
	mean := max(sumOf(m.noise)/float64(len(m.noise)), 1e-30)
	gap, expected := mean, mean
	for c := range m.noise {
		if n, k := a.weight(i, c), b.weight(i, c); n > 0 && k > 0 {
			gap += n * k / (n + k) * squareDistance(a.mean(i, c), b.mean(i, c))
			expected += m.noise[c]
			both++
		}
	}
	return gap / expected, both
}

// measureTails returns the excess variance of the squared length of one image, relative to its square. It is estimated from the
// part of the variances of the members' residuals that is proportional to 1 / n_c.
func (r *residuals) measureTails(all []residual, v int) float64 {
	r.tails[v] = 0
	excess, few := 0., 0.
	for _, x := range all {
		if x.weight[v] > 0 {
			y, variance := r.logarithm(x, v)
			excess += y*y - variance
			few += x.few[v]
		}
	}
	return max(excess/max(few+priorClients*few/max(float64(len(all)), 1), 1e-30), 0)
}

// logarithm returns y = ln(square / E) and its theoretical variance,
//
//	Var y = (1 - rho)^2 (2 / f + 2 / f_level + tails few) + rho^2 2 / 4,   rho = weight tau / E
//
// where f are the degrees of freedom of the square, f_level those of the level, and styles are assumed to have 4 directions. few
// is the mean of 1 / n_c, because the means of few images have long tails like single images.
func (r *residuals) logarithm(x residual, v int) (y, variance float64) {
	const tiny = 1e-12
	noise, style := x.level*x.noise[v], x.weight[v]*r.style[v]
	f := r.measured
	if v == apart {
		f *= x.classes - 1
	}
	rho := style / max(noise+style, 1e-30)
	variance = (1-rho)*(1-rho)*(2/f+2/(r.measured*(x.both+1))+r.tails[v]*x.few[v]) + rho*rho*2/styleFreedom
	return math.Log((x.square[v] + tiny) / (noise + style + tiny)), variance
}

// standardised returns ln(square / E) in units of its theoretical standard deviation.
func (r *residuals) standardised(x residual, v int) float64 {
	y, variance := r.logarithm(x, v)
	return y / math.Sqrt(variance)
}

// pValues returns the p-values of "the images of a client that is not in the cluster have the same distribution as those of its
// members", in both views. Each is the upper tail of Student's t of the client's standardised residual relative to those of the
// members, but at least the p-value from the members' own tail. It is 1 in a view in which the two have nothing to compare.
func (r *residuals) pValues(x residual, m *clusterModel) (p [residualViews]float64) {
	for v := range p {
		p[v] = 1
		if x.weight[v] > 0 {
			t := (r.standardised(x, v) - m.mean[v]) / (r.spread[v] * math.Sqrt(1+1/float64(len(m.who)+1)))
			p[v] = max(distuv.StudentsT{Mu: 0, Sigma: 1, Nu: r.freedom[v]}.Survival(t), r.outer[v].pValue(-t))
		}
	}
	return p
}

// spanned returns the number of directions that noise spans, (tr S)^2 / tr S^2, at least 1.
func spanned(s mat.Symmetric) float64 {
	trace, square := 0., 0.
	for f := range s.SymmetricDim() {
		trace += s.At(f, f)
		for g := range s.SymmetricDim() {
			square += s.At(f, g) * s.At(f, g)
		}
	}
	return max(trace*trace/max(square, 1e-300), 1)
}
