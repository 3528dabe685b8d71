package groups

import (
	"math"
	"slices"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// redraw returns two sketches of clients that draw their images with the same class shares and the same style. The first client
// belongs to group a, the second to group b.
func (w *world) redraw(t testing.TB, a, b int) (old, now *Sketch) {
	t.Helper()
	one := *w
	shares, style := w.draw()
	one.fixedShares, one.fixedStyle = shares, style
	old, _ = one.sketch(t, a)
	now, _ = one.sketch(t, b)
	return old, now
}

// changeRates returns the number of tests with p <= 0.1, 0.01 and 0.001, with the given number of unchanged clients per
// federation.
func changeRates(t testing.TB, p planted, runs, clients int) (hits [3]float64) {
	t.Helper()
	for run := range runs {
		w := newWorld(p, uint64(run))
		r := w.roster(t, DefaultOptions())
		for k := range clients {
			i := k % p.clients
			old, now := w.redraw(t, i%p.groups, i%p.groups)
			r.Sketches[i], r.cached = old, nil
			x, err := r.Changed(i, now)
			if err != nil {
				t.Fatal(err)
			}
			for l, level := range [3]float64{0.1, 0.01, 0.001} {
				if x.P <= level {
					hits[l]++
				}
			}
		}
	}
	return hits
}

// TestChangeErrorRate checks that a client whose distribution of images has not changed counts as changed with at most the stated
// probability. Of 20,000 clients of each kind, 1.0% to 7.9% had p <= 0.1, at most 0.86% p <= 0.01 and at most 0.10% p <= 0.001.
// The draws are fixed.
func TestChangeErrorRate(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 1,000 clients of each kind")
	}
	const runs, clients = 50, 20
	for name, p := range federations {
		hits := changeRates(t, p, runs, clients)
		for l, level := range [3]float64{0.1, 0.01, 0.001} {
			if share := hits[l] / (runs * clients); share > level*1.1+2*math.Sqrt(level/(runs*clients)) {
				t.Errorf("%s: %.4f of the unchanged clients have p <= %g", name, share, level)
			}
		}
	}
}

// TestChanged checks that changes of the concept, of the labels and of the appearance of the images are found, in the correct
// view.
func TestChanged(t *testing.T) {
	concepts, domains := federations["three concepts"], federations["two domains"]
	for _, x := range []struct {
		name string
		p    planted
		view []View
		now  func(w *world) (old, now *Sketch)
	}{
		{"concept", concepts, []View{ClassWise}, func(w *world) (old, now *Sketch) { return w.redraw(t, 0, 1) }},
		{"corruption", domains, []View{Common, ClassWise}, func(w *world) (old, now *Sketch) { return w.redraw(t, 0, 1) }},
		{"labels", domains, []View{Labels}, func(w *world) (old, now *Sketch) {
			old, _ = w.sketch(t, 0)
			now, _ = w.sketch(t, 0)
			return old, now
		}},
		{"nothing", domains, nil, func(w *world) (old, now *Sketch) { return w.redraw(t, 0, 0) }},
	} {
		w := newWorld(x.p, 4)
		r := w.roster(t, DefaultOptions())
		found := 0
		for range 20 {
			old, now := x.now(w)
			r.Sketches[0], r.cached = old, nil
			c, err := r.Changed(0, now)
			if err != nil {
				t.Fatal(err)
			}
			if c.P <= r.options.Alpha {
				found++
				if !slices.Contains(x.view, c.View) || c.View == ClassWise && len(c.Classes) == 0 {
					t.Errorf("%s: %+v", x.name, c)
				}
			}
		}
		if want := 20 * min(len(x.view), 1); found < want-2 || found > want {
			t.Errorf("%s: %d of 20 changes are found", x.name, found)
		}
	}
}

// TestChangedOfLittle checks clients with little information.
func TestChangedOfLittle(t *testing.T) {
	w := newWorld(federations["few clients"], 1)
	r := w.roster(t, DefaultOptions())
	silent := &Sketch{[Halves][]int{make([]int, 5), make([]int, 5)}, [Halves]*mat.Dense{mat.NewDense(5, 20, nil), mat.NewDense(5, 20, nil)}}
	if x, err := r.Changed(0, silent); err != nil || x.P != 1 {
		t.Errorf("a client that has no images now: %+v, %v", x, err)
	}
	if x, err := r.Changed(0, r.Sketches[0]); err != nil || x.P != 1 {
		t.Errorf("a client with the same sketch: %+v, %v", x, err)
	}
	now := r.Sketches[0]
	r.Sketches[0], r.cached = silent, nil
	if x, err := r.Changed(0, now); err != nil || x.P != 0 || len(x.Only) == 0 {
		t.Errorf("a client that had no images: %+v, %v", x, err)
	}
	if _, err := r.Changed(6, now); err == nil {
		t.Error("client 6 of six is tested")
	}
	if _, err := r.Changed(1, nil); err == nil {
		t.Error("no sketch is tested")
	}
}

// TestHypergeometric checks the draws against the probabilities.
func TestHypergeometric(t *testing.T) {
	random, count := stream.New(1, "test"), map[float64]float64{}
	const draws, good, bad, n = 20000, 6, 5, 7
	factorials := []float64{0}
	for k := 1.; k <= good+bad; k++ {
		factorials = append(factorials, factorials[len(factorials)-1]+math.Log(k))
	}
	for range draws {
		count[hypergeometric(random, good, bad, n, factorials)]++
	}
	for k := 2.; k <= 6; k++ {
		choose := func(n, k float64) float64 { return math.Exp(logGamma(n+1) - logGamma(k+1) - logGamma(n-k+1)) }
		want := choose(good, k) * choose(bad, n-k) / choose(good+bad, n)
		if got := count[k] / draws; math.Abs(got-want) > 4*math.Sqrt(want/draws) {
			t.Errorf("%g good ones: a share of %g, want %g", k, got, want)
		}
		delete(count, k)
	}
	if len(count) > 0 {
		t.Errorf("impossible numbers of good ones: %v", count)
	}
}

// TestGTest checks the level of the test of the labels if the counts are small, and that a clear change has a small p-value.
func TestGTest(t *testing.T) {
	random, hits := stream.New(2, "test"), 0
	const runs = 2000
	for range runs {
		x, y := make([]float64, 4), make([]float64, 4)
		for range 6 {
			x[min(random.IntN(6), 3)]++
			y[min(random.IntN(6), 3)]++
		}
		if gTest(x, y, 0.01, random) <= 0.1 {
			hits++
		}
	}
	if share := float64(hits) / runs; share > 0.1+3*math.Sqrt(0.1/runs) || share < 0.02 {
		t.Errorf("%.4f of the tests have p <= 0.1", share)
	}
	if p := gTest([]float64{30, 10}, []float64{10, 30}, 0.001, random); p > 1e-3 {
		t.Errorf("30 and 10 against 10 and 30 has p = %g", p)
	}
	if p := gTest([]float64{30, 10}, []float64{31, 9}, 0.001, random); p < 0.3 {
		t.Errorf("30 and 10 against 31 and 9 has p = %g", p)
	}
}
