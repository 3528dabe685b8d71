package groups

import (
	"reflect"
	"slices"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// TestFewClients checks that groups of two clients are found with moderated noise, but not with the noise between clients alone.
func TestFewClients(t *testing.T) {
	group := func(i int) int { return i / 2 }
	sketches, scatter := drawClients(t, 4, 3, 8, 200, 0, func(i, c int) float64 { return 2 * float64(group(i)) * float64(c) })
	o := DefaultOptions()
	for prior, want := range map[float64]int{0: 1, 10: 2} {
		o.Prior = prior
		r, err := Find(sketches, scatter, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Clusters) != want {
			t.Errorf("prior %g: the clusters are %v, want %d", prior, r.Clusters, want)
		}
	}
}

// TestStyles checks that clients with individual styles are one cluster, although a test distinguishes all of them, and that two
// groups of such clients are still found.
func TestStyles(t *testing.T) {
	for _, gap := range []float64{0, 3} {
		sketches, scatter := drawClients(t, 40, 3, 6, 400, 0.2, func(i, c int) float64 { return gap * float64(i%2) })
		r, err := Find(sketches, scatter, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if want := 1 + int(min(gap, 1)); len(r.Clusters) != want {
			t.Errorf("gap %g: the clusters are %v, want %d", gap, r.Clusters, want)
		}
		if gap > 0 {
			continue
		}
		f := newFinder(sketches, sequence(len(sketches)), 3, 6, scatter, DefaultOptions())
		if err := f.whiten(r.Clusters); err != nil {
			t.Fatal(err)
		}
		halves := [Halves]*table{f.whiteHalves[0], f.whiteHalves[1]}
		if p := pValue(halves[0], halves[1], Common, 0, nil, nil); p > 1e-6 {
			t.Errorf("the styles are so small that the test does not see them: p = %g", p)
		}
	}
}

// TestGroupsSideBySide checks that four evenly spaced groups are found, which a cut in two cannot distinguish from one cloud.
func TestGroupsSideBySide(t *testing.T) {
	sketches, scatter := drawClients(t, 20, 3, 6, 400, 0.05, func(i, c int) float64 { return float64(i % 4) })
	r, err := Find(sketches, scatter, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	truth := make([]int, len(sketches))
	for i := range truth {
		truth[i] = i % 4
	}
	if want := byLabel(truth); !reflect.DeepEqual(r.Clusters, want) {
		t.Errorf("the clusters are %v, want %v", r.Clusters, want)
	}
}

// drawClients returns the sketches of clients whose images have d Gaussian features. shift moves all features of a class of a
// client; style is the standard deviation of the shift of each feature of all images of a client.
func drawClients(t testing.TB, clients, classes, d, images int, style float64, shift func(i, c int) float64) ([]*Sketch, *mat.SymDense) {
	t.Helper()
	var sketches []*Sketch
	total := mat.NewSymDense(d, nil)
	for i := range clients {
		random := stream.New(7, "test", uint64(i))
		own := make([]float64, d)
		for f := range own {
			own[f] = style * random.NormFloat64()
		}
		x, labels := mat.NewDense(images, d, nil), make([]int, images)
		for k := range images {
			labels[k] = random.IntN(classes)
			for f := range d {
				x.Set(k, f, random.NormFloat64()+float64(labels[k]*(f%3))+own[f]+shift(i, labels[k]))
			}
		}
		s, scatter, err := NewSketch(x, labels, classes, random)
		if err != nil {
			t.Fatal(err)
		}
		sketches = append(sketches, s)
		total.AddSym(total, scatter)
	}
	return sketches, total
}

// TestOrderOfClients checks that the same clients in another order give the same clusters.
func TestOrderOfClients(t *testing.T) {
	c := readArrays(t).Cases[3]
	sketches, scatter := c.sketches()
	order := stream.New(1, "test").Perm(len(sketches))
	moved := make([]*Sketch, len(sketches))
	truth := make([]int, len(sketches))
	for k, i := range order {
		moved[k], truth[k] = sketches[i], c.Truth[i]
	}
	r, err := Find(moved, scatter, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if want := byLabel(truth); !reflect.DeepEqual(r.Clusters, want) {
		t.Errorf("the clusters are %v, want %v", r.Clusters, want)
	}
}

// TestPolish checks that groups with clients of the same true group are merged, and that misplaced clients change their group.
func TestPolish(t *testing.T) {
	c := readArrays(t).Cases[3]
	f := c.finder(t)
	if err := f.whiten(c.Clusters); err != nil {
		t.Fatal(err)
	}
	a, b, d := c.Clusters[0], c.Clusters[1], c.Clusters[2]
	for name, groups := range map[string][][]int{
		"as they are":     {a, b, d},
		"one in two":      {a[:4], b, a[4:], d},
		"two in two":      {a[:3], b[4:], a[3:], d, b[:4]},
		"clients swapped": {slices.Concat(a[2:], b[:2]), slices.Concat(b[2:], a[:2]), d},
	} {
		if got := sorted(f.polish(groups)); !reflect.DeepEqual(got, c.Clusters) {
			t.Errorf("%s: the groups are %v, want %v", name, got, c.Clusters)
		}
	}
}

// TestShatters checks that a few clients which all differ are one cluster, and that a few clients in similar pairs are not.
func TestShatters(t *testing.T) {
	for style, want := range map[float64]int{0: 4, 1: 1} {
		sketches, scatter := drawClients(t, 8, 3, 6, 300, style, func(i, c int) float64 { return 2 * (1 - style) * float64(i/2*c) })
		f := newFinder(sketches, sequence(8), 3, 6, scatter, DefaultOptions())
		if err := f.whiten([][]int{sequence(8)}); err != nil {
			t.Fatal(err)
		}
		if p := f.leastP(sequence(8)); p > f.level(sequence(8)) {
			t.Fatalf("style %g: the clients are too much alike for this test: p = %g", style, p)
		}
		if got := f.shatters(sequence(8)); got != (style > 0) {
			t.Errorf("style %g: the clients shatter: %v", style, got)
		}
		r, err := Find(sketches, scatter, DefaultOptions())
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Clusters) != want {
			t.Errorf("style %g: the clusters are %v, want %d", style, r.Clusters, want)
		}
	}
}

// TestWard checks the clusters of points on a line, and that merges of equal height are applied together.
func TestWard(t *testing.T) {
	points := [][]float64{{0}, {10}, {1}, {11}, {30}}
	for clusters, want := range map[int][][]int{
		9: {{0}, {1}, {2}, {3}, {4}},
		5: {{0}, {1}, {2}, {3}, {4}},
		4: {{0, 2}, {1, 3}, {4}}, // 0 to 1 is as far as 10 to 11
		3: {{0, 2}, {1, 3}, {4}},
		2: {{0, 1, 2, 3}, {4}},
		1: {{0, 1, 2, 3, 4}},
	} {
		if got := byLabel(ward(points, clusters)); !reflect.DeepEqual(got, want) {
			t.Errorf("at most %d clusters: %v, want %v", clusters, got, want)
		}
	}
}
