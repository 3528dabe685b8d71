package partition

import (
	"math"
	"testing"

	"feddag/internal/stream"
)

// A share of a symmetric Dirichlet has the mean 1/n and the variance (n-1)/(n^2 (n a + 1)). Over many draws, the sample mean must
// be within five standard errors, and the ratio of the sample variance to the variance within a tolerance that follows from the
// spread of a share's square.
func TestDirichletMoments(t *testing.T) {
	const n, draws = 8, 20000
	for _, a := range []float64{0.001, 0.05, 0.5, 1, 3.5, 100, 1000} {
		var sum, squares, fourth [n]float64
		r := stream.New(7, "test/dirichlet", math.Float64bits(a))
		for range draws {
			total := 0.0
			for i, x := range normalise(logDirichlet(r, a, n)) {
				if math.IsNaN(x) || x < 0 || x > 1 {
					t.Fatalf("concentration %v: share %v", a, x)
				}
				total += x
				d := x - 1.0/n
				sum[i] += x
				squares[i] += d * d
				fourth[i] += d * d * d * d
			}
			if math.Abs(total-1) > 1e-12 {
				t.Fatalf("concentration %v: shares sum to %v", a, total)
			}
		}
		variance := float64(n-1) / (n * n * (n*a + 1))
		for i := range n {
			if z := (sum[i]/draws - 1.0/n) / math.Sqrt(variance/draws); math.Abs(z) > 5 {
				t.Errorf("concentration %v, share %d: mean %v, must be %v (z = %.1f)", a, i, sum[i]/draws, 1.0/n, z)
			}
			got := squares[i] / draws
			if z := (got - variance) / math.Sqrt((fourth[i]/draws-got*got)/draws); math.Abs(z) > 5 {
				t.Errorf("concentration %v, share %d: variance %v, must be %v (z = %.1f)", a, i, got, variance, z)
			}
		}
	}
}

// A share of a flat Dirichlet over three has the distribution Beta(1, 2), F(x) = 1-(1-x)^2. The test uses chi-square over 20
// equal cells, which with 19 degrees of freedom is below 43.8 in 999 of 1000 cases.
func TestDirichletChiSquare(t *testing.T) {
	const cells, draws = 20, 20000
	var seen [cells]int
	r := stream.New(3, "test/chi-square")
	for range draws {
		x := normalise(logDirichlet(r, 1, 3))[0]
		seen[min(cells-1, int(cells*(1-(1-x)*(1-x))))]++
	}
	chi := 0.0
	for _, k := range seen {
		d := float64(k) - draws/cells
		chi += d * d / (draws / cells)
	}
	if chi > 43.8 {
		t.Errorf("chi-square %v of %v", chi, seen)
	}
}

func TestLogGammaExtremes(t *testing.T) {
	for _, a := range []float64{minConcentration, 1e-3, 1, 1e6, maxConcentration} {
		r := stream.New(1, "test/extremes")
		for range 1000 {
			if x := logGamma(r, a); math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("concentration %v: %v", a, x)
			}
		}
	}
}

func TestApportion(t *testing.T) {
	for _, c := range []struct {
		n, least int
		shares   []float64
		want     []int
	}{
		{10, 0, []float64{0.5, 0.25, 0.25}, []int{5, 3, 2}}, // ties to the lower index
		{10, 1, []float64{1, 0, 0}, []int{8, 1, 1}},
		{3, 1, []float64{1, 0, 0}, []int{1, 1, 1}},
		{0, 0, []float64{0.5, 0.5}, []int{0, 0}},
		{7, 0, []float64{1.0 / 3, 1.0 / 3, 1.0 / 3}, []int{3, 2, 2}},
	} {
		got := apportion(c.n, c.shares, c.least)
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("apportion(%d, %v, %d) = %v, want %v", c.n, c.shares, c.least, got, c.want)
				break
			}
		}
	}
	r := stream.New(1, "test/apportion")
	for range 2000 {
		clients := 1 + r.IntN(50)
		least := r.IntN(3)
		n := least*clients + r.IntN(1000)
		total := 0
		for _, k := range apportion(n, normalise(logDirichlet(r, math.Exp(8*r.NormFloat64()/3), clients)), least) {
			if k < least {
				t.Fatalf("a part of %d, at least %d", k, least)
			}
			total += k
		}
		if total != n {
			t.Fatalf("parts sum to %d, not %d", total, n)
		}
	}
}
