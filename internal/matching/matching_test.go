package matching

import (
	"math"
	"testing"

	"feddag/internal/stream"
)

// TestMatching compares matchings with the best of all possible ones, for square and other matrices.
func TestMatching(t *testing.T) {
	random := stream.New(3, "test")
	for range 200 {
		rows, columns := 1+random.IntN(5), 1+random.IntN(5)
		cost := make([][]float64, rows)
		for i := range cost {
			for range columns {
				cost[i] = append(cost[i], random.NormFloat64())
			}
		}
		match := Least(cost)
		sum, seen, pairs := 0., map[int]bool{}, 0
		for i, j := range match {
			if j >= 0 {
				if seen[j] {
					t.Fatalf("column %d is matched twice: %v", j, match)
				}
				seen[j], sum, pairs = true, sum+cost[i][j], pairs+1
			}
		}
		if len(match) != rows || pairs != min(rows, columns) {
			t.Fatalf("%d pairs of %d rows and %d columns: %v", pairs, rows, columns, match)
		}
		var least func(i, left int, used []bool) float64
		least = func(i, left int, used []bool) float64 {
			if left == 0 {
				return 0
			}
			if i == rows {
				return math.Inf(1)
			}
			best := least(i+1, left, used)
			for j := range columns {
				if !used[j] {
					used[j] = true
					best = min(best, cost[i][j]+least(i+1, left-1, used))
					used[j] = false
				}
			}
			return best
		}
		if want := least(0, pairs, make([]bool, columns)); math.Abs(sum-want) > 1e-9 {
			t.Fatalf("the matching %v costs %g, the best %g", match, sum, want)
		}
	}
}
