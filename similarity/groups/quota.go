package groups

import (
	"math"
	"math/bits"
	"slices"
)

const (
	orderClients = 200 // largest number of clients in the search for the order of the classes
	orderSweeps  = 10  // largest number of rounds of this search
)

// quotaLength returns the length in nats of the quota code of a cluster k with n_k of all N clients. If classes are assigned one
// after the other, and a client that has reached its quota gets no more images, the classes that a client lacks follow from the
// numbers of its images of the other classes, and not from a group. The code includes the order in which the classes were
// assigned, see [quotaOrder]. With P_ic the number of images that client i has of the classes before c, class c is closed to
// client i if P_ic >= Q. The length is that of the free code, in which client i draws only from the set H_i of the classes that
// are open to it or that it holds although they are closed, plus the cost of the quota:
//
//	-l_k + s_k/2 ln max(N, M_k) + C ln 2 - n_k ln(n_k / N) + b(e, m) + ln C! + 1/2 ln(n_k C)
//	 l_k = sum_i [ lnΓ(A_i) - lnΓ(n_i + A_i) + sum_c lnΓ(n_ic + a_c) - lnΓ(a_c) ],   A_i = sum_{c in H_i} a_c
//	 M_k = sum_i n_i (A_i + 1) / (n_i + A_i)
//	 b(e, m) = -ln [ B(e + 1/2, m - e + 1/2) / B(1/2, 1/2) ]   the code of the e of m closed pairs (i, c) that are held
//
// Q is the value with the shortest code of the pairs that are held, b(held, open) + b(held, closed).
func quotaLength(counts [][]float64, clients int) float64 {
	open, names := quotaPairs(counts)
	q := newQuotaCounts(counts, open)
	a := q.parameters()
	likelihood, observations, held := 0., 0., 0.
	for _, t := range q.totals {
		sum := t.sum(a)
		likelihood -= t.logGamma(sum)
		for k, n := range t.values {
			observations += t.times[k] * n * (sum + 1) / (n + sum)
		}
	}
	for c, h := range q.all.class {
		if len(h.values) > 0 {
			likelihood += h.logGamma(a[c])
			held++
		}
	}
	n, N, classes := float64(len(counts)), float64(clients), float64(len(counts[0]))
	order, _ := math.Lgamma(classes + 1)
	return held/2*math.Log(max(N, observations)) - likelihood + classes*math.Ln2 - n*math.Log(n/N) +
		names + order + math.Log(n*classes)/2
}

// quotaPairs returns the classes H_i of each client as bits, and b(e, m).
func quotaPairs(counts [][]float64) (open [][]uint64, names float64) {
	order, code := quotaOrder(counts), newPairCode(counts)
	_, quota, closed, exceptions := code.shortest(order)
	open = make([][]uint64, len(counts))
	for i, x := range counts {
		open[i] = make([]uint64, (len(x)+63)/64)
		before := 0.
		for _, c := range order {
			if before < quota || x[c] > 0 {
				open[i][c/64] |= 1 << (c % 64)
			}
			before += x[c]
		}
	}
	return open, code.binary(exceptions, closed)
}

// quotaOrder returns an estimate of the order in which the classes were assigned. It starts in descending order of the number of
// clients that hold a class. Then neighbours are exchanged as long as this shortens the code of the pairs that are held. With few
// clients, the numbers of holders alone are often misleading, and a wrong order makes the quota code so long that groups of
// labels seem to explain the classes held.
func quotaOrder(counts [][]float64) []int {
	classes := len(counts[0])
	holders := make([]int, classes)
	for _, x := range counts {
		for c, n := range x {
			if n > 0 {
				holders[c]++
			}
		}
	}
	order := sequence(classes)
	slices.SortStableFunc(order, func(a, b int) int { return holders[b] - holders[a] })
	if n := len(counts); n > orderClients { // only orderClients clients, evenly spaced
		some := make([][]float64, orderClients)
		for k := range some {
			some[k] = counts[k*n/orderClients]
		}
		counts = some
	}
	code := newPairCode(counts)
	least, _, _, _ := code.shortest(order)
	for sweep := range orderSweeps {
		better := false
		for j := range classes - 1 {
			k := j // forwards and backwards in turn, so that a class can move far in both directions
			if sweep%2 == 1 {
				k = classes - 2 - j
			}
			order[k], order[k+1] = order[k+1], order[k]
			if l, _, _, _ := code.shortest(order); l < least-1e-9 {
				least, better = l, true
			} else {
				order[k], order[k+1] = order[k+1], order[k]
			}
		}
		if !better {
			break
		}
	}
	return order
}

