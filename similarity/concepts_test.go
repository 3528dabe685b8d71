package similarity

import (
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// The test has twelve clients in four clusters that a rule has chosen, 0..3. The merges are 0+1, 2+3, and then both. The chosen
// cut depends on the classes of a cluster's clients and on the meaning of their labels.
func TestWithinConcepts(t *testing.T) {
	cluster := func(i int) int { return i / 3 }
	for _, c := range []struct {
		name    string
		classes [4][]int // which of four classes the clients of each cluster hold
		angle   func(p, q int) float64
		want    int
	}{
		{"two concepts, each split by labels", [4][]int{{0, 1, 2, 3}, {0, 1}, {0, 1, 2, 3}, {2, 3}}, func(p, q int) float64 {
			if p/2 != q/2 {
				return 40
			}
			return 15
		}, 2},
		{"four concepts", [4][]int{{0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}, {0, 1, 2, 3}}, func(p, q int) float64 {
			if p != q {
				return 40
			}
			return 15
		}, 4},
		{"one concept, uneven labels", [4][]int{{0, 1, 2, 3}, {0, 1}, {0, 1, 2, 3}, {2, 3}}, func(p, q int) float64 { return 15 }, 4},
		{"classes of their own", [4][]int{{0, 1}, {1, 2}, {0, 1}, {1, 2}}, func(p, q int) float64 {
			if p/2 != q/2 {
				return 40
			}
			return 15
		}, 4},
		{"no class in common", [4][]int{{0}, {1}, {2}, {3}}, func(p, q int) float64 { return 15 }, 4},
	} {
		var angles []*HeldAngles
		for class := range 4 {
			var owners []int
			for i := range 12 {
				if slices.Contains(c.classes[cluster(i)], class) {
					owners = append(owners, i)
				}
			}
			h := newHeldAngles(owners, 12, 90)
			h.fill(func(i, j int) float64 { return c.angle(cluster(i), cluster(j)) })
			angles = append(angles, h)
		}
		a := mat.NewSymDense(12, nil)
		for i := range 12 {
			for j := range i {
				switch {
				case cluster(i) == cluster(j):
					a.SetSym(i, j, 0.1)
				case cluster(i)/2 == cluster(j)/2:
					a.SetSym(i, j, 0.8)
				default:
					a.SetSym(i, j, 1)
				}
			}
		}
		o := DefaultOptions()
		for rule, want := range map[string]int{"silhouette": c.want, "count:4": 4} {
			o.Choose = rule
			s, err := search(a, angles, o, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Clusters) != want {
				t.Errorf("%s, %s: %d clusters, want %d", c.name, rule, len(s.Clusters), want)
			}
			if chosen := slices.DeleteFunc(slices.Clone(s.Candidates), func(c Candidate) bool { return !c.Chosen }); len(chosen) != 1 || len(chosen[0].Clusters) != want {
				t.Errorf("%s, %s: candidates chosen: %v", c.name, rule, chosen)
			}
		}
		o.Choose, o.Concepts = "silhouette", false
		if s, err := search(a, angles, o, nil); err != nil || len(s.Clusters) != 4 {
			t.Errorf("%s, without: %d clusters (%v)", c.name, len(s.Clusters), err)
		}
	}
}
