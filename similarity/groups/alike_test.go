package groups

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestAlike checks that clusters of different concepts have similar images under different labels, that clusters of different
// domains do not, and that the labels of similar clusters are not changed.
func TestAlike(t *testing.T) {
	concepts, domains := federations["three concepts"], federations["two domains"]
	both := concepts
	both.domain = 1
	lone := concepts
	lone.clients, lone.images, lone.concentration = 3, 300, 5
	styled := concepts
	styled.style = 0.1
	for _, x := range []struct {
		name                string
		p                   planted
		same, renamed, pair bool
	}{
		{"concepts", concepts, true, true, true},
		{"concepts of one client each", lone, true, true, true},
		{"concepts with styles", styled, true, true, true},
		{"concepts and domains", both, false, true, true},
		{"domains", domains, false, false, false},
	} {
		w := newWorld(x.p, 6)
		r := w.roster(t, DefaultOptions())
		for a := range x.p.groups {
			for b := range x.p.groups {
				if a == b {
					continue
				}
				got := r.alike(r.kinds(), a, b)
				if got.Same != x.same || got.Renamed != x.renamed {
					t.Errorf("%s: clusters %d and %d: %+v", x.name, a, b, got)
				}
				for _, p := range got.Pairs {
					// Class c of group g has the images of class c + g.
					if want := (p.A + a - b + x.p.classes) % x.p.classes; x.p.concept && p.B != want {
						t.Errorf("%s: class %d of cluster %d is class %d of cluster %d, want %d", x.name, p.A, a, p.B, b, want)
					}
				}
				if x.pair && len(got.Pairs) != x.p.classes {
					t.Errorf("%s: clusters %d and %d have pairs %v, want all classes", x.name, a, b, got.Pairs)
				}
			}
		}
		bodies := r.Bodies()
		want := [][]int{sequence(x.p.groups)}
		if !x.same {
			want = nil
			for z := range x.p.groups {
				want = append(want, []int{z})
			}
		}
		if !reflect.DeepEqual(bodies, want) {
			t.Errorf("%s: the bodies are %v, want %v", x.name, bodies, want)
		}
	}
	r := newWorld(concepts, 6).roster(t, DefaultOptions())
	if err := r.Remove(r.Clusters[1]...); err != nil {
		t.Fatal(err)
	}
	if all := r.Likenesses(); len(all) != 1 || all[0].A != 0 || all[0].B != 2 {
		t.Errorf("without cluster 1: %+v", all)
	}
	if bodies := r.Bodies(); !reflect.DeepEqual(bodies, [][]int{{0, 2}}) {
		t.Errorf("without cluster 1 the bodies are %v", bodies)
	}
}

// TestAlikeErrorRate checks that two parts of one group are distinguished with at most the stated probability.
func TestAlikeErrorRate(t *testing.T) {
	if testing.Short() {
		t.Skip("draws 1,000 federations")
	}
	p := planted{clients: 12, groups: 1, classes: 4, d: 8, images: 60, gap: 2, concentration: 1, skew: 1}
	const runs = 1000
	hits := 0.
	for run := range runs {
		w := newWorld(p, uint64(run))
		r := w.roster(t, DefaultOptions())
		r.Clusters, r.labelOf = [][]int{{0, 1, 2, 3, 4, 5}, {6, 7, 8, 9, 10, 11}}, []int{0, 0}
		if r.Likenesses()[0].P <= 0.01 {
			hits++
		}
	}
	if share := hits / runs; share > 0.011+2*math.Sqrt(0.01/runs) {
		t.Errorf("%.4f of the clusters of one group have p <= 0.01", share)
	}
}

// TestCCGraph checks that H equals H of eq. 12 if labels mean the same, and that other labels do not change it.
func TestCCGraph(t *testing.T) {
	p := planted{clients: 12, groups: 3, classes: 5, d: 20, images: 200, gap: 12, concentration: 0.5}
	same := newWorld(p, 2).roster(t, DefaultOptions())
	renamed := newWorld(p, 2).roster(t, DefaultOptions())
	const z = 1 // in cluster 1 of the other roster, class c has the label c + 2
	for _, i := range renamed.Clusters[z] {
		s := &Sketch{}
		for h := range Halves {
			s.Counts[h], s.Means[h] = make([]int, p.classes), mat.NewDense(p.classes, p.d, nil)
			for c := range p.classes {
				e := (c + 2) % p.classes
				s.Counts[h][e] = renamed.Sketches[i].Counts[h][c]
				s.Means[h].SetRow(e, renamed.Sketches[i].Means[h].RawRowView(c))
			}
		}
		renamed.Sketches[i] = s
	}
	h, graph, err := same.CCGraph(2)
	if err != nil {
		t.Fatal(err)
	}
	demand, supply := same.demandSupply()
	for p := range 3 {
		for q := range 3 {
			want := dot(demand[p], supply[q])
			if p == q {
				want = math.Inf(-1)
			}
			if got := h.At(p, q); got != want && (got < 0.99*want || got > 1.2*want) {
				t.Errorf("H of %d and %d is %g, want %g of eq. 12", p, q, got, want)
			}
		}
		if len(graph[p]) != 2 || h.At(p, graph[p][0]) < h.At(p, graph[p][1]) {
			t.Errorf("the sources of %d are %v", p, graph[p])
		}
	}
	other, otherGraph, err := renamed.CCGraph(1)
	if err != nil {
		t.Fatal(err)
	}
	for p := range 3 {
		for q := range 3 {
			// Ties of the ranks are ordered by class, so the labels have a small effect.
			if a, b := h.At(p, q), other.At(p, q); p != q && math.Abs(a-b) > 0.05*a {
				t.Errorf("H of %d and %d is %g, with other names %g", p, q, a, b)
			}
		}
		if !slices.Equal(otherGraph[p], graph[p][:1]) {
			t.Errorf("the source of %d is %v, want %v", p, otherGraph[p], graph[p][:1])
		}
	}
	if err := same.Remove(same.Clusters[2]...); err != nil {
		t.Fatal(err)
	}
	h, graph, err = same.CCGraph(2)
	if err != nil || !math.IsInf(h.At(0, 2), -1) || !math.IsInf(h.At(2, 0), -1) || !reflect.DeepEqual(graph, [][]int{{1}, {0}, {}}) {
		t.Errorf("without cluster 2 the graph is %v (%v)", graph, err)
	}
	if _, _, err := same.CCGraph(-1); err == nil {
		t.Error("a graph of -1 sources")
	}
}

// TestSquareIsUnbiased checks that the squared distance between two kinds of the same images is zero on average, and that its
// standard deviation is the stated one.
func TestSquareIsUnbiased(t *testing.T) {
	p := planted{clients: 8, groups: 2, classes: 2, d: 10, images: 20, gap: 1, concentration: 5}
	sum, squares, n := 0., 0., 0.
	for run := range 300 {
		k := newWorld(p, uint64(run)).roster(t, DefaultOptions()).kinds()
		for c := range p.classes {
			x := k.square(0, c, 1, c) / k.deviation(0, c, 1, c)
			sum, squares, n = sum+x, squares+x*x, n+1
		}
	}
	if mean := sum / n; math.Abs(mean) > 3/math.Sqrt(n) {
		t.Errorf("the mean is %g standard deviations", mean)
	}
	if square := squares / n; square < 0.75 || square > 1.3 {
		t.Errorf("the mean square is %g variances", square)
	}
}
