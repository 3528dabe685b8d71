package groups

import (
	"math"
	"slices"

	"feddag/internal/parallel"
)

// labelCounts holds the class counts of the members of a cluster in the form that its code needs.
type labelCounts struct {
	members float64
	class   []histogram // histogram of n_ic for each class
	total   histogram   // histogram of n_i
	square  []float64   // sum_i n_ic^2 / n_i for each class
}

// countLabels returns the class counts of at least one client. Each client has at least one image.
func countLabels(counts [][]float64) *labelCounts {
	classes := len(counts[0])
	l := &labelCounts{float64(len(counts)), make([]histogram, classes), histogram{}, make([]float64, classes)}
	totals, values := make([]float64, len(counts)), make([]float64, len(counts))
	for i, x := range counts {
		totals[i] = sumOf(x)
	}
	l.total = newHistogram(totals)
	for c := range l.class {
		for i, x := range counts {
			values[i] = x[c]
			l.square[c] += x[c] * x[c] / max(totals[i], 1)
		}
		l.class[c] = newHistogram(values)
	}
	return l
}

// join returns the class counts of the union of two clusters.
func (l *labelCounts) join(m *labelCounts) *labelCounts {
	u := &labelCounts{l.members + m.members, make([]histogram, len(l.class)), l.total.join(m.total), slices.Clone(l.square)}
	for c := range u.class {
		u.class[c] = l.class[c].join(m.class[c])
	}
	axpy(1, m.square, u.square)
	return u
}

// codeLength returns the length in nats of the free code of a cluster k with n_k of all N clients. It is the sum of the negative
// log likelihood of a Dirichlet-multinomial with parameters a_c, the cost of the parameters, one bit per class that says whether
// the cluster holds it, and the code of the members' cluster:
//
//	-l_k + s_k/2 ln max(N, M_k) + C ln 2 - n_k ln(n_k / N)
//	 l_k = sum_i [ lnΓ(A) - lnΓ(n_i + A) + sum_c lnΓ(n_ic + a_c) - lnΓ(a_c) ],   A = sum_c a_c
//	 M_k = sum_i n_i (A + 1) / (n_i + A)
//
// over the s_k classes that some member holds; the parameter of the other classes is 0. M_k is the number of independent
// observations. It is n_k if the clients differ as much as possible, and the number of images if they are all alike.
func (l *labelCounts) codeLength(clients int) float64 {
	a, held := l.parameters()
	sum, likelihood, observations := max(sumOf(a), 1e-9), 0., 0.
	for k, n := range l.total.values {
		observations += l.total.times[k] * n * (sum + 1) / (n + sum)
	}
	if len(held) > 0 {
		likelihood = -l.total.logGamma(sum)
	}
	for j, h := range held {
		likelihood += h.logGamma(a[j])
	}
	n, N := l.members, float64(clients)
	return float64(len(held))/2*math.Log(max(N, observations)) - likelihood + float64(len(l.class))*math.Ln2 - n*math.Log(n/N)
}

// parameters returns the parameters a_c of the classes held, and the histograms of these classes. It starts from the moments:
// with p_c the share of the class, n the mean of the n_i and
//
//	chi = sum_ic (n_ic - n_i p_c)^2 / (n_i p_c) / (n_k (s_k - 1)),    A = (n - chi) / (chi - 1),    a_c = p_c A
//
// and iterates Minka's fixed point,
//
//	a_c <- a_c sum_i [ψ(n_ic + a_c) - ψ(a_c)] / sum_i [ψ(n_i + A) - ψ(A)]
//
// at most 60 times, until no logarithm changes by 1e-3 (T. Minka, Estimating a Dirichlet distribution, 2000, eq. 55). A single
// client has no spread; its parameters are 1/2.
func (l *labelCounts) parameters() (a []float64, held []histogram) {
	total, chi := l.total.sum(), 0.
	for c, h := range l.class {
		if len(h.values) > 0 {
			held = append(held, h)
			chi += l.square[c] / (h.sum() / total) // sum_i n_ic^2 / (n_i p_c)
		}
	}
	s := len(held)
	a = make([]float64, s)
	if l.members == 1 {
		for j := range a {
			a[j] = 0.5
		}
		return a, held
	}
	chi = (chi - total) / max(l.members*float64(s-1), 1)
	sum := min(max((total/l.members-chi)/max(chi-1, 1e-4), 1e-2), 1e5)
	for j, h := range held {
		a[j] = min(max(h.sum()/total*sum, 1e-4), 1e4)
	}
	for range 60 {
		below := max(l.total.digamma(sumOf(a)), 1e-12)
		change := 0.
		for j, h := range held {
			next := min(max(a[j]*h.digamma(a[j])/below, 1e-4), 1e4)
			change = max(change, math.Abs(math.Log(next/a[j])))
			a[j] = next
		}
		if change < 1e-3 {
			break
		}
	}
	return a, held
}

