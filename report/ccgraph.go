package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"feddag/internal/numfmt"
	"feddag/report/plot"

	"gonum.org/v1/gonum/mat"
)

// CCGraph is the CC-graph, which says which cluster learns from which (eq. 11-14).
type CCGraph struct {
	Clusters []Cluster
	Classes  []string   // names of the classes; nil if they only have numbers
	Scores   *mat.Dense // H, Z x Z; the diagonal is not read
	Sources  [][]int    // sources of each learner, best first
}

const ccGraphFile = "cc-graph.json"

// ccGraphJSON is the content of cc-graph.json.
type ccGraphJSON struct {
	Nodes []ccNodeJSON `json:"nodes"`
	Edges []ccEdgeJSON `json:"edges"` // by learner, best source first
}

type ccNodeJSON struct {
	Cluster int   `json:"cluster"`
	Clients int   `json:"clients"`
	Samples int   `json:"samples"`
	Classes []int `json:"classes"` // number of samples per class
}

type ccEdgeJSON struct {
	Learner int   `json:"learner"`
	Source  int   `json:"source"`
	Score   Float `json:"complementarity"`
}

func (c CCGraph) check() error {
	z := len(c.Clusters)
	if len(c.Sources) != z {
		return fmt.Errorf("CC-graph of %d learners and %d clusters", len(c.Sources), z)
	}
	if rows, columns := c.Scores.Dims(); rows != z || columns != z {
		return fmt.Errorf("CC-graph: scores %d x %d of %d clusters", rows, columns, z)
	}
	for p, sources := range c.Sources {
		for _, q := range sources {
			if q < 0 || q >= z || q == p {
				return fmt.Errorf("CC-graph: cluster %d learns from cluster %d of %d", p, q, z)
			}
		}
	}
	return nil
}

// WriteCCGraph writes cc-graph.json, cc-graph.dot, and the drawing in each of
// the formats.
func (d *Dir) WriteCCGraph(title string, c CCGraph, formats []plot.Format) error {
	if err := c.check(); err != nil {
		return err
	}
	var out ccGraphJSON
	for z, row := range c.Clusters {
		out.Nodes = append(out.Nodes, ccNodeJSON{z, len(row.Members), row.Samples, row.Histogram})
	}
	c.eachEdge(func(p, q int) { out.Edges = append(out.Edges, ccEdgeJSON{p, q, Float(c.Scores.At(p, q))}) })
	if out.Edges == nil {
		out.Edges = []ccEdgeJSON{}
	}
	if err := d.WriteJSON(ccGraphFile, out); err != nil {
		return err
	}
	if err := d.WriteFile("cc-graph.dot", c.DOT); err != nil {
		return err
	}
	figure, err := c.Figure(title)
	if err != nil {
		return err
	}
	return d.WritePlot(graphPlot, figure, formats)
}

func (c CCGraph) eachEdge(visit func(learner, source int)) {
	for p, sources := range c.Sources {
		for _, q := range sources {
			visit(p, q)
		}
	}
}

// width returns the width of an edge, which depends on the ratio of its score to the largest score.
func (c CCGraph) width(p, q int) float64 {
	top := 0.0
	c.eachEdge(func(p, q int) { top = math.Max(top, c.Scores.At(p, q)) })
	if !(top > 0) {
		return 1
	}
	return 0.8 + 2.6*math.Max(c.Scores.At(p, q), 0)/top
}

// DOT writes the graph for Graphviz. As in the paper, an edge goes from the learner to the source it learns from.
func (c CCGraph) DOT(w io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("// An edge goes from the learner to the source it learns from; its label is the complementarity (eq. 14).\n")
	b.WriteString("digraph \"CC-graph\" {\n  node [shape=circle fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\" fontsize=10];\n")
	for z, row := range c.Clusters {
		fmt.Fprintf(&b, "  %d [label=\"%d\\n%s\\n%s\"];\n", z, z, numfmt.Count(len(row.Members), "client"), dotText(c.common(z)))
	}
	c.eachEdge(func(p, q int) {
		fmt.Fprintf(&b, "  %d -> %d [label=\"%s\" penwidth=%s];\n", p, q, strconv.FormatFloat(c.Scores.At(p, q), 'g', 4, 64), strconv.FormatFloat(math.Round(100*c.width(p, q))/100, 'f', -1, 64))
	})
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotText escapes a text for a quoted string of DOT.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s)
}

// common names the most frequent classes of a cluster, at most three.
func (c CCGraph) common(z int) string { return commonest(c.Clusters[z].Histogram, c.Classes, 3) }

// commonest names the most frequent classes of a histogram, at most the given number, and says how many other classes there
// are.
func commonest(histogram []int, classes []string, most int) string {
	taken := map[int]bool{}
	var names []string
	for len(names) < most {
		best := -1
		for class, n := range histogram {
			if n > 0 && !taken[class] && (best < 0 || n > histogram[best]) {
				best = class
			}
		}
		if best < 0 {
			break
		}
		taken[best] = true
		names = append(names, plot.Name(classes, best))
	}
	text := strings.Join(names, ", ")
	held := 0
	for _, n := range histogram {
		if n > 0 {
			held++
		}
	}
	if held > len(names) {
		text += fmt.Sprintf(" +%d", held-len(names))
	}
	return text
}

// Figure draws the clusters as nodes on a circle, with areas proportional to their numbers of clients, and arrows from
// learner to source, which are thicker the more complementary the two are.
func (c CCGraph) Figure(title string) (*plot.Figure, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	var nodes []plot.Node
	for z, row := range c.Clusters {
		nodes = append(nodes, plot.Node{Size: len(row.Members), Label: numfmt.Count(len(row.Members), "client"), Detail: c.common(z)})
	}
	return plot.Graph(title, "an arrow points from a learner to the source it learns from; thicker is more complementary", nodes, c.edges())
}

func (c CCGraph) edges() (edges []plot.Edge) {
	c.eachEdge(func(p, q int) { edges = append(edges, plot.Edge{From: p, To: q, Width: c.width(p, q)}) })
	return edges
}
