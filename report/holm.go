package report

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// p is the two-sided P value of a paired t test of a mean difference of 0, from
// the interval at the given confidence; NaN where there is no interval.
func (d Difference) p(confidence float64) float64 {
	if d.N < 2 {
		return math.NaN()
	}
	students := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(d.N - 1)}
	standard := d.standardError(confidence)
	switch {
	case standard > 0:
		return 2 * students.Survival(math.Abs(d.Mean)/standard)
	case d.Mean == 0:
		return 1
	}
	return 0
}

// standardError is s/√n, from the interval at the given confidence.
func (d Difference) standardError(confidence float64) float64 {
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(d.N - 1)}.Quantile((1 + confidence) / 2)
	return (d.High - d.Low) / (2 * t)
}

// correctHolm widens the intervals of several differences, which have the given
// confidence each, so that with this confidence none of those that leave 0 out
// does so by chance (Holm 1979). Of m differences with an interval, that of the
// r-th smallest P value, r from 0, is at the confidence 1 - (1-c)/(m-r); from the
// first one on that does not leave 0 out, all are at the confidence of that one.
func correctHolm(differences []*Difference, confidence float64) {
	type tested struct {
		*Difference
		p float64
	}
	var family []tested
	for _, d := range differences {
		if d.N > 1 {
			family = append(family, tested{d, d.p(confidence)})
		}
	}
	slices.SortStableFunc(family, func(a, b tested) int { return cmp.Compare(a.p, b.p) })
	level, stopped := 0.0, false
	for r, d := range family {
		if !stopped {
			level = (1 - confidence) / float64(len(family)-r)
			stopped = !(d.p < level)
		}
		t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(d.N - 1)}.Quantile(1 - level/2)
		half := t * d.standardError(confidence)
		d.Low, d.High = d.Mean-half, d.Mean+half
	}
}