// pairCode is the code of the pairs of client and class that are held, given an order of the classes.
type pairCode struct {
	counts      [][]float64
	total       int       // number of pairs that are held
	half, whole []float64 // lnΓ(k + 1/2) and lnΓ(k + 1), from k = 0 to the number of pairs
	keys        []uint64  // 2 P_ic + 1 for pairs that are held, 2 P_ic for the others
}

func newPairCode(counts [][]float64) *pairCode {
	pairs := len(counts) * len(counts[0])
	p := &pairCode{counts: counts, half: make([]float64, pairs+1), whole: make([]float64, pairs+1), keys: make([]uint64, pairs)}
	for k := range p.half {
		p.half[k], p.whole[k] = logGamma(float64(k)+0.5), logGamma(float64(k)+1)
	}
	for _, x := range counts {
		for _, n := range x {
			if n > 0 {
				p.total++
			}
		}
	}
	return p
}

// shortest returns the length of the shortest code, its quota Q, which is +Inf if no pair is closed, the number of closed pairs,
// and the number of closed pairs that are held.
func (p *pairCode) shortest(order []int) (length, quota float64, closed, exceptions int) {
	k := 0
	for _, x := range p.counts {
		before := uint64(0)
		for _, c := range order {
			n := uint64(x[c])
			p.keys[k] = 2*before + min(n, 1)
			before += n
			k++
		}
	}
	slices.Sort(p.keys)
	length, quota = p.binary(p.total, len(p.keys)), math.Inf(1)
	held := 0
	for k := len(p.keys) - 1; k > 0; k-- {
		held += int(p.keys[k] & 1)
		if p.keys[k]>>1 == p.keys[k-1]>>1 {
			continue
		}
		m := len(p.keys) - k
		if l := p.binary(held, m) + p.binary(p.total-held, k); l < length {
			length, quota, closed, exceptions = l, float64(p.keys[k]>>1), m, held
		}
	}
	return length, quota, closed, exceptions
}

// binary returns b(e, m), see [quotaLength].
func (p *pairCode) binary(e, m int) float64 {
	return p.whole[m] - p.half[e] - p.half[m-e] + math.Log(math.Pi)
}

// quotaCounts holds the class counts of a cluster, with separate totals for each set of open classes.
type quotaCounts struct {
	all    *labelCounts
	totals []openTotals
}

// openTotals are the totals n_i of the clients that have the same set of open classes.
type openTotals struct {
	classes []int
	histogram
}

// sum returns A_i.
func (t openTotals) sum(a []float64) float64 {
	sum := 0.
	for _, c := range t.classes {
		sum += a[c]
	}
	return max(sum, 1e-9)
}

func newQuotaCounts(counts [][]float64, open [][]uint64) *quotaCounts {
	number, values := map[string]int{}, [][]float64{}
	q := &quotaCounts{all: countLabels(counts)}
	for i, x := range counts {
		key := make([]byte, 0, 8*len(open[i]))
		for _, w := range open[i] {
			for k := range 8 {
				key = append(key, byte(w>>(8*k)))
			}
		}
		k, ok := number[string(key)]
		if !ok {
			k = len(values)
			number[string(key)], values = k, append(values, nil)
			var classes []int
			for w, set := range open[i] {
				for ; set != 0; set &= set - 1 {
					classes = append(classes, 64*w+bits.TrailingZeros64(set))
				}
			}
			q.totals = append(q.totals, openTotals{classes: classes})
		}
		values[k] = append(values[k], sumOf(x))
	}
	for k := range q.totals {
		q.totals[k].histogram = newHistogram(values[k])
	}
	return q
}

// parameters returns a_c, 0 for a class that no client holds. It starts with the parameters of the free code and iterates Minka's
// fixed point,
//
//	a_c <- a_c sum_i [ψ(n_ic + a_c) - ψ(a_c)] / sum_{i: c in H_i} [ψ(n_i + A_i) - ψ(A_i)]
//
// as in [labelCounts.parameters].
func (q *quotaCounts) parameters() []float64 {
	a := make([]float64, len(q.all.class))
	free, _ := q.all.parameters()
	for c, h := range q.all.class {
		if len(h.values) > 0 {
			a[c], free = free[0], free[1:]
		}
	}
	below := make([]float64, len(a))
	for range 60 {
		clear(below)
		for _, t := range q.totals {
			d := t.digamma(t.sum(a))
			for _, c := range t.classes {
				below[c] += d
			}
		}
		change := 0.
		for c, h := range q.all.class {
			if len(h.values) > 0 {
				next := min(max(a[c]*h.digamma(a[c])/max(below[c], 1e-12), 1e-4), 1e4)
				change = max(change, math.Abs(math.Log(next/a[c])))
				a[c] = next
			}
		}
		if change < 1e-3 {
			break
		}
	}
	return a
}
