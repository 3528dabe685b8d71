package groups

import (
	"math"
	"slices"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/mathext"
)

// labelCounts holds the class counts of the members of a cluster as far as its code needs them.
type labelCounts struct {
	members float64
	class   []histogram // of n_ic, per class
	total   histogram   // of n_i
}

// histogram holds the distinct positive values of whole numbers, ascending, and how often each occurs.
type histogram struct{ values, times []float64 }

// countLabels returns the class counts of clients, at least one.
func countLabels(counts [][]float64) *labelCounts {
	l := &labelCounts{members: float64(len(counts)), class: make([]histogram, len(counts[0]))}
	values := make([]float64, len(counts))
	for c := range l.class {
		for i, x := range counts {
			values[i] = x[c]
		}
		l.class[c] = newHistogram(values)
	}
	for i, x := range counts {
		values[i] = sumOf(x)
	}
	l.total = newHistogram(values)
	return l
}

// join returns the class counts of the union of two clusters.
func (l *labelCounts) join(m *labelCounts) *labelCounts {
	u := &labelCounts{l.members + m.members, make([]histogram, len(l.class)), l.total.join(m.total)}
	for c := range u.class {
		u.class[c] = l.class[c].join(m.class[c])
	}
	return u
}

func newHistogram(values []float64) (h histogram) {
	values = slices.Clone(values)
	slices.Sort(values)
	for _, v := range values {
		switch last := len(h.values) - 1; {
		case v <= 0:
		case last >= 0 && h.values[last] == v:
			h.times[last]++
		default:
			h.values, h.times = append(h.values, v), append(h.times, 1)
		}
	}
	return h
}

func (h histogram) join(g histogram) histogram {
	n := len(h.values) + len(g.values)
	u := histogram{make([]float64, 0, n), make([]float64, 0, n)}
	for i, j := 0, 0; i < len(h.values) || j < len(g.values); {
		switch {
		case j == len(g.values) || i < len(h.values) && h.values[i] < g.values[j]:
			u.values, u.times = append(u.values, h.values[i]), append(u.times, h.times[i])
			i++
		case i == len(h.values) || g.values[j] < h.values[i]:
			u.values, u.times = append(u.values, g.values[j]), append(u.times, g.times[j])
			j++
		default:
			u.values, u.times = append(u.values, h.values[i]), append(u.times, h.times[i]+g.times[j])
			i, j = i+1, j+1
		}
	}
	return u
}

// sum returns the sum of all numbers.
func (h histogram) sum() float64 { return dot(h.values, h.times) }

// digamma returns sum_i ψ(n_i + a) - ψ(a). From one value to the next, ψ(x + 1) = ψ(x) + 1/x is summed where the step is short.
func (h histogram) digamma(a float64) float64 {
	const short = 8
	sum, start, at, step := 0., math.NaN(), 0., 0. // step: ψ(at + a) - ψ(a)
	for k, n := range h.values {
		if n-at <= short {
			for ; at < n; at++ {
				step += 1 / (at + a)
			}
		} else {
			if math.IsNaN(start) {
				start = mathext.Digamma(a)
			}
			at, step = n, mathext.Digamma(n+a)-start
		}
		sum += h.times[k] * step
	}
	return sum
}

// logGamma returns sum_i lnΓ(n_i + a) - lnΓ(a).
func (h histogram) logGamma(a float64) float64 {
	start, _ := math.Lgamma(a)
	sum := 0.
	for k, n := range h.values {
		x, _ := math.Lgamma(n + a)
		sum += h.times[k] * (x - start)
	}
	return sum
}

