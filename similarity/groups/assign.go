package groups

import (
	"fmt"
	"math"
	"slices"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mat"
)

// Assignment says to which cluster a newcomer was assigned, and why.
type Assignment struct {
	Cluster int  // its cluster's number
	Founded bool // the cluster was founded by newcomers, because every older cluster rejected the newcomer
	// P is the p-value of "the newcomer belongs to Cluster", and 1 for the first member of a cluster.
	P float64
	// Others are the p-values of the older clusters, NaN for a cluster without members. A cluster rejects the newcomer if its
	// p-value is Options.Alpha or less.
	Others []float64
	View   View // view in which the nearest older cluster rejected the newcomer; "" if that cluster does not reject it
	Silent bool // the newcomer has no images, so nothing is known about it, and it is in the largest cluster
}

// Add assigns newcomers to clusters. Afterwards they are clients N, N+1, ..., and no other client moves. scatter is the sum of
// their scatter matrices, or nil if they sent none.
//
// A newcomer is compared with every cluster by three tests: one of its class counts (see [labelModel] and [tail]), and two of
// its class means, for the deviation that all classes have in common and for the rest (see [residual]). The p-value of the
// cluster is
//
//	p = min(1, 2 p_labels, 4 p_common, 4 p_concept)
//
// so a cluster rejects a newcomer that belongs to it with probability at most alpha. Among the clusters that do not reject it,
// the newcomer joins the one with the largest
//
//	ln P_z(x) + ln(N_z / N) - 1/2 sum_c [ d ln(1 + n_c / w_zc) + d / g_c h_zc |m_c - mu_zc|^2 ]
//
// which has the probability of its class counts, the cluster's share of the clients, and the likelihood of its class means. g_c
// is the noise of an image of class c, averaged over the clusters. For a class that a cluster lacks, the formula uses the average
// of the squares of the clusters that hold it, and the largest of their logarithms, as if the cluster had few images of the
// class.
//
// Newcomers that all clusters reject found new ones. The newcomer with the most images founds the first. Among the others, the
// one with the largest p-value joins first, by the same tests. If the new clusters reject all remaining newcomers, the one with
// the most images founds another cluster.
func (r *Roster) Add(newcomers []*Sketch, scatter mat.Symmetric) ([]Assignment, error) {
	if len(newcomers) == 0 {
		return nil, nil
	}
	err := r.checkNewcomers(newcomers)
	if err == nil {
		err = r.checkScatter(scatter)
	}
	if err != nil {
		return nil, fmt.Errorf("newcomers: %w", err)
	}
	next, movers := r.with(newcomers)
	return r.take(next, movers, newcomers, scatter), nil
}

// settle assigns clients that are in no cluster, and returns the assignments.
func (r *Roster) settle(movers []int) []Assignment {
	f := r.finder()
	x := newResiduals(f, r.Clusters)
	older := len(r.Clusters)
	answers := make([]Assignment, len(movers))
	images := make([]float64, len(movers))
	var rejected []int // positions among the movers
	joined := make([]int, len(movers))
	for k, i := range movers {
		images[k] = sumOf(f.all.weights(i))
		joined[k] = -1
		if images[k] == 0 {
			continue
		}
		var view View
		answers[k].Others, view = x.reject(i)
		best := x.best(i, answers[k].Others, r.options.Alpha)
		if best < 0 {
			answers[k].Founded, answers[k].View = true, view
			rejected = append(rejected, k)
			continue
		}
		joined[k], answers[k].P = best, answers[k].Others[best]
	}
	x.found(r, movers, rejected, func(k, z int, p float64) { joined[k], answers[k].P = z, p })
	for k, i := range movers {
		if images[k] == 0 {
			answers[k].Silent, answers[k].P = true, 1
			joined[k] = r.largest()
			answers[k].Others = slices.Repeat([]float64{1}, older)
			for z, members := range r.Clusters[:older] {
				if len(members) == 0 {
					answers[k].Others[z] = math.NaN()
				}
			}
		}
		answers[k].Cluster = joined[k]
		if joined[k] < older || images[k] == 0 {
			r.Clusters[joined[k]] = append(r.Clusters[joined[k]], i)
		}
	}
	for _, members := range r.Clusters {
		slices.Sort(members)
	}
	return answers
}

