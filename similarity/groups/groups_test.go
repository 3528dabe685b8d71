package groups

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// arrays is testdata/arrays.json, which testdata/make_arrays.py writes.
type arrays struct {
	Features []struct {
		Shape    [3]int // channels, height, width
		Pixels   []byte
		Features []float64
	}
	Codes []struct {
		Counts   [][]float64
		Clients  int
		Length   float64
		Clusters [][]int
	}
	Cases []sketchCase
}

// sketchCase is the sketches of some clients, and what is found in them.
type sketchCase struct {
	Kind         string
	Counts       [][Halves][]int
	Means        [][Halves][][]float64
	Scatter      [][]float64
	Truth        []int
	Clusters     [][]int
	Who          []int        // the clients that are tested
	P, Moderated [][2]float64 // per view, by the half that learns; not multiplied
	Few          [][2]float64 // moderated, of the first three clients
	Order        []int
	Inside       []float64 // share of the covariance, per view
	Unlike       float64   // of every second client and the others
}

func readArrays(t testing.TB) (a arrays) {
	t.Helper()
	text, err := os.ReadFile("testdata/arrays.json")
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Features) == 0 || len(a.Codes) == 0 || len(a.Cases) == 0 {
		t.Fatal("testdata/arrays.json lacks a part")
	}
	return a
}

func (c *sketchCase) sketches() ([]*Sketch, *mat.SymDense) {
	var sketches []*Sketch
	for i, counts := range c.Counts {
		s := &Sketch{Counts: counts}
		for h, rows := range c.Means[i] {
			s.Means[h] = mat.NewDense(len(rows), len(rows[0]), slices.Concat(rows...))
		}
		sketches = append(sketches, s)
	}
	return sketches, mat.NewSymDense(len(c.Scatter), slices.Concat(c.Scatter...))
}

// finder returns the state of the search with the metric of one cluster of all clients.
func (c *sketchCase) finder(t testing.TB) *finder {
	t.Helper()
	sketches, scatter := c.sketches()
	f := newFinder(sketches, sequence(len(sketches)), len(sketches[0].Counts[0]), scatter.SymmetricDim(), scatter, DefaultOptions())
	if err := f.whiten([][]int{sequence(len(sketches))}); err != nil {
		t.Fatal(err)
	}
	return f
}

// closeTo reports whether got agrees with want to nine digits.
func closeTo(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Abs(want) }

func TestFeatures(t *testing.T) {
	for _, x := range readArrays(t).Features {
		e, err := NewExtractor(x.Shape[0], x.Shape[1], x.Shape[2])
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float64, e.Len())
		if err := e.Features(x.Pixels, got); err != nil {
			t.Fatal(err)
		}
		if len(got) != len(x.Features) {
			t.Fatalf("%v: %d features, want %d", x.Shape, len(got), len(x.Features))
		}
		for k, want := range x.Features {
			if math.Abs(got[k]-want) > 1e-5 {
				t.Errorf("%v: feature %d is %g, want %g", x.Shape, k, got[k], want)
			}
		}
	}
}

func TestFeaturesOfBadImages(t *testing.T) {
	for _, shape := range [][3]int{{0, 28, 28}, {1, 3, 28}, {3, 28, 3}, {1, 0, 0}} {
		if _, err := NewExtractor(shape[0], shape[1], shape[2]); err == nil {
			t.Errorf("there is an extractor for images of %v", shape)
		}
	}
	e, err := NewExtractor(1, 12, 12)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, e.Len())
	if e.Features(make([]byte, 143), out) == nil || e.Features(make([]byte, 144), out[1:]) == nil {
		t.Error("an image of another size has features")
	}
	if err := e.Features(make([]byte, 144), out); err != nil {
		t.Fatal(err)
	}
	for k, x := range out { // A black image: means of 0, energies of one grey level squared.
		if want := []float64{0, math.Log(noiseFloor)}[min(k/16, 1)]; math.Abs(x-want) > 1e-12 {
			t.Errorf("feature %d of a black image is %g, want %g", k, x, want)
		}
	}
}

func TestCodeLength(t *testing.T) {
	for k, x := range readArrays(t).Codes {
		if got := countLabels(x.Counts).codeLength(x.Clients); !closeTo(got, x.Length) {
			t.Errorf("code %d has length %.15g, want %.15g", k, got, x.Length)
		}
		if got := labelClusters(x.Counts, 40); !reflect.DeepEqual(got, x.Clusters) {
			t.Errorf("label clusters of code %d are %v, want %v", k, got, x.Clusters)
		}
	}
}

