package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"feddag/report/plot"

	"gonum.org/v1/gonum/mat"
)

// graphOf returns a graph of z clusters, each of which learns from the next two.
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
		d, err := Create(t.Context(), t.TempDir(), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		g := graphOf(z)
		if err := d.WriteCCGraph("CC-graph\na test", g, plot.Formats()); err != nil {
			t.Fatal(err)
		}
		raw, err := os.ReadFile(d.Path("plots/cc-graph.svg"))
		if err != nil {
			t.Fatal(err)
		}
		checkSVG(t, raw)
		for _, must := range []string{fmt.Sprintf(">%d clients</text>", len(g.Clusters[0].Members)), ">CC-graph</text>", ">a test</text>", "points from a learner"} {
			if z <= 12 && !strings.Contains(string(raw), must) {
				t.Errorf("%d clusters: the drawing lacks %s", z, must)
			}
		}
		for ending, start := range map[string]string{"pdf": "%PDF-", "png": "\x89PNG"} {
			raw, err := os.ReadFile(d.Path(graphPlot + "." + ending))
			if err != nil || !strings.HasPrefix(string(raw), start) {
				t.Errorf("%d clusters, %s: %v, %.10q", z, ending, err, raw)
			}
		}
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
	if _, err := bad.Figure("t"); err == nil || !strings.Contains(err.Error(), "cluster 1 learns from cluster 1") {
		t.Errorf("a cluster that learns from itself: %v", err)
	}
}

func TestClassTable(t *testing.T) {
	g := graphOf(5)
	var b bytes.Buffer
	if err := classTable("Classes of the clusters\na test", g.Clusters, g.Classes).Write(&b, plot.SVG); err != nil {
		t.Fatal(err)
	}
	checkSVG(t, b.Bytes())
	for _, must := range []string{">1: 8 clients, 480</text>", ">shirt &amp; tie</text>", ">3</text>", ">300</text>"} {
		if !strings.Contains(b.String(), must) {
			t.Errorf("no %s", must)
		}
	}
}
