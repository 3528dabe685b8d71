package groups

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"
)

// histogram holds the distinct positive values of some whole numbers, ascending, and the number of times that each occurs.
type histogram struct{ values, times []float64 }

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

// digamma returns sum_i ψ(n_i + a) - ψ(a). For a short step from one value to the next, it sums ψ(x + 1) = ψ(x) + 1/x.
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
