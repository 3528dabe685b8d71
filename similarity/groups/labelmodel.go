package groups

import (
	"math"

	"feddag/internal/parallel"
)

// labelPrecisions are the values of A among which a labelModel averages: 18 values, each twice the one before.
var labelPrecisions = func() (a [18]float64) {
	for k := range a {
		a[k] = 0.05 * math.Exp2(float64(k))
	}
	return a
}()

// labelModel predicts the class counts x of one more client of a cluster, a mixture of Dirichlet multinomials,
//
//	P(x) = sum_A w_A DM(x; A q),    DM(x; a) = Γ(A) / Γ(A + n) prod_c Γ(x_c + a_c) / Γ(a_c)
//
// without the multinomial coefficient, which cancels. The shares are q_c = (1/C + sum_i n_ic / n_i) / (1 + members), so that a
// class that no member holds is possible, but rare. The weights w_A are in proportion to how well A predicts each member from
// the others, prod_i DM(x_i; A q_-i), with q_-i the shares without client i. With no member, A is equally likely to be any value.
type labelModel struct {
	q      []float64
	weight [len(labelPrecisions)]float64 // ln w_A
}

// newLabelModel returns the model of clients with these class counts, N x C. Clients without images say nothing.
func newLabelModel(counts [][]float64, classes int) *labelModel {
	m := &labelModel{q: make([]float64, classes)}
	var rows [][]float64 // shares
	var held [][]float64
	for _, x := range counts {
		total := sumOf(x)
		if total == 0 {
			continue
		}
		share := make([]float64, classes)
		for c, n := range x {
			share[c] = n / total
			m.q[c] += share[c]
		}
		rows, held = append(rows, share), append(held, x)
	}
	members := float64(len(rows))
	all := m.q
	m.q = make([]float64, classes)
	for c, s := range all {
		m.q[c] = (1/float64(classes) + s) / (1 + members)
	}
	fit := make([][len(labelPrecisions)]float64, len(rows))
	parallel.For(len(rows), func(i int) {
		q := make([]float64, classes)
		for c, s := range all {
			q[c] = (1/float64(classes) + s - rows[i][c]) / members // max guards against rounding below zero.
			q[c] = max(q[c], 1e-12)
		}
		for k, a := range labelPrecisions {
			fit[i][k] = logDirichletMultinomial(held[i], q, a)
		}
	})
	for _, f := range fit {
		for k, x := range f {
			m.weight[k] += x
		}
	}
	total := logSum(m.weight[:])
	for k := range m.weight {
		m.weight[k] -= total
	}
	return m
}

// logProbability returns ln P(x).
func (m *labelModel) logProbability(x []float64) float64 {
	var terms [len(labelPrecisions)]float64
	for k, a := range labelPrecisions {
		terms[k] = m.weight[k] + logDirichletMultinomial(x, m.q, a)
	}
	return logSum(terms[:])
}

// pValue returns an upper bound of the p-value of "x is drawn from P": min(1, P(x) / Q(x)), with Q the code of a client of which
// nothing is known (see [strangerCode]). Because Q is a probability, Q(x) / P(x) has expectation 1 at most under P, so that it
// exceeds 1/alpha with probability alpha at most (Markov's inequality).
func (m *labelModel) pValue(x []float64) float64 {
	return math.Exp(min(m.logProbability(x)-strangerCode(x), 0))
}

// strangerCode returns ln Q(x), the probability of class counts of which nothing is known: the number s of classes held is any of
// 1 to C, the set of classes is any of that size, and the counts in it are a Dirichlet multinomial of equal shares, averaged over
// the precisions.
func strangerCode(x []float64) float64 {
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
	q := make([]float64, len(held))
	for k := range q {
		q[k] = 1 / s
	}
	var terms [len(labelPrecisions)]float64
	for k, a := range labelPrecisions {
		terms[k] = logDirichletMultinomial(held, q, a) - math.Log(float64(len(labelPrecisions)))
	}
	return logSum(terms[:]) - math.Log(c) - logGamma(c+1) + logGamma(s+1) + logGamma(c-s+1)
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
