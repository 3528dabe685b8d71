package report

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// CCGraph is which cluster learns from which (eq. 11-14).
type CCGraph struct {
	Clusters []Cluster
	Classes  []string   // names of the classes; nil for their numbers
	Scores   *mat.Dense // H, Z x Z; the diagonal is not read
	Sources  [][]int    // of each learner, best first
}

// ccGraphJSON is cc-graph.json.
type ccGraphJSON struct {
	Nodes []ccNodeJSON `json:"nodes"`
	Edges []ccEdgeJSON `json:"edges"` // by learner, best source first
}

type ccNodeJSON struct {
	Cluster int   `json:"cluster"`
	Clients int   `json:"clients"`
	Samples int   `json:"samples"`
	Classes []int `json:"classes"` // samples of each
}

type ccEdgeJSON struct {
	Learner int     `json:"learner"`
	Source  int     `json:"source"`
	Score   float64 `json:"complementarity"`
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

// WriteCCGraph writes cc-graph.json, cc-graph.dot and plots/cc-graph.svg.
func (d *Dir) WriteCCGraph(title string, c CCGraph) error {
	if err := c.check(); err != nil {
		return err
	}
	var out ccGraphJSON
	for z, row := range c.Clusters {
		out.Nodes = append(out.Nodes, ccNodeJSON{z, len(row.Members), row.Samples, row.Histogram})
	}
	c.eachEdge(func(p, q int) { out.Edges = append(out.Edges, ccEdgeJSON{p, q, c.Scores.At(p, q)}) })
	if out.Edges == nil {
		out.Edges = []ccEdgeJSON{}
	}
	if err := d.WriteJSON("cc-graph.json", out); err != nil {
		return err
	}
	if err := d.WriteFile("cc-graph.dot", c.DOT); err != nil {
		return err
	}
	return d.WriteFile("plots/cc-graph.svg", func(w io.Writer) error { return c.SVG(w, title) })
}

func (c CCGraph) eachEdge(visit func(learner, source int)) {
	for p, sources := range c.Sources {
		for _, q := range sources {
			visit(p, q)
		}
	}
}

// width is an edge's, by its share of the largest score.
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
		fmt.Fprintf(&b, "  %d [label=\"%d\\n%s\\n%s\"];\n", z, z, count(len(row.Members), "client"), dotText(c.common(z)))
	}
	c.eachEdge(func(p, q int) {
		fmt.Fprintf(&b, "  %d -> %d [label=\"%s\" penwidth=%s];\n", p, q, strconv.FormatFloat(c.Scores.At(p, q), 'g', 4, 64), num(c.width(p, q)))
	})
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// dotText escapes a text for a quoted string of DOT.
func dotText(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", " ").Replace(s)
}

// common names a cluster's commonest classes, at most three.
func (c CCGraph) common(z int) string {
	taken := map[int]bool{}
	var names []string
	for len(names) < 3 {
		best := -1
		for class, n := range c.Clusters[z].Histogram {
			if n > 0 && !taken[class] && (best < 0 || n > c.Clusters[z].Histogram[best]) {
				best = class
			}
		}
		if best < 0 {
			break
		}
		taken[best] = true
		names = append(names, className(c.Classes, best))
	}
	text := strings.Join(names, ", ")
	held := 0
	for _, n := range c.Clusters[z].Histogram {
		if n > 0 {
			held++
		}
	}
	if held > len(names) {
		text += fmt.Sprintf(" +%d", held-len(names))
	}
	return text
}

func className(names []string, class int) string {
	if class < len(names) {
		return names[class]
	}
	return strconv.Itoa(class)
}