// freeClusters finds clusters of clients by the free code. counts holds the class counts of each client.
//
// The first clusters are at most the given number of leaves, from Ward's tree of the points [sqrt(shares of the classes),
// sqrt(1/s for the s classes held)]. Then the merge that shortens the code most, or lengthens it least, is applied until one
// cluster is left. The result is the clustering with the shortest code of all these.
func freeClusters(counts [][]float64, clients, leaves int) labelAnswer {
	n := len(counts)
	m := &freeMerges{clients: clients, clusters: byLabel(ward(labelPlaces(counts), min(leaves, n)))}
	m.begin(counts)
	answer := labelAnswer{several: math.Inf(1)}
	for len(m.gain) > 0 {
		if total := sumOf(m.own); total <= answer.several {
			answer.several, answer.found = total, slices.Clone(m.clusters)
		}
		m.mergeBest()
	}
	answer.found, answer.one = sorted(answer.found), sumOf(m.own)
	return answer
}

// labelPlaces returns the points of the clients for Ward's tree.
func labelPlaces(counts [][]float64) [][]float64 {
	places := make([][]float64, len(counts))
	for i, x := range counts {
		total, held := max(sumOf(x), 1), 0.
		for _, k := range x {
			if k > 0 {
				held++
			}
		}
		for _, k := range x {
			places[i] = append(places[i], math.Sqrt(k/total))
		}
		for _, k := range x {
			if k > 0 {
				places[i] = append(places[i], math.Sqrt(1/held))
			} else {
				places[i] = append(places[i], 0)
			}
		}
	}
	return places
}

// freeMerges is the state of the merges of label clusters.
type freeMerges struct {
	clients  int
	clusters [][]int // nil once merged into another cluster
	counts   []*labelCounts
	own      []float64          // length of the code of each cluster, 0 for a merged one
	gain     map[[2]int]float64 // change of the length of the code by the merge of two clusters
}

// begin computes the codes of the clusters and of the unions of all pairs.
func (m *freeMerges) begin(counts [][]float64) {
	k := len(m.clusters)
	m.counts, m.own, m.gain = make([]*labelCounts, k), make([]float64, k), map[[2]int]float64{}
	parallel.For(k, func(z int) {
		rows := make([][]float64, len(m.clusters[z]))
		for j, i := range m.clusters[z] {
			rows[j] = counts[i]
		}
		m.counts[z] = countLabels(rows)
		m.own[z] = m.counts[z].codeLength(m.clients)
	})
	var pairs [][2]int
	for a := range m.clusters {
		for b := range a {
			pairs = append(pairs, [2]int{b, a})
		}
	}
	m.price(pairs)
}

// price fills gain for some pairs.
func (m *freeMerges) price(pairs [][2]int) {
	values := make([]float64, len(pairs))
	parallel.For(len(pairs), func(k int) {
		a, b := pairs[k][0], pairs[k][1]
		values[k] = m.counts[a].join(m.counts[b]).codeLength(m.clients) - m.own[a] - m.own[b]
	})
	for k, p := range pairs {
		m.gain[p] = values[k]
	}
}

// mergeBest does the merge with the smallest gain. The smaller pair wins a tie, so that the order of the map does not matter.
func (m *freeMerges) mergeBest() {
	var at [2]int
	least := math.Inf(1)
	for p, g := range m.gain {
		if g < least || g == least && (p[0] < at[0] || p[0] == at[0] && p[1] < at[1]) {
			at, least = p, g
		}
	}
	a, b := at[0], at[1]
	m.clusters[a], m.clusters[b] = slices.Concat(m.clusters[a], m.clusters[b]), nil
	m.counts[a], m.counts[b] = m.counts[a].join(m.counts[b]), nil
	m.own[a], m.own[b] = m.counts[a].codeLength(m.clients), 0
	for p := range m.gain {
		if p[0] == a || p[1] == a || p[0] == b || p[1] == b {
			delete(m.gain, p)
		}
	}
	var pairs [][2]int
	for k, who := range m.clusters {
		if k != a && who != nil {
			pairs = append(pairs, [2]int{min(a, k), max(a, k)})
		}
	}
	m.price(pairs)
}
