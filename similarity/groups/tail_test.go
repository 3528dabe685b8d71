package groups

import (
	"math"
	"testing"

	"feddag/internal/stream"
)

// TestTail checks that a score far below all others has a small p-value, that a score like a few others does not, and the error
// rate for scores with normal and exponential tails.
func TestTail(t *testing.T) {
	var scores []float64
	for k := range 100 {
		scores = append(scores, 5+math.Log((float64(k)+0.5)/100))
	}
	if p := newTail(scores, 1).pValue(-12); p > 1e-4 {
		t.Errorf("a score that is 12 below the last: p = %g", p)
	}
	copy(scores, []float64{-10, -11, -9})
	tail := newTail(scores, 1)
	if p := tail.pValue(-12); p < 1e-3 {
		t.Errorf("a score that is 1 below the last of three: p = %g", p)
	}
	if p := tail.pValue(3); p != 1 {
		t.Errorf("a score that is not in the tail: p = %g", p)
	}
	if p := newTail(scores[:1], 1).pValue(-50); p != 0 {
		t.Errorf("a single score gives a tail: p = %g", p)
	}
	random := stream.New(4, "test of the tail")
	const runs, n = 20000, 60
	for name, draw := range map[string]func() float64{
		"normal":      random.NormFloat64,
		"exponential": func() float64 { return -0.6 * random.ExpFloat64() },
	} {
		var hits [2]float64
		scores := make([]float64, n)
		for range runs {
			for k := range scores {
				scores[k] = draw()
			}
			p := newTail(scores, normalExcess).pValue(draw())
			for l, level := range [2]float64{0.1, 0.001} {
				if p <= level {
					hits[l]++
				}
			}
		}
		for l, level := range [2]float64{0.1, 0.001} {
			if share := hits[l] / runs; share > 2*level+3*math.Sqrt(level/runs) {
				t.Errorf("%s: a share of %g has p <= %g", name, share, level)
			}
		}
	}
}
