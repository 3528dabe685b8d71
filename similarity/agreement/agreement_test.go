package agreement

import (
	"math"
	"testing"
)

func TestAdjustedRand(t *testing.T) {
	for _, x := range []struct {
		a, b []int
		want float64
	}{
		{[]int{0, 0, 1, 1}, []int{5, 5, 2, 2}, 1},
		{[]int{0, 0, 1, 1}, []int{0, 1, 0, 1}, -0.5},
		{[]int{0, 0, 0, 0}, []int{0, 0, 0, 0}, 1},
		{[]int{0, 1, 2, 3}, []int{0, 0, 0, 0}, 0},
		{[]int{0, 0, 0, 1, 1, 1}, []int{0, 0, 1, 1, 2, 2}, 8. / 33}, // sklearn.metrics.adjusted_rand_score
		{[]int{3}, []int{4}, 1},
	} {
		if got, err := AdjustedRandIndex(x.a, x.b); err != nil || math.Abs(got-x.want) > 1e-12 {
			t.Errorf("%v and %v: %g (%v), want %g", x.a, x.b, got, err, x.want)
		}
	}
}
