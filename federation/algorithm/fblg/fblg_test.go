package fblg

import (
	"math"
	"slices"
	"testing"

	"feddag/federation/algorithm"
	"feddag/federation/federationtest"

	"gonum.org/v1/gonum/mat"
)

// TestGraphDistances checks that the distances are symmetric with a zero diagonal, at most 1, and satisfy the triangle
// inequality, and that equal features have distance 0.
func TestGraphDistances(t *testing.T) {
	features := make([][]float64, 6)
	for i := range features {
		x := make([]float32, 8) // two rows of four
		for k := range x {
			x[k] = float32(1 + math.Sin(float64(7*i+3*k*k)))
		}
		features[i] = meanFeature(x, 4)
		var sum float64
		for _, f := range features[i] {
			sum += f
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("a feature sums to %g", sum)
		}
	}
	d := graphDistances(features)
	longest := 0.0
	for i := range 6 {
		if d.At(i, i) != 0 {
			t.Errorf("D[%d][%d] is %g", i, i, d.At(i, i))
		}
		for j := range 6 {
			longest = max(longest, d.At(i, j))
			for k := range 6 {
				if d.At(i, j) < 1 && d.At(i, j) > d.At(i, k)+d.At(k, j)+1e-12 {
					t.Errorf("the path from %d to %d is shorter through %d", i, j, k)
				}
			}
		}
	}
	if longest != 1 {
		t.Errorf("the longest distance is %g", longest)
	}
	if x := graphDistances(slices.Repeat(features[:1], 3)); mat.Max(x) != 0 {
		t.Errorf("equal features are at %g", mat.Max(x))
	}
	if f := meanFeature(make([]float32, 4), 4); math.Abs(f[0]-.25) > 1e-12 {
		t.Errorf("zeros become %v", f)
	}
	if j := divergence([]float64{1 - 1e-12, 1e-12}, []float64{1e-12, 1 - 1e-12}); math.Abs(j-1) > 1e-6 {
		t.Errorf("of opposite distributions: %g bits", j)
	}
}

// TestMaximise checks that for few clients the choice is close to the best one, and that without distances it has the largest
// values.
func TestMaximise(t *testing.T) {
	const n, m = 7, 3
	value := func(h *mat.SymDense, chosen []int) (sum float64) {
		for _, i := range chosen {
			for _, j := range chosen {
				if j <= i {
					sum += h.At(i, j)
				}
			}
		}
		return sum
	}
	for try := range 20 {
		h := mat.NewSymDense(n, nil)
		for i := range n {
			for j := range i + 1 {
				h.SetSym(i, j, math.Abs(math.Sin(float64(1+try*31+i*7+j*13+i*j))))
			}
		}
		best := 0.0
		for set := range 1 << n {
			var chosen []int
			for i := range n {
				if set>>i&1 == 1 {
					chosen = append(chosen, i)
				}
			}
			if len(chosen) == m {
				best = max(best, value(h, chosen))
			}
		}
		got := maximise(h, m)
		if len(got) != m || !slices.IsSorted(got) || value(h, got) < 0.95*best {
			t.Errorf("%v has %g, the best %g", got, value(h, got), best)
		}
	}
	h := mat.NewSymDense(4, nil)
	for i, x := range []float64{.1, .4, .2, .3} {
		h.SetSym(i, i, x)
	}
	if got := maximise(h, 2); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("without distances %v are chosen", got)
	}
}

// TestFBLGTakesTheHighestLosses checks that with as many candidates as the round has clients, these are the clients with the
// highest losses.
func TestFBLGTakesTheHighestLosses(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fblg").(*FBLG)
	a.Candidates = 0.5
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	chosen, err := e.Participants(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	losses, err := algorithm.TrainingLosses(e, a.Net, a.States, e.Clients, false)
	if err != nil {
		t.Fatal(err)
	}
	least := math.Inf(1)
	for _, c := range chosen {
		least = min(least, losses[0][c.ID].Loss)
	}
	for i, c := range e.Clients {
		if !slices.Contains(chosen, c) && losses[0][i].Loss > least {
			t.Errorf("client %d has a loss of %g and is left out, one of %g is not", i, losses[0][i].Loss, least)
		}
	}
	if len(chosen) != 4 {
		t.Errorf("%d clients are chosen", len(chosen))
	}
}
