package similarity

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"feddag/internal/stream"
	"feddag/similarity/agreement"
)

// synthetic returns n clients in z groups: each group has classesEach of the classes, whose images lie near one
// direction per (group, class), and an update close to a direction of the group. The values are random, so no data set is needed.
func synthetic(n, z, classes, pixels, vectors int, seed uint64) (sketches []Sketch, truth []int) {
	r := stream.New(seed, "synthetic")
	noise := func(base []float64, size float64) []float64 {
		v := make([]float64, len(base))
		for k := range v {
			v[k] = base[k] + size*r.NormFloat64()
		}
		return v
	}
	centres := make([][][]float64, z)
	updates := make([][]float64, z)
	for g := range z {
		updates[g] = noise(make([]float64, 64), 1)
		centres[g] = make([][]float64, classes)
		for c := range classes {
			centres[g][c] = noise(make([]float64, pixels), 1)
		}
	}
	for i := range n {
		g := i % z
		if i >= z {
			g = r.IntN(z)
		}
		truth = append(truth, g)
		s := Sketch{make([]int, classes), make([]*mat.Dense, classes), noise(updates[g], 0.3)}
		for c := range classes {
			if (c+g)%z > 1 && classes > 2 { // most groups lack most classes
				continue
			}
			s.Counts[c] = 1 + r.IntN(400)
			u := mat.NewDense(pixels, vectors, nil)
			for k := range vectors {
				size := 0.1
				if k > 0 {
					size = 1 // only the first is a direction of the group
				}
				u.SetCol(k, noise(centres[g][c], size))
			}
			s.Bases[c] = orthonormal(u)
		}
		sketches = append(sketches, s)
	}
	return sketches, truth
}

func orthonormal(u *mat.Dense) *mat.Dense {
	f, p := u.Dims()
	rows := mat.DenseCopyOf(u.T())
	for k := range p {
		orthonormalise(rows.RawRowView(k), rows, 0, k)
	}
	q := mat.NewDense(f, p, nil)
	q.Copy(rows.T())
	return q
}

