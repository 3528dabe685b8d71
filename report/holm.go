package report

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// p returns the two-sided p-value of a paired t-test of the hypothesis that the mean difference is 0. It is computed from the
// interval at the given confidence, and is NaN if there is no interval.
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

// standardError returns s/√n, computed from the interval at the given confidence.
func (d Difference) standardError(confidence float64) float64 {
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(d.N - 1)}.Quantile((1 + confidence) / 2)
	return (d.High - d.Low) / (2 * t)
}

// correctHolm widens the intervals of several differences, each of which has the confidence c, so that with this confidence
// none of the intervals excludes 0 by chance (Holm 1979). Among m differences with an interval, the interval with the r-th
// smallest p-value, r counted from 0, gets the confidence 1 - (1-c)/(m-r). From the first interval that does not exclude 0,
// all intervals get the confidence of that one.
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