func TestPValues(t *testing.T) {
	for _, c := range readArrays(t).Cases {
		f := c.finder(t)
		for _, part := range []struct {
			name  string
			who   []int
			prior float64
			want  [][2]float64
		}{{"p", c.Who, 0, c.P}, {"moderated", c.Who, 10, c.Moderated}, {"three clients", c.Who[:3], 10, c.Few}} {
			halves := [Halves]*table{f.whiteHalves[0].pick(part.who), f.whiteHalves[1].pick(part.who)}
			loud := loudness(halves, f.metric.noise)
			for k, view := range imageViews {
				for h := range Halves {
					got := pValue(halves[h], halves[1-h], view, part.prior, f.metric.noise, loud)
					if want := part.want[k][h]; !closeTo(got, want) {
						t.Errorf("%s, %s, %s, half %d learns: p = %.15g, want %.15g", c.Kind, part.name, view, h, got, want)
					}
				}
			}
		}
	}
}

func TestOneCloudAndUnlike(t *testing.T) {
	for _, c := range readArrays(t).Cases {
		f := c.finder(t)
		for k, view := range imageViews {
			inside, total := f.placeTwice(c.Who, view, c.Order)
			if got, want := inside/total, c.Inside[k]; math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
				t.Errorf("%s, %s: the share inside is %.15g, want %.15g", c.Kind, view, got, want)
			}
		}
		var sides [2][]int
		for k, i := range c.Who {
			sides[k%2] = append(sides[k%2], i)
		}
		if got := unlike(f.white.pick(sides[0]).centre(), f.white.pick(sides[1]).centre()); !closeTo(got, c.Unlike) {
			t.Errorf("%s: the halves are unlike by %.15g, want %.15g", c.Kind, got, c.Unlike)
		}
	}
}

// TestCloudQuantile checks the simulated quantiles against another simulation: 0.02, 0.13 and 0.27 for 8, 20 and 100 clients,
// and that the extension to many clients stays below the limit and rises.
func TestCloudQuantile(t *testing.T) {
	f := &finder{quantiles: map[int]float64{}}
	last := 0.
	for _, x := range []struct {
		n    int
		want float64
	}{{8, 0.02}, {20, 0.13}, {100, 0.27}, {400, 0.32}, {10_000, 0.355}} {
		got := f.cloudQuantile(x.n)
		if math.Abs(got-x.want) > 0.015 || got <= last || got >= 1-2/math.Pi {
			t.Errorf("the quantile for %d clients is %g, want about %g", x.n, got, x.want)
		}
		last = got
	}
}

func TestFind(t *testing.T) {
	views := map[string][]View{"labels": {Labels}, "concept2": {Concept, ClassWise}, "concept3": {Concept, ClassWise}, "domain": {Common}}
	for _, c := range readArrays(t).Cases {
		sketches, scatter := c.sketches()
		for _, prior := range []float64{0, 10} {
			o := DefaultOptions()
			o.Prior = prior
			r, err := Find(sketches, scatter, o)
			if err != nil {
				t.Fatalf("%s: %v", c.Kind, err)
			}
			if !reflect.DeepEqual(r.Clusters, c.Clusters) {
				t.Errorf("%s: the clusters are %v, want %v", c.Kind, r.Clusters, c.Clusters)
			}
			if want := byLabel(c.Truth); !reflect.DeepEqual(r.Clusters, want) {
				t.Errorf("%s: the clusters are %v, planted were %v", c.Kind, r.Clusters, want)
			}
			pairs := r.Separations()
			if k := len(r.Clusters); len(pairs) != k*(k-1)/2 {
				t.Errorf("%s: %d pairs of %d clusters", c.Kind, len(pairs), k)
			}
			for _, s := range pairs {
				if !slices.Contains(views[c.Kind], s.View) || s.View != Labels && !(s.P < 1e-6) {
					t.Errorf("%s: %+v", c.Kind, s)
				}
			}
			if _, err := r.Separation(0, 0); err == nil {
				t.Errorf("%s: a cluster is separated from itself", c.Kind)
			}
		}
	}
}

// TestFewClients checks that moderated noise finds groups of two clients, which the noise between clients cannot.
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

// TestStyles checks that clients with styles of their own are one cluster, although a test tells all of them apart, and that two
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
		f := r.finder
		halves := [Halves]*table{f.whiteHalves[0], f.whiteHalves[1]}
		if p := pValue(halves[0], halves[1], Common, 0, nil, nil); p > 1e-6 {
			t.Errorf("the styles are so small that the test does not see them: p = %g", p)
		}
	}
}

// drawClients returns the sketches of clients whose images have d Gaussian features. shift moves all features of a class of a
// client; style is the standard deviation of what moves each feature of all images of a client.
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