// codeLength returns the length in nats of the code of a cluster k of n_k among all N clients. It is minus the log likelihood of a
// Dirichlet-multinomial with parameters a_c, the cost of the parameters, a bit per class that says whether the cluster holds
// it, and the names of the members' cluster:
//
//	-l_k + s_k/2 ln N + C ln 2 - n_k ln(n_k / N)
//	 l_k = sum_i [ lnΓ(A) - lnΓ(n_i + A) + sum_c lnΓ(n_ic + a_c) - lnΓ(a_c) ],   A = sum_c a_c
//
// over the s_k classes that a member holds; the parameter of the others is 0. The parameters follow Minka's fixed point,
//
//	a_c <- a_c sum_i [ψ(n_ic + a_c) - ψ(a_c)] / sum_i [ψ(n_i + A) - ψ(A)]
//
// at most 60 times, until no logarithm changes by 1e-3 (T. Minka, Estimating a Dirichlet distribution, 2000, eq. 55).
func (l *labelCounts) codeLength(clients int) float64 {
	var held []histogram
	for _, h := range l.class {
		if len(h.values) > 0 {
			held = append(held, h)
		}
	}
	s, a := float64(len(held)), make([]float64, len(held))
	for j, h := range held {
		a[j] = h.sum()/l.total.sum()*s + 1e-3
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
	likelihood := 0.
	if len(held) > 0 {
		likelihood = -l.total.logGamma(sumOf(a))
	}
	for j, h := range held {
		likelihood += h.logGamma(a[j])
	}
	n, N := l.members, float64(clients)
	return -likelihood + s/2*math.Log(N) + float64(len(l.class))*math.Ln2 - n*math.Log(n/N)
}

func sumOf(x []float64) float64 {
	sum := 0.
	for _, v := range x {
		sum += v
	}
	return sum
}

// labelClusters returns the clusters of the clients' label distributions (step 1). counts holds the class counts of each
// client, each with at least one image.
//
// Ward's tree of the places [sqrt(shares of the classes), sqrt(1/s for the s classes held)] gives at most so many leaves. From
// there, the merge that shortens the code most, or lengthens it least, follows the best merge until one cluster is left.
// The clustering with the shortest code on this way is the answer.
func labelClusters(counts [][]float64, leaves int) [][]int {
	n := len(counts)
	places := make([][]float64, n)
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
	clusters := byLabel(ward(places, min(leaves, n)))
	type pair struct{ a, b int }
	held := make([]*labelCounts, len(clusters))
	own := make([]float64, len(clusters)) // the code of each cluster; a merged one leaves its list empty
	gain := map[pair]float64{}
	price := func(pairs []pair) { // fills gain: how much the merge of two clusters lengthens the code
		values := make([]float64, len(pairs))
		parallel.For(len(pairs), func(k int) {
			p := pairs[k]
			values[k] = held[p.a].join(held[p.b]).codeLength(n) - own[p.a] - own[p.b]
		})
		for k, p := range pairs {
			gain[p] = values[k]
		}
	}
	parallel.For(len(clusters), func(k int) {
		rows := make([][]float64, len(clusters[k]))
		for m, i := range clusters[k] {
			rows[m] = counts[i]
		}
		held[k] = countLabels(rows)
		own[k] = held[k].codeLength(n)
	})
	var pairs []pair
	for a := range clusters {
		for b := range a {
			pairs = append(pairs, pair{b, a})
		}
	}
	price(pairs)
	best, found := sumOf(own), slices.Clone(clusters)
	for len(gain) > 0 {
		var at pair
		least := math.Inf(1)
		for p, g := range gain { // The smaller pair wins a tie, so that the order of the map does not matter.
			if g < least || g == least && (p.a < at.a || p.a == at.a && p.b < at.b) {
				at, least = p, g
			}
		}
		clusters[at.a] = slices.Concat(clusters[at.a], clusters[at.b])
		clusters[at.b] = nil
		held[at.a], held[at.b] = held[at.a].join(held[at.b]), nil
		own[at.a], own[at.b] = held[at.a].codeLength(n), 0
		pairs = pairs[:0]
		for p := range gain {
			if p.a == at.a || p.b == at.a || p.a == at.b || p.b == at.b {
				delete(gain, p)
			}
		}
		for k, who := range clusters {
			if k != at.a && who != nil {
				pairs = append(pairs, pair{min(at.a, k), max(at.a, k)})
			}
		}
		price(pairs)
		if total := sumOf(own); total <= best {
			best, found = total, slices.Clone(clusters)
		}
	}
	return sorted(found)
}

// byLabel returns the clusters of a list of labels, by their first member, members ascending.
func byLabel(labels []int) [][]int {
	var clusters [][]int
	number := map[int]int{}
	for i, l := range labels {
		z, ok := number[l]
		if !ok {
			z = len(clusters)
			number[l], clusters = z, append(clusters, nil)
		}
		clusters[z] = append(clusters[z], i)
	}
	return clusters
}

// sorted returns the clusters that are not empty, by their first member, members ascending.
func sorted(clusters [][]int) [][]int {
	var out [][]int
	for _, who := range clusters {
		if len(who) > 0 {
			who = slices.Clone(who)
			slices.Sort(who)
			out = append(out, who)
		}
	}
	slices.SortFunc(out, func(a, b []int) int { return a[0] - b[0] })
	return out
}
