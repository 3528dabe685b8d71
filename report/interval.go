package report

import (
	"encoding/json"
	"fmt"
	"math"

	"feddag/internal/numfmt"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Spread holds the mean and the sample standard deviation (divisor N-1) of a number over seeds.
type Spread struct {
	N    int
	Mean float64 // NaN if N is 0
	Std  float64 // NaN if N is below 2
}

// MarshalJSON writes null for NaN.
func (s Spread) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		N    int   `json:"n"`
		Mean Float `json:"mean"`
		Std  Float `json:"std"`
	}{s.N, Float(s.Mean), Float(s.Std)})
}

// NewSpread returns the spread of the values that are not NaN.
func NewSpread(values []float64) Spread {
	x := measured(values)
	s := Spread{N: len(x), Mean: math.NaN(), Std: math.NaN()}
	if s.N > 0 {
		s.Mean = stat.Mean(x, nil)
	}
	if s.N > 1 {
		s.Std = stat.StdDev(x, nil)
	}
	return s
}

// Text returns "mean ± std", only the mean if there is a single value, and a dash if there is none.
func (s Spread) Text(places int) string {
	switch s.N {
	case 0:
		return "–"
	case 1:
		return numfmt.Decimal(s.Mean, places)
	}
	return numfmt.Decimal(s.Mean, places) + " ± " + numfmt.Decimal(s.Std, places)
}

// Difference is the mean of paired differences d_1..d_N with its confidence
// interval
//
//	d̄ ± t_{N-1, (1+c)/2} s / √N,   s² = Σ (d_i - d̄)² / (N-1)
//
// where t is the quantile of Student's distribution and c the confidence.
type Difference struct {
	N    int
	Mean float64 // NaN if N is 0
	Low  float64 // NaN if N is below 2
	High float64
}

// MarshalJSON writes null for NaN.
func (d Difference) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		N    int   `json:"n"`
		Mean Float `json:"mean"`
		Low  Float `json:"low"`
		High Float `json:"high"`
	}{d.N, Float(d.Mean), Float(d.Low), Float(d.High)})
}

// PairedDifference returns the difference of a[i] - b[i]. It skips pairs with a NaN. It panics unless a and b have the same
// length.
func PairedDifference(a, b []float64, confidence float64) Difference {
	if len(a) != len(b) {
		panic(fmt.Sprintf("report: %d values paired with %d", len(a), len(b)))
	}
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	s := NewSpread(d)
	x := Difference{N: s.N, Mean: s.Mean, Low: math.NaN(), High: math.NaN()}
	if s.N > 1 {
		t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(s.N - 1)}.Quantile((1 + confidence) / 2)
		half := t * s.Std / math.Sqrt(float64(s.N))
		x.Low, x.High = x.Mean-half, x.Mean+half
	}
	return x
}

// Clear reports whether the interval excludes 0.
func (d Difference) Clear() bool { return d.Low > 0 || d.High < 0 }

// Text returns "+1.20 [+0.80, +1.60]", only the difference if there is a single pair, and a dash if there is none.
func (d Difference) Text(places int) string {
	switch d.N {
	case 0:
		return "–"
	case 1:
		return signed(d.Mean, places)
	}
	return fmt.Sprintf("%s [%s, %s]", signed(d.Mean, places), signed(d.Low, places), signed(d.High, places))
}

// signed formats v with its sign, as a typographic minus if it is negative.
func signed(v float64, places int) string {
	text := numfmt.Decimal(math.Abs(v), places)
	switch {
	case !finite(v):
		return text
	case v < 0 && text != numfmt.Decimal(0, places):
		return "−" + text
	}
	return "+" + text
}

func measured(values []float64) []float64 {
	var x []float64
	for _, v := range values {
		if finite(v) {
			x = append(x, v)
		}
	}
	return x
}
