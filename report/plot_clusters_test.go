package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/similarity"
)

// grouped is a tree of n clients in z groups, found by the program's own search, and the clusters at a threshold.
func grouped(t *testing.T, n, z int) *similarity.Choice {
	t.Helper()
	r := rand.New(rand.NewPCG(7, uint64(n)))
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i + 1; j < n; j++ {
			x := 0.6 + 0.35*r.Float64()
			if i%z == j%z {
				x = 0.05 + 0.3*r.Float64()
			}
			a.SetSym(i, j, x)
		}
	}
	o := similarity.DefaultOptions()
	o.Choose, o.MaxClusters = fmt.Sprintf("count:%d", min(n, z)), max(z, 1)
	c, err := similarity.Search(a, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDendrogram(t *testing.T) {
	for _, c := range []struct{ n, z int }{{1, 1}, {2, 1}, {2, 2}, {24, 4}, {100, 5}, {400, 90}, {900, 300}} {
		s := grouped(t, c.n, c.z)
		var b bytes.Buffer
		if err := Dendrogram(&b, "Dendrogram of the clients\na test", s.Dendrogram, s.Clusters, s.Threshold); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, b.Bytes())
		keep(t, fmt.Sprintf("dendrogram-%d-%d.svg", c.n, c.z), b.Bytes())
		if b.Len() > 150_000 {
			t.Errorf("%d clients, %d clusters: %d bytes", c.n, c.z, b.Len())
		}
		for z := range min(c.z, 5) {
			if name := fmt.Sprintf(">%d (%d)<", z, len(s.Clusters[z])); c.n == 100 && !strings.Contains(b.String(), name) {
				t.Errorf("%d clients: cluster %s is not named", c.n, name)
			}
		}
	}
}

// A tree of 10,000 clients is drawn as small as one of 100: by its top.
func TestDendrogramOfMany(t *testing.T) {
	const n, z = 10000, 6
	tree := &similarity.Dendrogram{N: n}
	clusters := make([][]int, z)
	node := make([]int, z) // of each group so far
	size := make([]int, z)
	for i := range n {
		g := i % z
		clusters[g] = append(clusters[g], i)
		size[g]++
		if i < z {
			node[g] = i
			continue
		}
		m := n + len(tree.Merges)
		tree.Merges = append(tree.Merges, similarity.Merge{A: i, B: node[g], Height: 0.3 * float64(i) / n, Size: size[g]})
		node[g] = m
	}
	for g := 1; g < z; g++ {
		size[0] += size[g]
		m := n + len(tree.Merges)
		tree.Merges = append(tree.Merges, similarity.Merge{A: min(node[0], node[g]), B: max(node[0], node[g]), Height: 0.6 + 0.05*float64(g), Size: size[0]})
		node[0] = m
	}
	var b bytes.Buffer
	if err := Dendrogram(&b, "Dendrogram of the clients\n10,000 of them", tree, clusters, 0.45); err != nil {
		t.Fatal(err)
	}
	checkSVG(t, b.Bytes())
	keep(t, "dendrogram-10000.svg", b.Bytes())
	if b.Len() > 40_000 {
		t.Errorf("%d bytes", b.Len())
	}
}

func TestDendrogramErrors(t *testing.T) {
	s := grouped(t, 6, 2)
	for want, clusters := range map[string][][]int{
		"clusters of 5 clients":  {{0, 1, 2, 3, 4}},
		"has client 6 of 6":      {{0, 1, 2, 3, 4, 6}},
		"cluster 1 has client -": {{0}, {-1}},
	} {
		if err := Dendrogram(io.Discard, "t", s.Dendrogram, clusters, 0.5); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// graphOf is a graph of z clusters, each learning from the next two.
func graphOf(z int) CCGraph {
	g := CCGraph{Scores: mat.NewDense(z, z, nil), Classes: []string{"shirt & tie", `"bag"`, "boot"}}
	for p := range z {
		members := make([]int, 3+5*p%17)
		g.Clusters = append(g.Clusters, Cluster{Members: members, Samples: 60 * len(members), Histogram: []int{10 * p, 300, 5, p % 3}})
		var sources []int
		for k := 1; k <= 2 && k < z; k++ {
			q := (p + k) % z
			g.Scores.Set(p, q, float64(10+p+3*k))
			sources = append(sources, q)
		}
		g.Scores.Set(p, p, math.Inf(-1))
		g.Sources = append(g.Sources, sources)
	}
	return g
}

func TestCCGraphFiles(t *testing.T) {
	for _, z := range []int{1, 2, 5, 11, 40} {
		d, err := Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		g := graphOf(z)
		if err := d.WriteCCGraph("CC-graph\na test", g); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(d.Path("plots/cc-graph.svg"))
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, raw)
		keep(t, fmt.Sprintf("cc-graph-%d.svg", z), raw)
		var read struct {
			Nodes []struct{ Cluster, Clients, Samples int }
			Edges []struct {
				Learner, Source int
				Score           float64 `json:"complementarity"`
			}
		}
		if err := d.ReadJSON("cc-graph.json", &read); err != nil {
			t.Fatal(err)
		}
		at := 0
		for p, sources := range g.Sources {
			for _, q := range sources {
				if e := read.Edges[at]; e.Learner != p || e.Source != q || e.Score != g.Scores.At(p, q) {
					t.Errorf("edge %d is %+v, want %d -> %d of %g", at, e, p, q, g.Scores.At(p, q))
				}
				at++
			}
		}
		if at != len(read.Edges) || len(read.Nodes) != z || read.Nodes[z-1].Clients != len(g.Clusters[z-1].Members) {
			t.Errorf("%d clusters: %d edges of %d, nodes %+v", z, len(read.Edges), at, read.Nodes)
		}
		text, _ := os.ReadFile(d.Path("cc-graph.dot"))
		keep(t, fmt.Sprintf("cc-graph-%d.dot", z), text)
		if n := strings.Count(string(text), " -> "); n != at || z > 1 && !strings.Contains(string(text), `\"bag\"`) {
			t.Errorf("%d clusters: %d edges in DOT, want %d:\n%.300s", z, n, at, text)
		}
		if js, _ := os.ReadFile(d.Path("cc-graph.json")); z == 1 && !json.Valid(js) || strings.Contains(string(js), `"edges": null`) {
			t.Errorf("one cluster: %s", js)
		}
	}
	bad := graphOf(3)
	bad.Sources[1] = []int{1}
	if err := bad.SVG(io.Discard, "t"); err == nil || !strings.Contains(err.Error(), "cluster 1 learns from cluster 1") {
		t.Errorf("a cluster that learns from itself: %v", err)
	}
}

func TestClassTable(t *testing.T) {
	for _, z := range []int{0, 1, 5, 80} {
		var b bytes.Buffer
		g := graphOf(z + 1)
		if err := ClassTable(&b, "Classes of the clusters\na test", g.Clusters[:z], g.Classes); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, b.Bytes())
		keep(t, fmt.Sprintf("classes-%d.svg", z), b.Bytes())
		if z == 80 && !strings.Contains(b.String(), "the first 60 of 80 clusters") {
			t.Error("80 clusters: no word that some are left out")
		}
	}
}
