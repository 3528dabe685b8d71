package groups

import (
	"reflect"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestStability checks that halves of the images give the same groups if the groups are well separated, and do not if the
// clusters are not groups.
func TestStability(t *testing.T) {
	p := federations["two domains"]
	r := newWorld(p, 3).roster(t, DefaultOptions())
	s, err := r.Stability()
	if err != nil {
		t.Fatal(err)
	}
	if want := (Stability{1, [Halves]float64{1, 1}, [Halves]int{2, 2}, []float64{1, 1}}); !reflect.DeepEqual(s, want) {
		t.Errorf("two domains: %+v", s)
	}
	p.groups, p.domain = 1, 0
	r = newWorld(p, 3).roster(t, DefaultOptions())
	r.Clusters, r.labelOf = [][]int{{}, {}, {}}, []int{0, 0, 0}
	for i := range p.clients {
		r.Clusters[1+i%2] = append(r.Clusters[1+i%2], i)
	}
	s, err = r.Stability()
	if err != nil || s.ARI != 1 || s.Found[0] != 0 || s.Clusters != [Halves]int{1, 1} || !reflect.DeepEqual(s.Jaccard, []float64{0, 0.5, 0.5}) {
		t.Errorf("one group in two: %+v, %v", s, err)
	}
	nothing := mat.NewDense(p.classes, p.d, nil)
	one := &Sketch{[Halves][]int{make([]int, p.classes), make([]int, p.classes)}, [Halves]*mat.Dense{nothing, nothing}}
	one.Counts[1][0] = 1 // half 0 is empty
	if _, err := r.Add([]*Sketch{one}, nil); err != nil {
		t.Fatal(err)
	}
	if s, err = r.Stability(); err != nil || s.ARI != 1 {
		t.Errorf("with a client of one image: %+v, %v", s, err)
	}
	for i, x := range r.Sketches { // half 0 shows groups of labels, half 1 does not
		other := &Sketch{[Halves][]int{make([]int, p.classes), make([]int, p.classes)}, [Halves]*mat.Dense{x.Means[0], nothing}}
		for k := range 2 {
			other.Counts[0][2*(i%2)+k], other.Counts[1][k] = 20+5*k, 20+5*k
		}
		r.Sketches[i] = other
	}
	r.cached = nil
	if s, err = r.Stability(); err != nil || s.Clusters[0] < 2 || s.Clusters[1] != 1 {
		t.Errorf("groups only in half 0: %+v, %v", s, err)
	}
	for i := range r.Sketches {
		r.Sketches[i] = one
	}
	if _, err = r.Stability(); err == nil {
		t.Error("a half without images has groups")
	}
}
