package groups

import (
	"math"

	"feddag/internal/parallel"
)

// labelPrecisions are the values of A over which a labelModel averages: 18 values, each twice the previous one.
var labelPrecisions = func() (a [18]float64) {
	for k := range a {
		a[k] = 0.05 * math.Exp2(float64(k))
	}
	return a
}()

// labelPriors are the values of e over which a labelModel averages. e is a number of clients with equal shares that are added to
// the members.
var labelPriors = [4]float64{1, 0.1, 0.01, 0.001}

// labelModel predicts the class counts x of another client of a cluster by a mixture of Dirichlet multinomials,
//
//	P(x) = sum_eA w_eA DM(x; A q_e),    DM(x; a) = Γ(A) / Γ(A + n) prod_c Γ(x_c + a_c) / Γ(a_c)
//
// without the multinomial coefficient, which cancels. The shares are q_ec = (e / C + sum_i n_ic / n_i) / (e + members), so a
// class that no member holds is less likely if e is smaller. The weights w_eA are proportional to (prod_i DM(x_i; A q_e-i))^t,
// with q_e-i the shares without client i, which says how well e and A predict each member from the others. The power is t =
// (members - 1) / (members + 1), because few members predict each other from the same little evidence. With t = 1, a cluster of
// two members rejected newcomers five times as often as allowed. So if all members hold the same classes, a client with another
// class is very unlikely, and if each member holds classes that the others lack, it is likely. Without members, all e and A are
// equally likely.
type labelModel struct {
	q      [len(labelPriors)][]float64
	weight [len(labelPriors) * len(labelPrecisions)]float64 // ln w_eA, by e and then A

	members float64   // number of clients with images
	own     []float64 // ln P(x_i) of each of them, with q_e-i
}

// newLabelModel returns the model of clients with these class counts, N x C. Clients without images do not count.
func newLabelModel(counts [][]float64, classes int) *labelModel {
	m := &labelModel{}
	var rows, held [][]float64 // shares and counts of the members with images
	sum := make([]float64, classes)
	for _, x := range counts {
		total := sumOf(x)
		if total == 0 {
			continue
		}
		share := make([]float64, classes)
		for c, n := range x {
			share[c] = n / total
			sum[c] += share[c]
		}
		rows, held = append(rows, share), append(held, x)
	}
	members := float64(len(rows))
	m.members = members
	for k, e := range labelPriors {
		m.q[k] = make([]float64, classes)
		for c, s := range sum {
			m.q[k][c] = (e/float64(classes) + s) / (e + members)
		}
	}
	fit := make([][len(m.weight)]float64, len(rows))
	parallel.For(len(rows), func(i int) {
		q := make([]float64, classes)
		for k, e := range labelPriors {
			for c, s := range sum { // max, because the difference of sums may round to a negative number
				q[c] = (e/float64(classes) + max(s-rows[i][c], 0)) / (e + members - 1)
			}
			for l, a := range labelPrecisions {
				fit[i][k*len(labelPrecisions)+l] = logDirichletMultinomial(held[i], q, a)
			}
		}
	})
	for _, f := range fit {
		for k, x := range f {
			m.weight[k] += x * (members - 1) / (members + 1)
		}
	}
	total := logSum(m.weight[:])
	for k := range m.weight {
		m.weight[k] -= total
	}
	for _, f := range fit {
		for k := range f {
			f[k] += m.weight[k]
		}
		m.own = append(m.own, logSum(f[:]))
	}
	return m
}

// logProbability returns ln P(x).
func (m *labelModel) logProbability(x []float64) float64 {
	var terms [len(m.weight)]float64
	for k, q := range m.q {
		for l, a := range labelPrecisions {
			at := k*len(labelPrecisions) + l
			terms[at] = m.weight[at] + logDirichletMultinomial(x, q, a)
		}
	}
	return logSum(terms[:])
}

// ratio returns ln (1 + 1/members) P(x) / Q(x), with Q the code of a stranger. It says how much better the cluster explains class
// counts. Because Q is a probability, Q(x) / P(x) has an expectation of at most 1 under P, so the ratio is below -d with
// probability at most e^-d (Markov's inequality). The factor compensates for the inaccurate shares of few members: without it,
// 13% of the newcomers to clusters of one member had a ratio below ln 10%.
func (m *labelModel) ratio(x []float64, q *stranger) float64 {
	return m.logProbability(x) - q.logProbability(x) + math.Log1p(1/max(m.members, 1))
}

// stranger is the code Q of the class counts of a client that belongs to no cluster. The number s of classes held has the
// distribution that it has among the clients, all sets of s classes are equally likely, and the counts in the set are a Dirichlet
// multinomial of equal shares, with the precisions of the clusters.
type stranger struct {
	size      []float64                     // ln of the probability of s classes, from s = 1
	precision [len(labelPrecisions)]float64 // ln of the weight of each precision
}

// newStranger returns the code, given the class counts of clients and the models of clusters. One more client counts for which
// all numbers of classes are equally likely, and one more cluster for which all precisions are equally likely.
func newStranger(counts [][]float64, models []*labelModel, classes int) *stranger {
	q := &stranger{size: make([]float64, classes)}
	for s := range q.size {
		q.size[s] = 1 / float64(classes)
	}
	clients := 1.
	for _, x := range counts {
		held := 0
		for _, n := range x {
			if n > 0 {
				held++
			}
		}
		if held > 0 {
			q.size[held-1]++
			clients++
		}
	}
	for s, n := range q.size {
		q.size[s] = math.Log(n / clients)
	}
	for l := range q.precision {
		sum := 1 / float64(len(q.precision))
		for _, m := range models {
			for k := range labelPriors {
				sum += math.Exp(m.weight[k*len(labelPrecisions)+l])
			}
		}
		q.precision[l] = math.Log(sum / float64(len(models)+1))
	}
	return q
}

// logProbability returns ln Q(x).
func (q *stranger) logProbability(x []float64) float64 {
	var held []float64
	for _, n := range x {
		if n > 0 {
			held = append(held, n)
		}
	}
	if len(held) == 0 {
		return 0
	}
	s, c := float64(len(held)), float64(len(x))
	share := make([]float64, len(held))
	for k := range share {
		share[k] = 1 / s
	}
	var terms [len(labelPrecisions)]float64
	for l, a := range labelPrecisions {
		terms[l] = q.precision[l] + logDirichletMultinomial(held, share, a)
	}
	return logSum(terms[:]) + q.size[len(held)-1] - logGamma(c+1) + logGamma(s+1) + logGamma(c-s+1)
}

// logDirichletMultinomial returns ln DM(x; A q), see [labelModel].
func logDirichletMultinomial(x, q []float64, precision float64) float64 {
	sum, n := 0., 0.
	for c, k := range x {
		if k > 0 {
			a := precision * q[c]
			sum += logGamma(k+a) - logGamma(a)
			n += k
		}
	}
	return sum + logGamma(precision) - logGamma(precision+n)
}

func logGamma(x float64) float64 {
	y, _ := math.Lgamma(x)
	return y
}

// logSum returns ln sum_k exp(x_k).
func logSum(x []float64) float64 {
	most := math.Inf(-1)
	for _, v := range x {
		most = max(most, v)
	}
	if math.IsInf(most, -1) {
		return most
	}
	sum := 0.
	for _, v := range x {
		sum += math.Exp(v - most)
	}
	return most + math.Log(sum)
}
