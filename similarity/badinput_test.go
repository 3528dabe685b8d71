package similarity

import (
	"bytes"
	"feddag/similarity/agreement"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestOddInput checks that every unusual but valid input has a defined result, with every method, fusion and rule.
func TestOddInput(t *testing.T) {
	base, _ := synthetic(12, 3, 4, 20, 2, 5)
	copied := func(change func(s []Sketch) []Sketch) []Sketch {
		s := make([]Sketch, len(base))
		for i, b := range base {
			s[i] = Sketch{slices.Clone(b.Counts), slices.Clone(b.Bases), slices.Clone(b.Update)}
		}
		return change(s)
	}
	empty := func(s []Sketch, i int) {
		clear(s[i].Counts)
		clear(s[i].Bases)
		clear(s[i].Update)
	}
	cases := map[string][]Sketch{
		"one client":  copied(func(s []Sketch) []Sketch { return s[:1] }),
		"two clients": copied(func(s []Sketch) []Sketch { return s[:2] }),
		"a client without samples": copied(func(s []Sketch) []Sketch {
			empty(s, 3)
			return s
		}),
		"no samples at all": copied(func(s []Sketch) []Sketch {
			for i := range s {
				empty(s, i)
			}
			return s
		}),
		"a class with one sample": copied(func(s []Sketch) []Sketch {
			for c, n := range s[0].Counts {
				s[0].Counts[c] = min(n, 1)
			}
			return s
		}),
		"duplicates": copied(func(s []Sketch) []Sketch { return append(s, s...) }),
		"all alike":  copied(func(s []Sketch) []Sketch { return slices.Repeat(s[:1], 9) }),
		"all zero updates": copied(func(s []Sketch) []Sketch {
			for i := range s {
				clear(s[i].Update)
			}
			return s
		}),
	}
	for name, sketches := range cases {
		for _, method := range MethodNames {
			for _, fusion := range []string{"shared", "mlp", "direct", "fixed:1"} {
				for _, choose := range []string{"silhouette", "bend", "ratio", "eigengap", "loss", "fixed:0.3", "count:1"} {
					for _, rules := range RuleSets {
						o := DefaultOptions()
						o.Method, o.Fusion, o.Choose, o.Rules = method, fusion, choose, rules
						if o.Validate() != nil || fusion == "mlp" && choose != "silhouette" {
							continue // spectral has no threshold; the network is slow, and the rules only read A
						}
						what := fmt.Sprintf("%s, %s, %s, %s, %s", name, method, fusion, choose, rules)
						r, err := Cluster(sketches, o, nil)
						if err != nil {
							t.Errorf("%s: %v", what, err)
							continue
						}
						if err := checkPartition(r.Clusters, len(sketches)); err != nil {
							t.Errorf("%s: %v", what, err)
						}
						alike := name == "all alike" || name == "no samples at all" || len(sketches) <= 2
						if alike && (choose == "silhouette" || choose == "bend" || choose == "eigengap") && len(r.Clusters) != 1 {
							t.Errorf("%s: %d clusters of clients that cannot be told apart", what, len(r.Clusters))
						}
						if len(r.Clusters) == 1 && (len(r.Graph) != 1 || len(r.Graph[0]) != 0) {
							t.Errorf("%s: one cluster, graph %v", what, r.Graph)
						}
						for _, c := range r.Candidates {
							for _, x := range []float64{c.Threshold, c.Loss, c.L1, c.L2, c.Silhouette, c.Ratio, r.EntropyBefore, r.EntropyAfter} {
								if math.IsNaN(x) || math.IsInf(x, 0) {
									t.Errorf("%s: candidate %+v", what, c)
								}
							}
						}
					}
				}
			}
		}
	}
}

// TestEqualMatrices checks that matrices of a single value give one cluster with every rule that has a least value, and that the
// gates learn nothing.
func TestEqualMatrices(t *testing.T) {
	for _, n := range []int{1, 2, 3, 40} {
		for _, x := range []float64{0, 0.5, 1} {
			a := mat.NewSymDense(n, nil)
			for i := range n {
				for j := i + 1; j < n; j++ {
					a.SetSym(i, j, x)
				}
			}
			table, err := Compare(a, DefaultOptions(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range table {
				if row.Method != "ward" && row.Choose != "loss" && row.Choose != "ratio" && len(row.Clusters) != 1 {
					t.Errorf("%d clients at %g, %s, %s: %d clusters", n, x, row.Method, row.Choose, len(row.Clusters))
				}
			}
			scaled, err := MinMax(a)
			if err != nil || mat.Max(scaled) != 0 {
				t.Errorf("%d clients at %g: scaled to %g (%v), want zeros", n, x, mat.Max(scaled), err)
			}
			gates, err := LearnGates(a, a, DefaultOptions())
			if err != nil || gates.After > gates.Before+1e-12 || slices.ContainsFunc(gates.W, func(w float64) bool { return !(w >= 0 && w <= 1) }) {
				t.Errorf("%d clients at %g: gates %+v (%v)", n, x, gates, err)
			}
		}
	}
}

func TestZeroUpdates(t *testing.T) {
	g, err := GradientAngles([][]float64{{0, 0}, {1, 0}, {0, 0}})
	if err != nil {
		t.Fatal(err)
	}
	if g.At(0, 1) != 90 || g.At(0, 2) != 0 {
		t.Errorf("a zero update is at %g degrees from another and at %g from a zero one, want 90 and 0", g.At(0, 1), g.At(0, 2))
	}
}

func TestConstantImages(t *testing.T) {
	grey, black := bytes.Repeat([]byte{9}, 16), make([]byte, 16)
	for _, images := range [][][]byte{{grey, grey, grey}, {black, black}, {black}, slices.Repeat([][]byte{grey}, 40)} {
		u, err := PrincipalVectors(images, 5)
		if err != nil {
			t.Fatal(err)
		}
		if rows, p := u.Dims(); rows != 16 || p != 1 || math.Abs(u.At(3, 0)-0.25) > 1e-12 {
			t.Errorf("constant images give %v", mat.Formatted(u.T()))
		}
	}
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		text    string
		n, want int
	}{{"0.01", 30, 1}, {"0.01", 250, 3}, {"0.01", 149, 1}, {"3", 100, 3}, {"3", 2, 2}, {"1", 9, 1}, {"1.0", 9, 9}, {"0.01", 0, 0}} {
		count, err := ParseCount(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := count.Of(c.n); got != c.want {
			t.Errorf("%s of %d is %d, want %d", c.text, c.n, got, c.want)
		}
		if again, err := ParseCount(count.String()); err != nil || again != count {
			t.Errorf("%s reads back as %v (%v)", c.text, again, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "1.5", "NaN", "three", "0.0"} {
		if _, err := ParseCount(text); err == nil {
			t.Errorf("no error for %q", text)
		}
	}
}

// TestErrors checks that invalid input gives an error that says what is invalid.
func TestErrors(t *testing.T) {
	sketch := func(change func(s []Sketch)) func() error {
		return func() error {
			s, _ := synthetic(6, 2, 2, 10, 2, 6)
			change(s)
			_, err := Cluster(s, DefaultOptions(), nil)
			return err
		}
	}
	option := func(change func(o *Options)) func() error {
		return func() error {
			s, _ := synthetic(6, 2, 2, 10, 2, 6)
			o := DefaultOptions()
			change(&o)
			_, err := Cluster(s, o, nil)
			return err
		}
	}
	a2, a3 := mat.NewSymDense(2, nil), mat.NewSymDense(3, nil)
	nan := mat.NewSymDense(2, []float64{0, math.NaN(), 0, 0})
	for _, c := range []struct {
		want string
		run  func() error
	}{
		{"no client", func() error { _, err := Cluster(nil, DefaultOptions(), nil); return err }},
		{"client 4: coordinate 7 of its update is NaN", sketch(func(s []Sketch) { s[4].Update[7] = math.NaN() })},
		{"client 1: coordinate 0 of its update is -Inf", sketch(func(s []Sketch) { s[1].Update[0] = math.Inf(-1) })},
		{"client 2: its update has 3 coordinates", sketch(func(s []Sketch) { s[2].Update = s[2].Update[:3] })},
		{"client 0: its update has no coordinates", sketch(func(s []Sketch) { s[0].Update = nil })},
		{"client 3 has 1 counts and 2 bases", sketch(func(s []Sketch) { s[3].Counts = s[3].Counts[:1] })},
		{"client 0 has no class counts", sketch(func(s []Sketch) { s[0].Counts = nil })},
		{"client 5: class 1 has 4 samples but no principal vectors", sketch(func(s []Sketch) { s[5].Counts[1], s[5].Bases[1] = 4, nil })},
		{"client 5: class 1 has principal vectors but no samples", sketch(func(s []Sketch) { s[5].Counts[1] = 0 })},
		{"client 5: class 0 has -2 samples", sketch(func(s []Sketch) { s[5].Counts[0] = -2 })},
		{"client 2, class 1: principal vector 1 has length 2", sketch(func(s []Sketch) { s[2].Bases[1].SetCol(1, append([]float64{2}, make([]float64, 9)...)) })},
		{"client 2, class 1: principal vector 0 has length NaN", sketch(func(s []Sketch) { s[2].Bases[1].Set(0, 0, math.NaN()) })},
		{"client 2, class 0: its basis is 9 x 2", sketch(func(s []Sketch) { s[2].Bases[0] = mat.DenseCopyOf(s[2].Bases[0].Slice(0, 9, 0, 2)) })},
		{"its basis is 0 x 0", sketch(func(s []Sketch) { s[2].Bases[0] = new(mat.Dense) })},

		{`rules "x" is unknown: use one of paper, prototype`, option(func(o *Options) { o.Rules = "x" })},
		{`linkage "" is unknown`, option(func(o *Options) { o.Linkage = "" })},
		{`method "k" is unknown`, option(func(o *Options) { o.Method = "k" })},
		{`scaling "k" is unknown`, option(func(o *Options) { o.Scaling = "k" })},
		{`fusion "fixed:1.5" is unknown`, option(func(o *Options) { o.Fusion = "fixed:1.5" })},
		{`choice rule "fixed:" is unknown`, option(func(o *Options) { o.Choose = "fixed:" })},
		{`choice rule "count:0" is unknown`, option(func(o *Options) { o.Choose = "count:0" })},
		{`choice rule "loss:2" is unknown`, option(func(o *Options) { o.Choose = "loss:2" })},
		{"needs a dendrogram", option(func(o *Options) { o.Method, o.Choose = "spectral", "fixed:0.4" })},
		{"raise max clusters", option(func(o *Options) { o.Method, o.Choose, o.MaxClusters = "spectral", "count:4", 2 })},
		{"needs eigenvalues", option(func(o *Options) { o.Choose = "eigengap" })},
		{`angle "x" is unknown: use one of pair, principal`, option(func(o *Options) { o.Angle = "x" })},
		{`angle "principal" has no sign`, option(func(o *Options) { o.Rules, o.Angle = "prototype", "principal" })},
		{"max clusters is 0", option(func(o *Options) { o.MaxClusters = 0 })},
		{"top k is -1", option(func(o *Options) { o.TopK = -1 })},
		{"tau is 0", option(func(o *Options) { o.Tau = 0 })},
		{"lambda is NaN", option(func(o *Options) { o.Lambda = math.NaN() })},
		{"delta is 2", option(func(o *Options) { o.Delta = 2 })},
		{"raise epsilon", func() error {
			o := DefaultOptions()
			o.Epsilon = 0
			_, err := NewWeights([][]int{{1, 2}}, o)
			return err
		}},
		{"client 1 has counts for 1 classes", func() error { _, err := NewWeights([][]int{{1, 2}, {1}}, DefaultOptions()); return err }},

		{"the numbers must be equal", func() error { _, err := Fuse(a2, a3, []float64{1, 1}); return err }},
		{"client 1: its gate is -1", func() error { _, err := Fuse(a2, a2, []float64{1, -1}); return err }},
		{"the entry of clients 0 and 1 is NaN", func() error { _, err := MinMax(nan); return err }},
		{"the distance between clients 0 and 1 is NaN", func() error { _, err := Agglomerate(nan, "single"); return err }},
		{`linkage "median" is unknown`, func() error { _, err := Agglomerate(a2, "median"); return err }},
		{"the distance between clients 0 and 1 is NaN", func() error { _, _, err := spectral(nan, DefaultOptions(), nil); return err }},
		{"client 1 is in no cluster", func() error { _, _, _, err := Loss(a2, [][]int{{0}}, DefaultOptions()); return err }},
		{"client 0 is in two clusters", func() error { _, err := Silhouette(a2, [][]int{{0}, {0}}); return err }},
		{"clients are 0..1", func() error { _, err := Silhouette(a2, [][]int{{0}, {5}}); return err }},
		{"cluster 1 is empty", func() error { _, _, err := CCGraph([][]int{{1}}, nil, [][]int{{0}, {}}, 1, false); return err }},
		{"angles for 0 classes", func() error { _, _, err := CCGraph([][]int{{1}}, nil, [][]int{{0}}, 1, true); return err }},
		{"the numbers must be equal", func() error { _, err := agreement.AdjustedRandIndex([]int{1}, nil); return err }},
		{"the numbers must be equal", func() error { _, err := agreement.NormalisedMutualInformation(nil, nil); return err }},
		{"the numbers must be equal", func() error { _, err := agreement.Purity([]int{1}, nil); return err }},
		{"no image", func() error { _, err := PrincipalVectors(nil, 1); return err }},
		{"the number of vectors is 0", func() error { _, err := PrincipalVectors([][]byte{{1}}, 0); return err }},
		{"image 1 has 2 pixels", func() error { _, err := PrincipalVectors([][]byte{{1}, {1, 2}}, 1); return err }},
		{"image 0 has 0 pixels", func() error { _, err := PrincipalVectors([][]byte{{}}, 1); return err }},
	} {
		if err := c.run(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", err, c.want)
		}
	}
}
