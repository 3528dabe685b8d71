package similarity

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/internal/stream"
	"feddag/similarity/agreement"
)

// hold clusters the first n sketches and returns their roster.
func hold(t testing.TB, sketches []Sketch, n int, o Options) *Roster {
	t.Helper()
	r, err := NewRoster(sketches[:n], mustCluster(t, sketches[:n], o), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sameOldEntries checks that the clusters and the matrix entries of clients 0..n-1 have not changed, bit for bit.
func sameOldEntries(t *testing.T, what string, before, after *Roster, n int) {
	t.Helper()
	for name, m := range map[string][2]*mat.SymDense{
		"G": {before.Gradient, after.Gradient}, "G^": {before.GradientScaled, after.GradientScaled},
		"V": {before.Data, after.Data}, "V^": {before.DataScaled, after.DataScaled}, "A": {before.Proximity, after.Proximity},
	} {
		for i := range n {
			for j := range n {
				if m[0].At(i, j) != m[1].At(i, j) {
					t.Fatalf("%s: %s of clients %d and %d went from %g to %g", what, name, i, j, m[0].At(i, j), m[1].At(i, j))
				}
			}
		}
	}
	labels := agreement.Labels(after.Clusters, after.Proximity.SymmetricDim())
	if !slices.Equal(labels[:n], agreement.Labels(before.Clusters, before.Proximity.SymmetricDim())[:n]) {
		t.Errorf("%s: somebody else moved", what)
	}
	if !slices.Equal(before.Gates[:n], after.Gates[:n]) {
		t.Errorf("%s: somebody else's gate moved", what)
	}
}

// TestNewcomers checks that newcomers find their groups with every method, and that no other client moves.
func TestNewcomers(t *testing.T) {
	const n, more = 60, 12
	sketches, truth := synthetic(n+more, 4, 8, 40, 3, 1)
	for _, method := range MethodNames {
		for _, linkage := range LinkageNames {
			if method == "spectral" && linkage != "average" {
				continue
			}
			for _, fusion := range []string{"direct", "fixed:0", "fixed:0.5", "fixed:1"} {
				for _, angle := range AngleNames {
					o := DefaultOptions()
					o.Method, o.Linkage, o.Fusion, o.Angle = method, linkage, fusion, angle
					what := fmt.Sprintf("%s, %s, %s, %s", method, linkage, fusion, angle)
					r := hold(t, sketches, n, o)
					before := *r
					placed, err := r.Add(sketches[n:])
					if err != nil {
						t.Fatal(err)
					}
					if score, _ := agreement.AdjustedRandIndex(agreement.Labels(r.Clusters, n+more), truth); score != 1 {
						t.Errorf("%s: adjusted Rand index %.3f with the newcomers", what, score)
					}
					if got := agreement.Labels(r.Clusters, n+more)[n:]; !slices.Equal(got, placed) {
						t.Errorf("%s: placed in %v, the clusters say %v", what, placed, got)
					}
					sameOldEntries(t, what, &before, r, n)
					if r.Changes != more || len(r.Sketches) != n+more {
						t.Errorf("%s: %d changes, %d sketches", what, r.Changes, len(r.Sketches))
					}
				}
			}
		}
	}
}

// TestNewcomerRows checks that a newcomer's rows equal those of a clustering of all clients together. The angles must always be
// equal, and V must be equal if the class sizes are within the range of the old ones.
func TestNewcomerRows(t *testing.T) {
	const n, more = 40, 5
	sketches, _ := synthetic(n+more, 3, 6, 30, 2, 8)
	sketches[0].Counts = slices.Clone(sketches[0].Counts)
	sketches[3].Counts = slices.Clone(sketches[3].Counts)
	for c, held := range sketches[0].Counts { // the extreme ratios belong to the old clients
		if held > 0 && sketches[3].Counts[c] > 0 {
			sketches[0].Counts[c], sketches[3].Counts[c] = 1, 500
		}
	}
	for _, rules := range RuleSets {
		o := DefaultOptions()
		o.Rules, o.Fusion = rules, "fixed:0.4"
		all := mustCluster(t, sketches, o)
		r := hold(t, sketches, n, o)
		if _, err := r.Add(sketches[n : n+2]); err != nil { // in two calls
			t.Fatal(err)
		}
		if _, err := r.Add(sketches[n+2:]); err != nil {
			t.Fatal(err)
		}
		within(t, "G", r.Gradient, all.Gradient, 1e-9)
		for c := range all.ClassAngles {
			for i := range n + more {
				for j := range n + more {
					if d := r.angles[c].At(i, j) - all.ClassAngles[c].At(i, j); math.Abs(d) > 1e-9 {
						t.Fatalf("%s: V' of clients %d and %d, class %d, off by %g", rules, i, j, c, d)
					}
				}
			}
		}
		if w, _ := NewWeights([][]int{sketches[0].Counts, sketches[3].Counts}, o); w.most != r.weights.most {
			t.Fatalf("%s: the old clients' ratios are not the widest: %g, %g", rules, w.most, r.weights.most)
		}
		if rules == "paper" { // the smallest ratio is close to 1 in both, and equal only by chance
			continue
		}
		within(t, "V", r.Data, all.Data, 0.05)
		for i := range n + more {
			for j := n; j < n+more; j++ {
				if x, want := r.Proximity.At(i, j), 0.4*r.GradientScaled.At(i, j)+0.6*r.DataScaled.At(i, j); i != j && math.Abs(x-want) > 1e-15 {
					t.Fatalf("A of clients %d and %d is %g, want %g", i, j, x, want)
				}
			}
		}
	}
}

// TestNewcomersOfNewGroups checks that an unknown group forms a new cluster, and that two such groups form two clusters.
func TestNewcomersOfNewGroups(t *testing.T) {
	sketches, truth := synthetic(90, 5, 10, 40, 3, 9)
	var known, late []Sketch
	var groups []int
	for i, s := range sketches {
		if truth[i] < 3 {
			known = append(known, s)
		} else {
			late, groups = append(late, s), append(groups, truth[i])
		}
	}
	o := DefaultOptions()
	o.Fusion = "fixed:0.5"
	r := hold(t, known, len(known), o)
	z := len(r.Clusters)
	placed, err := r.Add(late)
	if err != nil {
		t.Fatal(err)
	}
	if score, _ := agreement.AdjustedRandIndex(placed, groups); score != 1 || slices.Min(placed) != z || slices.Max(placed) != z+1 {
		t.Errorf("newcomers of groups %v are in clusters %v, the known ones are 0..%d", groups, placed, z-1)
	}
}

// TestNewcomerGate checks that the newcomer's gate is the best one: no other gate has a lower entropy (eq. 8) if all else stays
// the same.
func TestNewcomerGate(t *testing.T) {
	const n = 30
	r := stream.New(10, "test")
	for range 20 {
		roster := &Roster{options: DefaultOptions(), Gates: make([]float64, n)}
		for _, m := range []**mat.SymDense{&roster.GradientScaled, &roster.DataScaled, &roster.Proximity} {
			*m = mat.NewSymDense(n, nil)
			for i := range n {
				for j := i + 1; j < n; j++ {
					(*m).SetSym(i, j, r.Float64())
				}
			}
		}
		moving := make([]bool, n)
		moving[n-1] = true
		if err := roster.extendGates([]int{n - 1}, moving); err != nil {
			t.Fatal(err)
		}
		at := func(w float64) float64 { // by definition
			a := mat.NewSymDense(n, nil)
			a.CopySym(roster.Proximity)
			for j := range n - 1 {
				a.SetSym(n-1, j, w*roster.GradientScaled.At(n-1, j)+(1-w)*roster.DataScaled.At(n-1, j))
			}
			return entropyOf(t, a, a, make([]float64, n), nil)
		}
		got := roster.Gates[n-1]
		for k := range 101 {
			if x := float64(k) / 100; at(x) < at(got)-1e-12 && math.Abs(x-got) < 0.3 {
				t.Fatalf("gate %g has entropy %g, %g has %g", got, at(got), x, at(x))
			}
		}
		for j := range n - 1 {
			want := got*roster.GradientScaled.At(n-1, j) + (1-got)*roster.DataScaled.At(n-1, j)
			if x := roster.Proximity.At(n-1, j); math.Abs(x-want) > 1e-15 {
				t.Fatalf("A is %g, want %g", x, want)
			}
		}
	}
}

// TestPairEntropySlope checks the slope with respect to the gates of several newcomers against differences.
func TestPairEntropySlope(t *testing.T) {
	r := stream.New(11, "test")
	const n, m = 9, 3
	var pairs []pair
	sum, mean := make([]float64, n), make([]float64, n)
	for i := range n {
		sum[i], mean[i] = 1+5*r.Float64(), r.Float64()
	}
	for k := range m {
		for j := range n - m + k {
			pairs = append(pairs, pair{k, n - m + k, j, r.Float64(), r.Float64()})
		}
	}
	w, slope := []float64{0.2, 0.5, 0.9}, make([]float64, m)
	pairEntropy(pairs, sum, mean, w, slope)
	for k := range w {
		const h = 1e-6
		up, down := slices.Clone(w), slices.Clone(w)
		up[k], down[k] = up[k]+h, down[k]-h
		d := (pairEntropy(pairs, sum, mean, up, nil) - pairEntropy(pairs, sum, mean, down, nil)) / (2 * h)
		if math.Abs(d-slope[k]) > 1e-8 {
			t.Errorf("slope of gate %d: %g, by differences %g", k, slope[k], d)
		}
	}
}

// TestDistanceIsLinkageHeight checks that a client's distance to a cluster is the height at which agglomeration joins them.
func TestDistanceIsLinkageHeight(t *testing.T) {
	r := stream.New(12, "test")
	for n := 2; n < 9; n++ {
		a := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i + 1; j < n; j++ {
				a.SetSym(i, j, 0.1*r.Float64())
				if j == n-1 {
					a.SetSym(i, j, 0.5+0.5*r.Float64()) // the last client joins last
				}
			}
		}
		for _, linkage := range LinkageNames {
			tree, err := Agglomerate(a, linkage)
			if err != nil {
				t.Fatal(err)
			}
			o := DefaultOptions()
			o.Linkage = linkage
			roster := &Roster{Proximity: a, options: o, share: make([]float64, n)}
			var members []int
			for i := range n - 1 {
				members = append(members, i)
				roster.share[i] = 1 / float64(n-1)
			}
			if linkage == "weighted" {
				roster.share = tree.shares(n - 2)
			}
			want := tree.Merges[n-2].Height
			if got := roster.distance(n-1, members, linkage); math.Abs(got-want) > 1e-12 {
				t.Errorf("%s, %d clients: distance %g, the merge is at %g", linkage, n, got, want)
			}
			for _, alpha := range []float64{want + 1e-9, want - 1e-9} {
				joined := *roster
				joined.Clusters, joined.Threshold, joined.share = [][]int{slices.Clone(members)}, alpha, slices.Clone(roster.share)
				joined.join([]int{n - 1})
				if (len(joined.Clusters) == 1) != (alpha > want) {
					t.Errorf("%s: clusters %v with a threshold of %g and a distance of %g", linkage, joined.Clusters, alpha, want)
				}
				total := 0.0
				for _, i := range joined.Clusters[0] {
					total += joined.share[i]
				}
				if math.Abs(total-1) > 1e-12 {
					t.Errorf("%s: shares add up to %g", linkage, total)
				}
			}
		}
	}
}

func TestRemoval(t *testing.T) {
	const n = 40
	sketches, _ := synthetic(n, 3, 6, 30, 2, 13)
	for _, linkage := range []string{"average", "weighted"} {
		o := DefaultOptions()
		o.Linkage = linkage
		r := hold(t, sketches, n, o)
		h, graph, err := r.CCGraph()
		if err != nil {
			t.Fatal(err)
		}
		result := mustCluster(t, sketches, o)
		if !mat.Equal(h, result.Complementarity) || !slices.EqualFunc(graph, result.Graph, slices.Equal) {
			t.Errorf("the roster's graph is %v, the clustering's %v", graph, result.Graph)
		}
		before := *r
		whole := slices.Clone(r.Clusters[0])
		gone := append(slices.Clone(whole), 7, 7) // a whole cluster, and one client twice
		if err := r.Remove(gone...); err != nil {
			t.Fatal(err)
		}
		var stay []int
		for i := range n {
			if !slices.Contains(gone, i) {
				stay = append(stay, i)
			}
		}
		if len(r.Sketches) != len(stay) || len(r.Clusters[0]) != 0 || len(r.Clusters) != len(before.Clusters) {
			t.Fatalf("clusters %v of %d clients", r.Clusters, len(r.Sketches))
		}
		labels, old := agreement.Labels(r.Clusters, len(stay)), agreement.Labels(before.Clusters, n)
		for a, i := range stay {
			if labels[a] != old[i] || r.Gates[a] != before.Gates[i] {
				t.Errorf("client %d, now %d, went from cluster %d to %d", i, a, old[i], labels[a])
			}
			for b, j := range stay {
				if r.Proximity.At(a, b) != before.Proximity.At(i, j) || r.angles[0].At(a, b) != before.angles[0].At(i, j) {
					t.Fatalf("the entries of clients %d and %d changed", i, j)
				}
			}
		}
		h, graph, err = r.CCGraph()
		if err != nil || len(graph[0]) != 0 || !math.IsInf(h.At(0, 1), -1) || !math.IsInf(h.At(1, 0), -1) {
			t.Errorf("a cluster without clients has sources %v and scores %v (%v)", graph[0], h.RawRowView(0), err)
		}
		for p, sources := range graph {
			if slices.Contains(sources, 0) {
				t.Errorf("cluster %d learns from one without clients", p)
			}
		}
		// They return as newcomers and form a new cluster without other clients, because their old cluster is gone.
		var back []Sketch
		for _, i := range whole {
			back = append(back, sketches[i])
		}
		placed, err := r.Add(back)
		if err != nil {
			t.Fatal(err)
		}
		for _, z := range placed {
			if z != len(before.Clusters) {
				t.Errorf("%s: those who come back are in clusters %v, want %d", linkage, placed, len(before.Clusters))
				break
			}
		}
	}
}

// TestShiftedClient checks that a client whose data change to those of another group moves to that group, that no other client
// moves, and that an unchanged client stays.
func TestShiftedClient(t *testing.T) {
	const n = 40
	sketches, truth := synthetic(n, 3, 6, 30, 2, 14)
	for _, fusion := range []string{"direct", "fixed:0.5"} {
		o := DefaultOptions()
		o.Fusion = fusion
		r := hold(t, sketches, n, o)
		labels := agreement.Labels(r.Clusters, n)
		before := *r
		if z, err := r.Replace([]int{n - 1}, sketches[n-1:]); err != nil || z[0] != labels[n-1] {
			t.Errorf("the same sketch moved client %d from %d to %d (%v)", n-1, labels[n-1], z, err)
		}
		sameOldEntries(t, fusion, &before, r, n-1)
		within(t, "V", r.Data, before.Data, 1e-9)
		within(t, "G", r.Gradient, before.Gradient, 1e-9)
		other := slices.IndexFunc(truth, func(g int) bool { return g != truth[5] })
		z, err := r.Replace([]int{5}, sketches[other:other+1])
		if err != nil || z[0] != labels[other] {
			t.Errorf("client 5 with client %d's data is in cluster %d, want %d (%v)", other, z, labels[other], err)
		}
		now := agreement.Labels(r.Clusters, n)
		now[5] = labels[5]
		if !slices.Equal(now, labels) {
			t.Errorf("others moved too: %v, was %v", now, labels)
		}
		if r.Changes != 2 {
			t.Errorf("%d changes", r.Changes)
		}
	}
}

// TestShiftedGroup checks that if all clients of a group change to the data of another group at once, their old cluster is
// empty and no other client moves.
func TestShiftedGroup(t *testing.T) {
	const n = 40
	sketches, truth := synthetic(n, 3, 6, 30, 2, 14)
	r := hold(t, sketches, n, DefaultOptions())
	labels := agreement.Labels(r.Clusters, n)
	other := slices.IndexFunc(truth, func(g int) bool { return g != truth[0] })
	var movers []int
	var now []Sketch
	for i, g := range truth {
		if g == truth[0] {
			movers, now = append(movers, i), append(now, sketches[other])
		}
	}
	placed, err := r.Replace(movers, now)
	if err != nil {
		t.Fatal(err)
	}
	for k, i := range movers {
		if placed[k] != labels[other] {
			t.Errorf("client %d is in cluster %d, want %d", i, placed[k], labels[other])
		}
		labels[i] = labels[other]
	}
	if !slices.Equal(agreement.Labels(r.Clusters, n), labels) {
		t.Error("others moved too")
	}
	if len(r.Clusters[0]) != 0 {
		t.Errorf("cluster 0 still has %v", r.Clusters[0])
	}
}

// TestRosterErrors checks that an error changes nothing and names the client that caused it.
func TestRosterErrors(t *testing.T) {
	sketches, _ := synthetic(12, 3, 4, 20, 2, 15)
	o := DefaultOptions()
	r := hold(t, sketches, 10, o)
	before := *r
	bad := func(change func(s *Sketch)) []Sketch {
		s := Sketch{slices.Clone(sketches[11].Counts), slices.Clone(sketches[11].Bases), slices.Clone(sketches[11].Update)}
		change(&s)
		return []Sketch{sketches[10], s}
	}
	held := slices.IndexFunc(sketches[11].Counts, func(n int) bool { return n > 0 })
	for want, run := range map[string]func() error{
		"newcomers: client 11: coordinate 3 of its update is NaN": func() error {
			_, err := r.Add(bad(func(s *Sketch) { s.Update[3] = math.NaN() }))
			return err
		},
		"newcomers: client 11: its update has 2 coordinates": func() error {
			_, err := r.Add(bad(func(s *Sketch) { s.Update = s.Update[:2] }))
			return err
		},
		"newcomers: client 11 has 1 counts": func() error {
			_, err := r.Add(bad(func(s *Sketch) { s.Counts = s.Counts[:1] }))
			return err
		},
		"newcomers: client 11, class": func() error {
			_, err := r.Add(bad(func(s *Sketch) { s.Bases[held] = mat.NewDense(20, 1, nil) }))
			return err
		},
		"shifted clients: client 10 is unknown: the clients are 0..9": func() error {
			_, err := r.Replace([]int{10}, sketches[:1])
			return err
		},
		"shifted clients: client 2 follows client 2": func() error {
			_, err := r.Replace([]int{2, 2}, sketches[:2])
			return err
		},
		"shifted clients: there are 1 sketches for 2": func() error { _, err := r.Replace([]int{1, 2}, sketches[:1]); return err },
		"shifted clients: all 10":                     func() error { _, err := r.Replace([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, sketches[:10]); return err },
		"shifted clients: client 2: coordinate 0": func() error {
			_, err := r.Replace([]int{2}, bad(func(s *Sketch) { s.Update[0] = math.Inf(1) })[1:])
			return err
		},
		"removal: client -1": func() error { return r.Remove(0, -1) },
		"is the last one":    func() error { return r.Remove(0, 1, 2, 3, 4, 5, 6, 7, 8, 9) },
		"10 sketches do not match the clustering": func() error {
			_, err := NewRoster(sketches[:10], mustCluster(t, sketches[:9], o), o)
			return err
		},
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	sameOldEntries(t, "errors", &before, r, 10)
	if len(r.Sketches) != 10 || r.Changes != 0 {
		t.Errorf("an error left %d sketches and %d changes", len(r.Sketches), r.Changes)
	}
	// A single client gives no scale, so every client is like it.
	r = hold(t, sketches, 1, o)
	if placed, err := r.Add(sketches[1:3]); err != nil || !slices.Equal(placed, []int{0, 0}) {
		t.Errorf("newcomers beside one client are in %v (%v)", placed, err)
	}
	if err := r.Remove(0, 2); err != nil || len(r.Sketches) != 1 {
		t.Errorf("removal down to one client: %v", err)
	}
	if placed, err := r.Add(nil); err != nil || placed != nil {
		t.Errorf("no client is assigned in %v (%v)", placed, err)
	}
}

// TestNewcomersUnderWard checks newcomers under Ward's linkage, whose heights grow with the clusters that merge. A single outlier
// forms a new cluster. Clients of known groups find these groups, one by one or many at once. If the search found one cluster,
// every newcomer joins it.
func TestNewcomersUnderWard(t *testing.T) {
	const n = 120
	sketches, truth := synthetic(n, 4, 8, 40, 3, 21)
	o := DefaultOptions()
	o.Fusion = "fixed:0.5"
	var known, late []Sketch
	var groups []int
	for i, s := range sketches {
		if truth[i] == 3 {
			late = append(late, s)
		} else {
			known, groups = append(known, s), append(groups, truth[i])
		}
	}
	const first = 40
	r := hold(t, known, first, o)
	result := mustCluster(t, known[:first], o)
	if len(r.Clusters) != 3 {
		t.Fatalf("clusters %v", r.Clusters)
	}
	if cut := result.Dendrogram.Cut(r.Threshold); !slices.EqualFunc(cut, r.Clusters, slices.Equal) || r.Threshold >= result.Threshold {
		t.Errorf("newcomers' α* %g cuts into %v, the search's is %g", r.Threshold, cut, result.Threshold)
	}
	own, other := ownAndOther(r)
	if last := result.Dendrogram.Merges[first-4].Height; math.Abs(r.Threshold-max(last, (own+other)/2)) > 1e-12 {
		t.Errorf("newcomers' α* is %g; a client is up to %g from its own cluster, %g at least from another, and the last merge is at %g", r.Threshold, own, other, last)
	}
	if result.Threshold < other {
		t.Fatalf("α* of the search, %g, is below the %g of a client to another cluster: this test cannot fail", result.Threshold, other)
	}
	if placed, err := r.Add(late[:1]); err != nil || placed[0] != 3 {
		t.Errorf("a lone stranger is in cluster %v (%v)", placed, err)
	}
	if _, err := r.Add(known[first : first+1]); err != nil { // one, then all the others, which are more than the old clients
		t.Fatal(err)
	}
	if _, err := r.Add(known[first+1:]); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Add(late[1:]); err != nil {
		t.Fatal(err)
	}
	want := append(append(slices.Clone(groups[:first]), 3, groups[first]), groups[first+1:]...)
	for range late[1:] {
		want = append(want, 3)
	}
	if score, _ := agreement.AdjustedRandIndex(agreement.Labels(r.Clusters, n), want); score != 1 {
		t.Errorf("adjusted Rand index %.3f with all who came later", score)
	}

	o.Choose = "count:1"
	r = hold(t, late, 10, o)
	if _, err := r.Add(late[10:]); err != nil || len(r.Clusters) != 1 {
		t.Errorf("beside one cluster there are %v (%v)", r.Clusters, err)
	}
	o.Choose = "fixed:0.7"
	if r = hold(t, known, first, o); r.Threshold != 0.7 {
		t.Errorf("α given as 0.7 became %g", r.Threshold)
	}
}

// ownAndOther returns the largest of Ward's distances of a client to the rest of its cluster, and the smallest to another
// cluster.
func ownAndOther(r *Roster) (own, other float64) {
	other = math.Inf(1)
	for z, members := range r.Clusters {
		for _, i := range members {
			for y, those := range r.Clusters {
				rest := slices.DeleteFunc(slices.Clone(those), func(j int) bool { return j == i })
				if d := r.distance(i, rest, "ward"); y == z {
					own = max(own, d)
				} else {
					other = min(other, d)
				}
			}
		}
	}
	return own, other
}
