package plot

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/similarity"
)

// grouped returns a tree of n clients in z groups, found by the program's search, and the clusters at a threshold.
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
		f, err := Dendrogram("Dendrogram of the clients\na test", s.Dendrogram, s.Clusters, s.Threshold)
		if err != nil {
			t.Fatal(err)
		}
		svg := render(t, f, fmt.Sprintf("dendrogram-%d-%d", c.n, c.z))
		if len(svg) > 150_000 {
			t.Errorf("%d clients, %d clusters: %d bytes", c.n, c.z, len(svg))
		}
		for z := range min(c.z, 5) {
			if name := fmt.Sprintf(">%d (%d)<", z, len(s.Clusters[z])); c.n == 100 && !strings.Contains(svg, name) {
				t.Errorf("%d clients: cluster %s is not named", c.n, name)
			}
		}
	}
}

// TestDendrogramOfMany checks that the drawing of a tree with 10,000 clients is as small as with 100, because only its top is
// drawn.
func TestDendrogramOfMany(t *testing.T) {
	const n, z = 10000, 6
	tree := &similarity.Dendrogram{N: n}
	clusters := make([][]int, z)
	node := make([]int, z) // current node of each group
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
	f, err := Dendrogram("Dendrogram of the clients\n10,000 of them", tree, clusters, 0.45)
	if err != nil {
		t.Fatal(err)
	}
	svg := render(t, f, "dendrogram-10000")
	if len(svg) > 40_000 {
		t.Errorf("%d bytes", len(svg))
	}
}

func TestDendrogramErrors(t *testing.T) {
	s := grouped(t, 6, 2)
	for want, clusters := range map[string][][]int{
		"clusters of 5 clients":  {{0, 1, 2, 3, 4}},
		"has client 6 of 6":      {{0, 1, 2, 3, 4, 6}},
		"cluster 1 has client -": {{0}, {-1}},
	} {
		if _, err := Dendrogram("t", s.Dendrogram, clusters, 0.5); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// ring returns a graph of z nodes, each with arrows to the next two.
func ring(z int, detail string) (nodes []Node, edges []Edge) {
	for p := range z {
		nodes = append(nodes, Node{Size: 3 + 5*p%17, Label: fmt.Sprintf("%d clients", 3+5*p%17), Detail: detail})
		for k := 1; k <= 2 && k < z; k++ {
			edges = append(edges, Edge{From: p, To: (p + k) % z, Width: 1 + float64(k)})
		}
	}
	return nodes, edges
}

func TestGraph(t *testing.T) {
	const long = `T-shirt/top, Ankle boot, Trouser +7`
	for _, z := range []int{0, 1, 2, 3, 5, 8, 11, 24, 40} {
		for name, detail := range map[string]string{"short": "bag +1", "long": long, "endless": long + ", " + long + ", " + long} {
			nodes, edges := ring(z, detail)
			f, err := Graph("CC-graph\na test", "an arrow points from a learner to the source it learns from", nodes, edges)
			if err != nil {
				t.Fatal(err)
			}
			svg := render(t, f, fmt.Sprintf("graph-%d-%s", z, name))
			want := z
			if z > maxLabelledNodes {
				want = 0
			}
			if got := strings.Count(svg, " clients</text>"); got != want {
				t.Errorf("%d nodes: %d labels", z, got)
			}
			if z > maxDetailedNodes {
				want = 0
			}
			if got := strings.Count(svg, ">Trouser +7</text>"); name == "long" && got != want { // the second line
				t.Errorf("%d nodes: %d of %d labels in full", z, got, want)
			}
			if cut := strings.Contains(svg, "…</text>"); cut != (name == "endless" && want > 0) {
				t.Errorf("%d nodes, %s labels: are they shortened? %v", z, name, cut)
			}
		}
	}
	for _, e := range []Edge{{From: 1, To: 1}, {From: 0, To: 3}, {From: -1, To: 0}} {
		nodes, _ := ring(3, "")
		if _, err := Graph("t", "", nodes, []Edge{e}); err == nil {
			t.Errorf("%+v: no error", e)
		}
	}
}

func TestClassTable(t *testing.T) {
	for _, z := range []int{0, 1, 5, 80} {
		var rows []ClassRow
		for p := range z {
			rows = append(rows, ClassRow{fmt.Sprintf("%d: %d clients, 1,234", p, 3+p), []int{10 * p, 300, 5, p % 3}})
		}
		svg := render(t, ClassTable("Classes of the clusters\na test", rows, []string{"shirt & tie", `"bag"`, "boot of a very long name"}), fmt.Sprintf("classes-%d", z))
		if z == 80 && !strings.Contains(svg, "the first 60 of 80 clusters") {
			t.Error("80 clusters: no word that some are left out")
		}
		if z == 5 && (!strings.Contains(svg, ">300<") || !strings.Contains(svg, ">shirt &amp; tie<") || !strings.Contains(svg, ">3<")) {
			t.Error("a count or a name of a class is missing")
		}
	}
}