func mustCluster(t testing.TB, sketches []Sketch, o Options) *Result {
	t.Helper()
	r, err := Cluster(sketches, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// permuted returns m with row and column order[i] at position i.
func permuted(m *mat.SymDense, order []int) *mat.SymDense {
	p := mat.NewSymDense(len(order), nil)
	for i, a := range order {
		for j := i; j < len(order); j++ {
			p.SetSym(i, j, m.At(a, order[j]))
		}
	}
	return p
}

func TestGroupsAreFound(t *testing.T) {
	sketches, truth := synthetic(60, 4, 8, 40, 3, 1)
	for _, method := range MethodNames {
		for _, linkage := range LinkageNames {
			for _, fusion := range []string{"shared", "mlp", "direct", "fixed:0", "fixed:0.5", "fixed:1"} {
				if linkage != "average" && (method == "spectral" || fusion == "mlp") {
					continue // it does not read the linkage, or is slow and reads it in the same way
				}
				o := DefaultOptions()
				o.Method, o.Linkage, o.Fusion = method, linkage, fusion
				r := mustCluster(t, sketches, o)
				if score, _ := agreement.AdjustedRandIndex(agreement.Labels(r.Clusters, 60), truth); fusion != "mlp" && score != 1 {
					t.Errorf("%s, %s, %s: %d clusters, adjusted Rand index %.3f", method, linkage, fusion, len(r.Clusters), score)
				}
				for _, choose := range []string{"bend", "eigengap"} {
					o.Choose = choose
					if o.Validate() != nil || fusion == "mlp" {
						continue
					}
					if c, err := Search(r.Proximity, o); err != nil || !slices.EqualFunc(c.Clusters, r.Clusters, slices.Equal) {
						t.Errorf("%s, %s, %s: %s gives %v (%v)", method, linkage, fusion, choose, c, err)
					}
				}
				if err := checkPartition(r.Clusters, 60); err != nil {
					t.Error(err)
				}
				if method == "spectral" {
					if len(r.Eigenvalues) != o.MaxClusters+1 {
						t.Errorf("%d eigenvalues, want %d", len(r.Eigenvalues), o.MaxClusters+1)
					}
				} else if got := r.Dendrogram.Cut(r.Threshold); !slices.EqualFunc(got, r.Clusters, slices.Equal) {
					t.Errorf("the cut at the stored threshold is %v, the clusters are %v", got, r.Clusters)
				}
			}
		}
	}
}

func TestPermutationOfClients(t *testing.T) {
	sketches, _ := synthetic(40, 3, 6, 30, 2, 2)
	order := rand.New(rand.NewPCG(1, 2)).Perm(len(sketches))
	shuffled := make([]Sketch, len(order))
	for i, a := range order {
		shuffled[i] = sketches[a]
	}
	for _, method := range MethodNames {
		o := DefaultOptions()
		o.Fusion, o.Method = "fixed:0.5", method // a learned gate is used for its pairs i < j, so the result depends on the order by eq. 7
		a, b := mustCluster(t, sketches, o), mustCluster(t, shuffled, o)
		within(t, "G", b.Gradient, permuted(a.Gradient, order), 1e-9)
		within(t, "V", b.Data, permuted(a.Data, order), 1e-9)
		within(t, "A", b.Proximity, permuted(a.Proximity, order), 1e-9)
		want := make([]int, len(order))
		for i, k := range order {
			want[i] = agreement.Labels(a.Clusters, len(order))[k]
		}
		if got := groupByLabel(want); !slices.EqualFunc(got, b.Clusters, slices.Equal) {
			t.Errorf("%s: permuted clients give %v, want %v", method, b.Clusters, got)
		}
	}
}

func TestScaleAndSignDoNotMatter(t *testing.T) {
	sketches, _ := synthetic(20, 3, 6, 30, 2, 3)
	changed := make([]Sketch, len(sketches))
	for i, s := range sketches {
		c := Sketch{s.Counts, make([]*mat.Dense, len(s.Bases)), slices.Clone(s.Update)}
		floats.Scale(math.Pow(10, float64(i-10)*12), c.Update) // 1e-120 .. 1e108
		for k, u := range s.Bases {
			if u != nil {
				c.Bases[k] = mat.DenseCopyOf(u)
				if (i+k)%2 == 0 {
					c.Bases[k].Scale(-1, u)
				}
			}
		}
		changed[i] = c
	}
	a, b := mustCluster(t, sketches, DefaultOptions()), mustCluster(t, changed, DefaultOptions())
	within(t, "G", b.Gradient, a.Gradient, 1e-9)
	within(t, "V", b.Data, a.Data, 1e-9)
	within(t, "A", b.Proximity, a.Proximity, 1e-9)
}

// TestRotationsOfBasesDoNotMatter checks that with the angle of the spans, another orthonormal basis of each span does not change
// the results, including the clusters.
func TestRotationsOfBasesDoNotMatter(t *testing.T) {
	sketches, _ := synthetic(24, 3, 6, 30, 3, 21)
	r := stream.New(22, "test")
	turned := make([]Sketch, len(sketches))
	for i, s := range sketches {
		turned[i] = Sketch{s.Counts, make([]*mat.Dense, len(s.Bases)), s.Update}
		for c, u := range s.Bases {
			if u == nil {
				continue
			}
			_, p := u.Dims()
			q := mat.NewDense(p, p, nil)
			for k := range q.RawMatrix().Data {
				q.RawMatrix().Data[k] = r.NormFloat64()
			}
			turned[i].Bases[c] = new(mat.Dense)
			turned[i].Bases[c].Mul(u, orthonormal(q))
		}
	}
	o := DefaultOptions()
	o.Angle = "principal"
	a, b := mustCluster(t, sketches, o), mustCluster(t, turned, o)
	within(t, "V", b.Data, a.Data, 1e-9)
	within(t, "A", b.Proximity, a.Proximity, 1e-9)
	if !slices.EqualFunc(a.Clusters, b.Clusters, slices.Equal) {
		t.Errorf("clusters %v and %v", a.Clusters, b.Clusters)
	}
	if o.Angle = "pair"; farthest(mustCluster(t, turned, o).Data, mustCluster(t, sketches, o).Data) < 1 {
		t.Error("the rotations do not move the angles of pairs either: this test cannot fail")
	}
}

func TestMatricesAreWellFormed(t *testing.T) {
	sketches, _ := synthetic(25, 3, 6, 30, 2, 4)
	var direct []float64
	for _, fusion := range []string{"mlp", "direct", "shared", "fixed:0.3"} {
		o := DefaultOptions()
		o.Fusion = fusion
		r := mustCluster(t, sketches, o)
		for _, m := range []*mat.SymDense{r.Proximity, r.GradientScaled, r.DataScaled} {
			for i := range 25 {
				for j := range 25 {
					if x := m.At(i, j); !(x >= 0 && x <= 1) || i == j && x != 0 || x != m.At(j, i) {
						t.Fatalf("entry %d, %d is %g", i, j, x)
					}
				}
			}
		}
		switch fusion {
		case "direct":
			direct = r.Gates
		case "shared":
			if want := slices.Repeat([]float64{stat.Mean(direct, nil)}, 25); !slices.Equal(r.Gates, want) {
				t.Errorf("shared gates %v, want %v", r.Gates, want)
			}
		}
		if fusion != "shared" && r.EntropyAfter > r.EntropyBefore {
			t.Errorf("%s: entropy rose from %g to %g", fusion, r.EntropyBefore, r.EntropyAfter)
		}
		if again := mustCluster(t, sketches, o); !mat.Equal(again.Proximity, r.Proximity) {
			t.Errorf("%s: a second run differs", fusion)
		}
	}
}

func TestEntropySlope(t *testing.T) {
	r := stream.New(1, "test")
	const n = 7
	g, v, w := mat.NewSymDense(n, nil), mat.NewSymDense(n, nil), make([]float64, n)
	for i := range n {
		w[i] = r.Float64()
		for j := i + 1; j < n; j++ {
			g.SetSym(i, j, r.Float64())
			v.SetSym(i, j, r.Float64())
		}
	}
	slope := make([]float64, n)
	e := entropyOf(t, g, v, w, slope)

	a, _ := Fuse(g, v, w) // follows the definition literally
	want := 0.0
	for i := range n {
		sum := 0.0
		for j := range n {
			sum += math.Exp(a.At(i, j))
		}
		for j := range n {
			p := math.Exp(a.At(i, j)) / sum
			want -= p * math.Log(p) / n
		}
	}
	if math.Abs(e-want) > 1e-12 {
		t.Errorf("entropy %g, by definition %g", e, want)
	}
	for i := range w {
		const h = 1e-6
		up, down := slices.Clone(w), slices.Clone(w)
		up[i], down[i] = up[i]+h, down[i]-h
		if d := (entropyOf(t, g, v, up, nil) - entropyOf(t, g, v, down, nil)) / (2 * h); math.Abs(d-slope[i]) > 1e-8 {
			t.Errorf("slope of gate %d: %g, by differences %g", i, slope[i], d)
		}
	}
}

func TestIdenticalDataIsAtZero(t *testing.T) {
	r := stream.New(2, "test")
	images := make([][]byte, 40)
	for k := range images {
		images[k] = make([]byte, 100)
		for p := range images[k] {
			images[k][p] = byte(r.IntN(256))
		}
	}
	u, err := PrincipalVectors(images, 4)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(images)
	v, err := PrincipalVectors(images, 4)
	if err != nil {
		t.Fatal(err)
	}
	v.Scale(-1, v)
	angles, err := ClassAngles([][]*mat.Dense{{u}, {v}}, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	if x := angles[0].At(0, 1); !(x <= 1e-5) {
		t.Errorf("identical data at %g degrees", x)
	}

	// Angles of 1e-7 degrees keep their digits.
	const small = 1e-7
	a := mat.NewDense(2, 1, []float64{1, 0})
	b := mat.NewDense(2, 1, []float64{math.Cos(small * degree), -math.Sin(small * degree)})
	angles, _ = ClassAngles([][]*mat.Dense{{a}, {b}}, DefaultOptions())
	if x := angles[0].At(0, 1); math.Abs(x-small) > 1e-15 {
		t.Errorf("%g degrees measured as %g", small, x)
	}
	g, _ := GradientAngles([][]float64{{1, 0}, {2, 2 * small * degree}, {-3, 0}})
	if x := g.At(0, 1); math.Abs(x-small) > 1e-15 {
		t.Errorf("%g degrees measured as %g", small, x)
	}
	if x := g.At(0, 2); x != 180 {
		t.Errorf("opposite updates at %g degrees", x)
	}
}

// TestBlocks checks that blocks do not change the result of a product, even if a client's vectors are in two blocks.
func TestBlocks(t *testing.T) {
	r := stream.New(3, "test")
	for _, f := range []int{12, 4 * projectRank} { // without and with the subspace
		testBlocks(t, r, f)
	}
}

func testBlocks(t *testing.T, r *rand.Rand, f int) {
	const n, p = 300, 5 // 1500 rows, 512 per block
	bases := make([][]*mat.Dense, n)
	for i := range bases {
		u := mat.NewDense(f, p, nil)
		for k := range u.RawMatrix().Data {
			u.RawMatrix().Data[k] = 1/float64(1+k/p) + 0.1*r.NormFloat64()/float64(1+k%p)
		}
		bases[i] = []*mat.Dense{orthonormal(u)}
	}
	bases[7][0] = nil
	for _, o := range []Options{DefaultOptions(), PrototypeOptions()} {
		angles, err := ClassAngles(bases, o)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < n; i += 7 {
			for j := i + 1; j < n; j++ {
				want := o.missing()
				if i != 7 && j != 7 {
					var d mat.Dense
					d.Mul(bases[i][0].T(), bases[j][0])
					x := mat.Max(&d)
					if o.Rules == "paper" {
						x = max(x, -mat.Min(&d))
					}
					want = math.Acos(x) / degree
				}
				if got := angles[0].At(i, j); math.Abs(got-want) > 1e-9 {
					t.Fatalf("%s: clients %d and %d at %g degrees, want %g", o.Rules, i, j, got, want)
				}
			}
		}
	}
}

func TestDendrogramCuts(t *testing.T) {
	r := stream.New(4, "test")
	const n = 30
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i + 1; j < n; j++ {
			a.SetSym(i, j, 0.01+0.99*r.Float64())
		}
	}
	for _, linkage := range LinkageNames {
		tree, err := Agglomerate(a, linkage)
		if err != nil {
			t.Fatal(err)
		}
		h := tree.Heights()
		if len(h) != n-1 || !slices.IsSorted(h) {
			t.Errorf("%s: heights %v", linkage, h)
		}
		if z := len(tree.Cut(h[n-2])); z != 1 {
			t.Errorf("%s: %d clusters at the highest merge", linkage, z)
		}
		if z := len(tree.Cut(h[0] / 2)); z != n {
			t.Errorf("%s: %d clusters below the lowest merge", linkage, z)
		}
		for _, z := range []int{-1, 1, 2, 7, n, n + 5} {
			if got := len(tree.CutCount(z)); got != min(max(z, 1), n) {
				t.Errorf("%s: asked for %d clusters, got %d", linkage, z, got)
			}
		}
	}
}

func TestWeights(t *testing.T) {
	o := DefaultOptions()
	w, err := NewWeights([][]int{{10, 5, 0}, {10, 80, 3}, {200, 0, 0}}, o)
	if err != nil {
		t.Fatal(err)
	}
	// The smallest ratio is that of equal counts, and the largest is that of 5 and 80.
	for _, c := range []struct {
		i, j, class int
		want        float64
	}{{0, 1, 0, 0.4}, {0, 1, 1, 1.6}, {0, 1, 2, 1}, {1, 2, 1, 1}} {
		if got := w.At(c.i, c.j, c.class); math.Abs(got-c.want) > 1e-12 || got != w.At(c.j, c.i, c.class) {
			t.Errorf("weight of %d, %d, class %d: %g, want %g", c.i, c.j, c.class, got, c.want)
		}
	}
	equal, _ := NewWeights([][]int{{4, 4}, {4, 4}}, o)
	if x := equal.At(0, 1, 1); x != 1 {
		t.Errorf("equal counts weigh %g", x)
	}
}

// equalAngles returns equal angles of n clients that all hold the class.
func equalAngles(n int, degrees float64) *HeldAngles {
	owner := make([]int, n)
	for i := range owner {
		owner[i] = i
	}
	h := newHeldAngles(owner, n, 90)
	for k := range h.wide {
		h.wide[k] = degrees
	}
	return h
}

func TestCCGraph(t *testing.T) {
	// Cluster 0 = {0, 1}, cluster 1 = {2}, cluster 2 = {3}.
	counts := [][]int{{1, 9, 0}, {5, 5, 0}, {7, 0, 2}, {0, 3, 4}}
	clusters := [][]int{{0, 1}, {2}, {3}}
	zero := equalAngles(4, 0)
	h, graph, err := CCGraph(counts, []*HeldAngles{zero, zero, zero}, clusters, 1, true)
	if err != nil {
		t.Fatal(err)
	}
	// demand: {4, 2, 0}, {1, 0, 2}, {0, 2, 1}; supply: {1, 2, 0}, {2, 0, 1}, {0, 1, 2}
	inf := math.Inf(-1)
	want := mat.NewDense(3, 3, []float64{inf, 8, 2, 1, inf, 4, 4, 1, inf})
	if !mat.Equal(h, want) {
		t.Errorf("H is %v", mat.Formatted(h))
	}
	if !slices.EqualFunc(graph, [][]int{{1}, {2}, {0}}, slices.Equal) {
		t.Errorf("graph is %v", graph)
	}
	half := equalAngles(4, 45)
	h, _, _ = CCGraph(counts, []*HeldAngles{half, half, half}, clusters, 5, true)
	if x := h.At(0, 1); x != 4 {
		t.Errorf("H_01 at half alignment is %g, want 4", x)
	}
}

// TestOutlierIsNoGroup checks that one client far from all others does not count as a second group.
func TestOutlierIsNoGroup(t *testing.T) {
	const n = 30
	r := stream.New(5, "test")
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i + 1; j < n; j++ {
			x := 0.2 + 0.1*r.Float64()
			if j == n-1 {
				x = 0.9 + 0.1*r.Float64()
			}
			a.SetSym(i, j, x)
		}
	}
	for _, linkage := range LinkageNames {
		o := DefaultOptions()
		o.Linkage = linkage
		choice, err := Search(a, o)
		if err != nil {
			t.Fatal(err)
		}
		if len(choice.Clusters) != 1 {
			t.Errorf("%s: clusters %v", linkage, choice.Clusters)
		}
	}
}

func TestLossOfKnownPartition(t *testing.T) {
	a := symmetric(4, []float64{0.1, 0.5, 0.6, 0.7, 0.8, 0.3})
	o := DefaultOptions()
	loss, l1, l2, err := Loss(a, [][]int{{0, 1, 2}, {3}}, o)
	if err != nil {
		t.Fatal(err)
	}
	wantL1 := 2 * (0.1 + 0.5 + 0.7) / 9 // and 0 for the client that is alone
	wantL2 := 1.0                       // N/Z - γσ - |C_z| = 2 - 1 - 1
	if math.Abs(l1-wantL1) > 1e-12 || math.Abs(l2-wantL2) > 1e-12 || math.Abs(loss-wantL1-0.01) > 1e-12 {
		t.Errorf("loss %g, L1 %g, L2 %g, want L1 %g and L2 %g", loss, l1, l2, wantL1, wantL2)
	}
	o.Gamma = 0
	if _, _, l2, _ = Loss(a, [][]int{{0, 1, 2}, {3}}, o); math.Abs(l2-(1+math.E)/2) > 1e-12 {
		t.Errorf("L2 %g without γ, want %g", l2, (1+math.E)/2)
	}
}