func TestSketch(t *testing.T) {
	x := mat.NewDense(5, 2, []float64{1, 2, 3, 4, 5, 9, 10, 10, 20, 10})
	labels := []int{0, 0, 0, 2, 2}
	s, scatter, err := NewSketch(x, labels, 3, rand.New(rand.NewPCG(1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []struct {
		n    int
		mean [2]float64
	}{{3, [2]float64{3, 5}}, {0, [2]float64{}}, {2, [2]float64{15, 10}}} {
		n, m := s.Counts[0][c], s.Counts[1][c]
		if n+m != want.n || max(n-m, m-n) > 1 {
			t.Errorf("class %d: halves of %d and %d images, want %d in all", c, n, m, want.n)
		}
		for f := range 2 {
			got := (float64(n)*s.Means[0].At(c, f) + float64(m)*s.Means[1].At(c, f)) / float64(max(n+m, 1))
			if math.Abs(got-want.mean[f]) > 1e-12 {
				t.Errorf("class %d: the halves' mean of feature %d is %g, want %g", c, f, got, want.mean[f])
			}
		}
	}
	want := mat.NewSymDense(2, []float64{8 + 50, 14, 14, 26}) // by hand, around (3, 5) and (15, 10)
	if !mat.EqualApprox(scatter, want, 1e-12) {
		t.Errorf("the scatter is %v, want %v", mat.Formatted(scatter), mat.Formatted(want))
	}
	for name, bad := range map[string]func() error{
		"label 3": func() error {
			_, _, err := NewSketch(x, []int{0, 0, 0, 2, 3}, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
		"label -1": func() error {
			_, _, err := NewSketch(x, []int{0, 0, 0, 2, -1}, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
		"4 labels":  func() error { _, _, err := NewSketch(x, labels[:4], 3, rand.New(rand.NewPCG(1, 2))); return err },
		"0 classes": func() error { _, _, err := NewSketch(x, labels, 0, rand.New(rand.NewPCG(1, 2))); return err },
		"is NaN": func() error {
			y := mat.DenseCopyOf(x)
			y.Set(1, 1, math.NaN())
			_, _, err := NewSketch(y, labels, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
		"is +Inf": func() error {
			y := mat.DenseCopyOf(x)
			y.Set(1, 1, math.Inf(1))
			_, _, err := NewSketch(y, labels, 3, rand.New(rand.NewPCG(1, 2)))
			return err
		},
	} {
		if err := bad(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestBadSketches(t *testing.T) {
	for name, spoil := range map[string]func(s []*Sketch, scatter *mat.SymDense){
		"client 3 sent no sketch":            func(s []*Sketch, _ *mat.SymDense) { s[3] = nil },
		"client 3: half 1 has counts":        func(s []*Sketch, _ *mat.SymDense) { s[3].Counts[1] = []int{1} },
		"client 3: half 0 has no class":      func(s []*Sketch, _ *mat.SymDense) { s[3].Means[0] = nil },
		"client 3: the means of half 0":      func(s []*Sketch, _ *mat.SymDense) { s[3].Means[0] = mat.NewDense(2, 9, nil) },
		"client 3: half 0 has -1 images":     func(s []*Sketch, _ *mat.SymDense) { s[3].Counts[0][1] = -1 },
		"client 3: feature 2 of class 1":     func(s []*Sketch, _ *mat.SymDense) { s[3].Means[1].Set(1, 2, math.NaN()) },
		"scatter of features 1 and 2 is NaN": func(_ []*Sketch, x *mat.SymDense) { x.SetSym(1, 2, math.NaN()) },
		"cannot be negative":                 func(_ []*Sketch, x *mat.SymDense) { x.SetSym(1, 1, -1) },
		"not positive definite":              func(_ []*Sketch, x *mat.SymDense) { x.SetSym(0, 1, 1e9) },
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

// TestPoorSketches checks clients that say little: the answer is one cluster, and no error.
func TestPoorSketches(t *testing.T) {
	constant := func() ([]*Sketch, *mat.SymDense) { // images that are all the same
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
		want[0] = append(want[0], len(sketches)) // The clusters are of equal size: the first is the largest.
		if !reflect.DeepEqual(r.Clusters, want) || !reflect.DeepEqual(r.Silent, []int{len(sketches)}) {
			t.Errorf("%s: the clusters are %v and %v is silent, want %v", c.Kind, r.Clusters, r.Silent, want)
		}
	}
}

// TestOrderOfClients checks that the same clients in another order are the same clusters.
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

// TestPolish checks that groups which share a true group's clients become one, and that misplaced clients change sides.
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

// TestManyAlone checks that moderated noise gives way to the noise between clients where it would leave clients alone that differ
// for reasons of their own.
func TestManyAlone(t *testing.T) {
	sketches, scatter := drawClients(t, 6, 3, 6, 300, 1, func(int, int) float64 { return 0 })
	o := DefaultOptions()
	o.Prior = 10
	f := newFinder(sketches, sequence(6), 3, 6, scatter, o)
	parts, err := f.grow([][]int{sequence(6)})
	if err != nil {
		t.Fatal(err)
	}
	if len(parts[0]) < 4 {
		t.Fatalf("moderated noise finds %v: the styles are too small for this test", parts[0])
	}
	moderated, err := Find(sketches, scatter, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Prior = 0
	plain, err := Find(sketches, scatter, o)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(moderated.Clusters, plain.Clusters) || len(plain.Clusters) > 2 {
		t.Errorf("the clusters are %v, want those without moderated noise, %v", moderated.Clusters, plain.Clusters)
	}
}

// TestWard checks the clusters of points on a line, and that merges of equal height are made together.
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
