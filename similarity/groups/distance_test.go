package groups

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestDistances checks that the distances between clients of one group are 0 on average with the stated standard deviation, that
// other distances are large, and that rows, samples and the definition agree.
func TestDistances(t *testing.T) {
	p := federations["two domains"]
	own, other, squares, n, m := 0., 0., 0., 0., 0.
	for run := range 5 {
		r := newWorld(p, uint64(run)).roster(t, DefaultOptions())
		d, err := r.Distances(nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range p.clients {
			if d.At(i, i) != 0 {
				t.Errorf("client %d is %g from itself", i, d.At(i, i))
			}
			for j := range i {
				if i%p.groups == j%p.groups {
					own, squares, n = own+d.At(i, j), squares+d.At(i, j)*d.At(i, j), n+1
				} else {
					other, m = other+d.At(i, j), m+1
				}
			}
		}
	}
	if own /= n; math.Abs(own) > 0.15 {
		t.Errorf("clients of one group are %g apart on average", own)
	}
	if squares /= n; squares < 0.7 || squares > 1.4 {
		t.Errorf("the mean square of their distances is %g", squares)
	}
	if other /= m; other < 5 {
		t.Errorf("clients of different groups are %g apart on average", other)
	}
	r := newWorld(p, 9).roster(t, DefaultOptions())
	all, err := r.Distances(nil)
	if err != nil {
		t.Fatal(err)
	}
	who := []int{3, 4, 11, 20}
	some, err := r.Distances(who)
	if err != nil {
		t.Fatal(err)
	}
	f := r.finder()
	for k := range 2 {
		for j, b := range who {
			a, sum, classes := who[k+1], 0., 0.
			for c := range p.classes {
				var x [Halves][]float64
				g := 1.
				for h, w := range f.whiteHalves {
					x[h] = slices.Clone(w.mean(a, c))
					axpy(-1, w.mean(b, c), x[h])
					g *= w.weight(a, c) * w.weight(b, c) / max(w.weight(a, c)+w.weight(b, c), 1)
				}
				if g > 0 {
					sum, classes = sum+math.Sqrt(g)*dot(x[0], x[1]), classes+1
				}
			}
			want := sum / (mat.Norm(f.metric.noise, 2) * math.Sqrt(classes))
			if a == b {
				want = 0
			}
			if got := some.At(k+1, j); math.Abs(got-want) > 1e-9*(1+math.Abs(want)) || math.Abs(got-all.At(a, b)) > 1e-9*(1+math.Abs(want)) {
				t.Errorf("clients %d and %d are %g apart, of all %g, want %g", a, b, got, all.At(a, b), want)
			}
		}
	}
	if _, err := r.Distances([]int{1, 30}); err == nil {
		t.Error("client 30 of 30 has distances")
	}
}

// TestDistancesByLabels checks that clients of different label clusters have a distance although they share no class, and that
// other clients do not.
func TestDistancesByLabels(t *testing.T) {
	r := newWorld(planted{clients: 12, groups: 2, classes: 4, d: 4, images: 60, concentration: 1}, 1).roster(t, DefaultOptions())
	for i, s := range r.Sketches {
		for h := range Halves {
			for c := range 4 {
				if c/2 != i%2 {
					s.Counts[h][c] = 0
				}
			}
		}
	}
	r.labelOf = []int{0, 1}
	r.cached = nil
	d, err := r.Distances(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		for j := range i {
			if x := d.At(i, j); i%2 != j%2 && x < 4 || i%2 == j%2 && x > 3 {
				t.Errorf("clients %d and %d are %g apart", i, j, x)
			}
		}
	}
}

func TestSample(t *testing.T) {
	if got := Sample(5, 9, 1); !slices.Equal(got, sequence(5)) {
		t.Errorf("of five clients, at most nine are %v", got)
	}
	got := Sample(1000, 100, 1)
	if len(got) != 100 || !slices.IsSorted(got) || len(slices.Compact(slices.Clone(got))) != 100 || got[99] >= 1000 {
		t.Errorf("the sample is %v", got)
	}
	if slices.Equal(got, Sample(1000, 100, 2)) {
		t.Error("another seed gives the same sample")
	}
}