// found assigns the movers at some positions, which all older clusters reject, to new clusters of r, and reports to tell the
// cluster and the p-value of each. See [Roster.Add].
func (x *residuals) found(r *Roster, movers, places []int, tell func(k, z int, p float64)) {
	older := len(x.models)
	left := slices.Clone(places)
	p := make([][]float64, len(movers)) // p-value of each remaining client against each new cluster
	column := func(z int) {             // computes the p-values against cluster z again
		one := *x
		one.models = x.models[z : z+1]
		parallel.For(len(left), func(m int) {
			k := left[m]
			own, _ := one.reject(movers[k])
			if z-older == len(p[k]) {
				p[k] = append(p[k], 0)
			}
			p[k][z-older] = own[0]
		})
	}
	for len(left) > 0 {
		at, into, most := 0, -1, r.options.Alpha
		for m, k := range left {
			for z, v := range p[k] {
				if v > most {
					at, into, most = m, older+z, v
				}
			}
		}
		if into < 0 {
			for m, k := range left {
				if sumOf(x.f.all.weights(movers[k])) > sumOf(x.f.all.weights(movers[left[at]])) {
					at = m
				}
			}
			into, most = len(r.Clusters), 1
			r.labelOf = append(r.labelOf, x.labelClusterOf(r, movers[left[at]], older))
			r.Clusters, x.models = append(r.Clusters, nil), append(x.models, nil)
		}
		k := left[at]
		left = slices.Delete(left, at, at+1)
		r.Clusters[into] = append(r.Clusters[into], movers[k])
		x.models[into] = x.newModel(r.Clusters[into])
		tell(k, into, most)
		column(into)
	}
}

// reject returns the p-values of "client i belongs to the cluster", NaN for a cluster without members. It also returns the view
// with the smallest p-value in the cluster with the largest p-value.
func (r *residuals) reject(i int) (p []float64, view View) {
	most, nearest := math.Inf(-1), Labels
	for _, m := range r.models {
		if len(m.who) == 0 {
			p = append(p, math.NaN())
			continue
		}
		labels := 2 * r.labelPValue(i, m)
		image := r.pValues(r.compare(i, m, false), m)
		least := min(1, labels, 4*image[together], 4*image[apart])
		p = append(p, least)
		if least > most {
			most = least
			switch least {
			case labels:
				nearest = Labels
			case 4 * image[apart]:
				nearest = Concept
			default:
				nearest = Common
			}
		}
	}
	return p, nearest
}

// labelPValue returns the p-value of "the class counts of client i have the same distribution as those of the members". It is the
// larger of Markov's bound and the p-value from the ratios of the members.
func (r *residuals) labelPValue(i int, m *clusterModel) float64 {
	ratio := m.labels.ratio(r.f.all.weights(i), r.stranger)
	return max(math.Exp(min(ratio, 0)), r.labelTail.pValue(ratio))
}

// best returns the cluster that a client joins among those whose p-value is above alpha, or -1 if there is none. See
// [Roster.Add].
func (r *residuals) best(i int, p []float64, alpha float64) int {
	t := r.f.white
	cost := make([][]float64, len(r.models)) // cost of the class means; NaN for a class that the cluster lacks
	sum, times, fewest := make([]float64, t.classes), make([]float64, t.classes), make([]float64, t.classes)
	all := 0.
	for z, m := range r.models {
		cost[z] = make([]float64, t.classes)
		all += float64(len(m.who))
		for c, n := range t.weights(i) {
			w := m.mu.weight(0, c)
			switch {
			case n == 0:
			case w == 0:
				cost[z][c] = math.NaN()
			default:
				d := float64(t.d)
				square := d / max(r.noise[c], 1e-30) * n * w / (n + w) * squareDistance(t.mean(i, c), m.mu.mean(0, c))
				cost[z][c] = (d*math.Log1p(n/w) + square) / 2
				sum[c] += square / 2
				times[c]++
				fewest[c] = max(fewest[c], d*math.Log1p(n/w)/2)
			}
		}
	}
	best, most := -1, math.Inf(-1)
	for z, m := range r.models {
		if !(p[z] > alpha) {
			continue
		}
		score := m.labels.logProbability(r.f.all.weights(i)) + math.Log(float64(len(m.who))/all)
		for c, x := range cost[z] {
			if math.IsNaN(x) {
				x = fewest[c] + sum[c]/max(times[c], 1)
			}
			score -= x
		}
		if score > most || best < 0 {
			best, most = z, score
		}
	}
	return best
}

// labelClusterOf returns the label cluster of a client that founds a cluster. It is the label cluster of the older cluster whose
// labels predict the client's class counts best, if that cluster does not reject these counts, or else a new one.
func (x *residuals) labelClusterOf(r *Roster, i, older int) int {
	counts := x.f.all.weights(i)
	best, most := slices.Max(append([]int{-1}, r.labelOf...))+1, math.Inf(-1)
	for z, m := range x.models[:older] {
		if len(m.who) == 0 {
			continue
		}
		if y := m.labels.logProbability(counts); y > most && 2*x.labelPValue(i, m) > r.options.Alpha {
			best, most = r.labelOf[z], y
		}
	}
	return best
}
