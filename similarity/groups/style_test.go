package groups

import (
	"math"
	"testing"

	"feddag/internal/stream"
)

// TestWithoutStyle checks that styles are removed exactly, even if the shares of the classes are very unequal, and that in
// classes which no client connects the differences between clients remain.
func TestWithoutStyle(t *testing.T) {
	const rows, classes, d = 12, 5, 3
	for name, holds := range map[string]func(i, c int) bool{
		"all classes":    func(i, c int) bool { return c < 4 },
		"pairs":          func(i, c int) bool { return c == i%4 || c == (i+1)%4 },
		"not connected":  func(i, c int) bool { return c/2 == i%2 && c < 4 },
		"silent clients": func(i, c int) bool { return c < 4 && i%3 > 0 },
	} {
		random, x := stream.New(1, "test"), newTable(rows, classes, d)
		level := make([]float64, classes*d)
		for k := range level {
			level[k] = random.NormFloat64()
		}
		for i := range rows {
			style := []float64{random.NormFloat64(), random.NormFloat64(), random.NormFloat64()}
			for c := range classes {
				if holds(i, c) {
					x.n[i*classes+c] = float64(1 + random.IntN(500))
					axpy(1, style, x.mean(i, c))
					axpy(1, level[c*d:(c+1)*d], x.mean(i, c))
				}
			}
		}
		got := x.withoutStyle()
		centre := got.centre()
		for i := range rows {
			for c := range classes {
				for f := range d {
					if x.weight(i, c) > 0 && math.Abs(got.mean(i, c)[f]-centre.mean(0, c)[f]) > 1e-6 {
						t.Fatalf("%s: client %d deviates in class %d by %g", name, i, c, got.mean(i, c)[f]-centre.mean(0, c)[f])
					}
				}
			}
		}
		if name != "all classes" {
			continue
		}
		x.mean(0, 0)[1] += 4 // a shift of one class of a client relative to the others is not its style
		moved := x.withoutStyle()
		if gap := moved.mean(0, 0)[1] - moved.mean(0, 1)[1] - got.mean(0, 0)[1] + got.mean(0, 1)[1]; math.Abs(gap-4) > 1e-6 {
			t.Errorf("a class that is shifted by 4 relative to another class differs by %g", gap)
		}
	}
}