// SVG draws the clusters on a circle, their area by their clients, and the arrows from learner to source, the thicker
// the more complementary.
func (c CCGraph) SVG(w io.Writer, title string) error {
	if err := c.check(); err != nil {
		return err
	}
	z := len(c.Clusters)
	g := newCanvas(760, 640, title)
	top := g.title(title) + 8
	g.text(24, top+10, "start", "an arrow points from a learner to the source it learns from; thicker is more complementary", `fill="`+quiet+`"`)
	top += 22
	cx, cy := g.width/2, (top+g.height)/2
	ring := math.Min(g.width/2-150, (g.height-top)/2-78) // room for a node and its two lines outside
	if z == 1 {
		ring = 0
	}
	room := 34.0 // a node's largest radius
	if z > 1 {
		room = math.Min(room, 0.8*ring*math.Sin(math.Pi/float64(z)))
	}
	most := 1
	for _, row := range c.Clusters {
		most = max(most, len(row.Members))
	}
	at := make([]point, z)
	r := make([]float64, z)
	for k, row := range c.Clusters {
		turn := 2*math.Pi*float64(k)/float64(z) - math.Pi/2
		at[k] = point{cx + ring*math.Cos(turn), cy + ring*math.Sin(turn)}
		r[k] = room * (0.4 + 0.6*math.Sqrt(float64(len(row.Members))/float64(most)))
	}
	c.eachEdge(func(p, q int) { g.arrow(at[p], at[q], r[p], r[q], c.width(p, q), colour(p)) })
	for k, row := range c.Clusters {
		g.circle(at[k].x, at[k].y, r[k], `fill="`+colour(k)+`" stroke="#ffffff" stroke-width="1.5"`)
		size := math.Min(14, math.Max(7, r[k]*0.9))
		g.text(at[k].x, at[k].y+size*0.35, "middle", strconv.Itoa(k), fmt.Sprintf(`font-size="%s" font-weight="600" fill="#ffffff"`, num(size)))
		if z > 24 { // no room for more
			continue
		}
		dx, dy := at[k].x-cx, at[k].y-cy
		length := math.Max(math.Hypot(dx, dy), 1)
		anchor := "middle"
		switch {
		case dx > 0.3*length:
			anchor = "start"
		case dx < -0.3*length:
			anchor = "end"
		}
		x, y := at[k].x+dx/length*(r[k]+9), at[k].y+dy/length*(r[k]+20)
		if z == 1 {
			y = at[k].y + r[k] + 20
		}
		g.text(x, y, anchor, count(len(row.Members), "client"), `fill="`+ink+`"`)
		g.text(x, y+14, anchor, c.common(k), `font-size="10" fill="`+quiet+`"`)
	}
	return g.writeTo(w)
}

// arrow draws a bent line from the rim of one circle to that of another, with a head. Two opposite arrows bend apart.
func (c *canvas) arrow(from, to point, r1, r2, width float64, colour string) {
	dx, dy := to.x-from.x, to.y-from.y
	length := math.Max(math.Hypot(dx, dy), 1e-9)
	bend := 0.16
	mid := point{(from.x+to.x)/2 - dy*bend, (from.y+to.y)/2 + dx*bend}
	toward := func(a, b point, d float64) point {
		l := math.Max(math.Hypot(b.x-a.x, b.y-a.y), 1e-9)
		return point{a.x + (b.x-a.x)/l*d, a.y + (b.y-a.y)/l*d}
	}
	head := 5 + 1.6*width
	start, tip := toward(from, mid, r1+1), toward(to, mid, r2+2)
	neck := toward(tip, mid, head)
	if length < r1+r2+head { // they touch
		neck = tip
	}
	c.f(`<path d="M%s %sQ%s %s %s %s" fill="none" stroke="%s" stroke-opacity="0.75" stroke-width="%s"/>`+"\n",
		num(start.x), num(start.y), num(mid.x), num(mid.y), num(neck.x), num(neck.y), colour, num(width))
	ux, uy := (tip.x-neck.x)/head, (tip.y-neck.y)/head
	half := head * 0.45
	c.path([]point{tip, {neck.x - uy*half, neck.y + ux*half}, {neck.x + uy*half, neck.y - ux*half}}, `fill="`+colour+`" stroke="none"`)
}
