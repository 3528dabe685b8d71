package groups

import (
	"math"
	"math/bits"
	"slices"
	"sort"
)

// quotaLength returns the length in nats of the quota code of a cluster k of n_k among all N clients. Where classes are dealt out one
// after the other, and a client that has its fair share gets nothing more, which classes a client lacks follows from how many
// images it has of the others, and not from a group. The code puts the classes in the order of the number of clients that hold
// them, most first. With P_ic the images that client i has of the classes before c, class c is closed to client i if P_ic >= Q.
// The length is that of the free code, in which client i draws only from the classes H_i that are open to it or held by it all the
// same, and the cost of the quota:
//
//	-l_k + s_k/2 ln max(N, M_k) + C ln 2 - n_k ln(n_k / N) + b(e, m) + ln C! + 1/2 ln(n_k C)
//	 l_k = sum_i [ lnΓ(A_i) - lnΓ(n_i + A_i) + sum_c lnΓ(n_ic + a_c) - lnΓ(a_c) ],   A_i = sum_{c in H_i} a_c
//	 M_k = sum_i n_i (A_i + 1) / (n_i + A_i)
//	 b(e, m) = -ln [ B(e + 1/2, m - e + 1/2) / B(1/2, 1/2) ]   names the e of the m closed pairs (i, c) that are held all the same
//
// Q is the value that names which pairs are held most briefly, b(held, open) + b(held, closed).
func quotaLength(counts [][]float64, clients int) float64 {
	open, closed, exceptions := quotaPairs(counts)
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
		binaryLength(exceptions, closed) + order + math.Log(n*classes)/2
}

// quotaPairs returns the classes H_i of each client as bits, the number of closed pairs, and how many of these are held.
func quotaPairs(counts [][]float64) (open [][]uint64, closed, exceptions int) {
	type pair struct {
		client, class int
		before        float64 // P_ic
	}
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
	pairs := make([]pair, 0, len(counts)*classes)
	for i, x := range counts {
		before := 0.
		for _, c := range order {
			pairs = append(pairs, pair{i, c, before})
			before += x[c]
		}
	}
	sort.SliceStable(pairs, func(a, b int) bool { return pairs[a].before > pairs[b].before })
	total, held := 0, 0
	for _, n := range holders {
		total += n
	}
	best := binaryLength(total, len(pairs))
	for k, x := range pairs[:len(pairs)-1] {
		if counts[x.client][x.class] > 0 {
			held++
		}
		if x.before == pairs[k+1].before {
			continue
		}
		if l := binaryLength(held, k+1) + binaryLength(total-held, len(pairs)-k-1); l < best {
			best, closed, exceptions = l, k+1, held
		}
	}
	open = make([][]uint64, len(counts))
	for i := range open {
		open[i] = make([]uint64, (classes+63)/64)
	}
	for k, x := range pairs {
		if k >= closed || counts[x.client][x.class] > 0 {
			open[x.client][x.class/64] |= 1 << (x.class % 64)
		}
	}
	return open, closed, exceptions
}

// binaryLength returns b(e, m), see [quotaLength].
func binaryLength(e, m int) float64 {
	yes, _ := math.Lgamma(float64(e) + 0.5)
	no, _ := math.Lgamma(float64(m-e) + 0.5)
	all, _ := math.Lgamma(float64(m) + 1)
	return all - yes - no + math.Log(math.Pi)
}

// quotaCounts holds the class counts of a cluster, with the totals apart for each set of open classes.
type quotaCounts struct {
	all    *labelCounts
	totals []openTotals
}

// openTotals are the totals n_i of the clients to which the same classes are open.
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

// parameters returns a_c, 0 for a class that nobody holds. It begins with those of the free code and follows Minka's fixed point,
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
