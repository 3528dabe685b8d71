package groups

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

func TestBadSketches(t *testing.T) {
	for name, spoil := range map[string]func(s []*Sketch, scatter *mat.SymDense){
		"client 3 sent no sketch":                               func(s []*Sketch, _ *mat.SymDense) { s[3] = nil },
		"client 3: half 1 has counts":                           func(s []*Sketch, _ *mat.SymDense) { s[3].Counts[1] = []int{1} },
		"client 3: half 0 has no class":                         func(s []*Sketch, _ *mat.SymDense) { s[3].Means[0] = nil },
		"client 3: the means of half 0":                         func(s []*Sketch, _ *mat.SymDense) { s[3].Means[0] = mat.NewDense(2, 9, nil) },
		"client 3: half 0 has -1 images":                        func(s []*Sketch, _ *mat.SymDense) { s[3].Counts[0][1] = -1 },
		"client 3: feature 2 of class 1":                        func(s []*Sketch, _ *mat.SymDense) { s[3].Means[1].Set(1, 2, math.NaN()) },
		"scatter matrix has the entry NaN for features 1 and 2": func(_ []*Sketch, x *mat.SymDense) { x.SetSym(1, 2, math.NaN()) },
		"cannot be negative":                                    func(_ []*Sketch, x *mat.SymDense) { x.SetSym(1, 1, -1) },
		"not positive definite":                                 func(_ []*Sketch, x *mat.SymDense) { x.SetSym(0, 1, 1e9) },
		"none of the 6 clients": func(s []*Sketch, _ *mat.SymDense) {
			for _, x := range s {
				x.Counts = [Halves][]int{{0, 0}, {0, 0}}
			}
		},
	} {
		sketches, scatter := drawClients(t, 6, 2, 4, 30, 0, func(int, int) float64 { return 0 })
		spoil(sketches, scatter)
		if _, err := Find(sketches, scatter, DefaultOptions()); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
	sketches, scatter := drawClients(t, 6, 2, 4, 30, 0, func(int, int) float64 { return 0 })
	for _, o := range []Options{{Alpha: 0, Leaves: 40}, {Alpha: math.NaN(), Leaves: 40}, {Alpha: .1}, {Alpha: .1, Leaves: 1, Prior: -1}} {
		if _, err := Find(sketches, scatter, o); err == nil {
			t.Errorf("options %+v are accepted", o)
		}
	}
	if _, err := Find(nil, scatter, DefaultOptions()); err == nil {
		t.Error("no client has clusters")
	}
	if _, err := Find(sketches, nil, DefaultOptions()); err == nil {
		t.Error("clients without a scatter have clusters")
	}
}

// TestPoorSketches checks clients with little information: the result is one cluster and no error.
func TestPoorSketches(t *testing.T) {
	constant := func() ([]*Sketch, *mat.SymDense) { // all images are equal
		var all []*Sketch
		for range 12 {
			x, labels := mat.NewDense(20, 4, nil), make([]int, 20)
			for k := range labels {
				labels[k] = k % 2
				x.SetRow(k, []float64{1, 2, 3, 4})
			}
			s, _, err := NewSketch(x, labels, 2, stream.New(1, "test"))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		return all, mat.NewSymDense(4, nil)
	}
	none := func(int, int) float64 { return 0 }
	for name, draw := range map[string]func() ([]*Sketch, *mat.SymDense){
		"constant images":            constant,
		"one image per client":       func() ([]*Sketch, *mat.SymDense) { return drawClients(t, 12, 1, 4, 1, 0, none) },
		"fewer images than features": func() ([]*Sketch, *mat.SymDense) { return drawClients(t, 8, 1, 40, 2, 0, none) },
		"one class":                  func() ([]*Sketch, *mat.SymDense) { return drawClients(t, 12, 1, 4, 30, 0, none) },
		"one client":                 func() ([]*Sketch, *mat.SymDense) { return drawClients(t, 1, 3, 4, 30, 0, none) },
		"two clients":                func() ([]*Sketch, *mat.SymDense) { return drawClients(t, 2, 3, 4, 30, 0, none) },
	} {
		sketches, scatter := draw()
		for _, prior := range []float64{0, 10} {
			o := DefaultOptions()
			o.Prior = prior
			r, err := Find(sketches, scatter, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			} else if len(r.Clusters) != 1 {
				t.Errorf("%s, prior %g: the clusters are %v, want one", name, prior, r.Clusters)
			}
		}
	}
}

// TestSilentClients checks that clients without images join the largest cluster and change nothing else, and that means of
// classes without images are not read.
func TestSilentClients(t *testing.T) {
	for _, c := range readArrays(t).Cases {
		sketches, scatter := c.sketches()
		classes, d := sketches[0].Means[0].Dims()
		nothing := mat.NewDense(classes, d, nil)
		nothing.Set(0, 0, math.NaN())
		silent := &Sketch{[Halves][]int{make([]int, classes), make([]int, classes)}, [Halves]*mat.Dense{nothing, nothing}}
		r, err := Find(append(sketches, silent), scatter, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		want := make([][]int, len(c.Clusters))
		for z, g := range c.Clusters {
			want[z] = slices.Clone(g)
		}
		want[0] = append(want[0], len(sketches)) // the clusters have equal sizes, so the first counts as the largest
		if !reflect.DeepEqual(r.Clusters, want) || !reflect.DeepEqual(r.Silent, []int{len(sketches)}) {
			t.Errorf("%s: the clusters are %v and %v is silent, want %v", c.Kind, r.Clusters, r.Silent, want)
		}
	}
}
