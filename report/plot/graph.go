package plot

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Node is a node of a Graph. Its number is its index.
type Node struct {
	Size   int    // number that determines the area of the node
	Label  string // first line of the label
	Detail string // further text in a smaller font, up to two lines
}

// Edge is an arrow of a Graph.
type Edge struct {
	From, To int
	Width    float64 // in points
}

// The largest numbers of nodes with which there is room for the first line of their labels, and for the further lines.
const (
	maxLabelledNodes = 24
	maxDetailedNodes = 12
)

// Graph draws the nodes on a circle, with areas proportional to their sizes, and the edges as arrows in the colour of the
// node where they start. The text explain is written above the graph.
func Graph(title, explain string, nodes []Node, edges []Edge) (*Figure, error) {
	if err := checkEdges(title, nodes, edges); err != nil {
		return nil, err
	}
	p := barePlot(&graph{nodes: nodes, edges: edges})
	return newFigure(title, usualWidth, 560, func(c draw.Canvas) {
		writeText(c, labelStyle(13, quiet), c.Min.X+margin, c.Max.Y-14, explain)
		p.Draw(draw.Crop(c, margin, -margin, 16, -32))
	}), nil
}

func checkEdges(title string, nodes []Node, edges []Edge) error {
	for _, e := range edges {
		if e.From < 0 || e.From >= len(nodes) || e.To < 0 || e.To >= len(nodes) || e.From == e.To {
			return fmt.Errorf("graph %q: an edge from node %d to node %d of %d", title, e.From, e.To, len(nodes))
		}
	}
	return nil
}

// graph draws nodes and edges.
type graph struct {
	nodes []Node
	edges []Edge
}

// placed is a node on the canvas.
type placed struct {
	at     vg.Point
	radius vg.Length
}

// Plot implements plot.Plotter.
func (g *graph) Plot(c draw.Canvas, _ *gonum.Plot) {
	nodes := g.place(c)
	for _, e := range g.edges {
		arrow(c, nodes[e.From], nodes[e.To], vg.Length(e.Width), colourOf(e.From))
	}
	for k, n := range nodes {
		for _, ring := range []struct {
			radius vg.Length
			colour color.NRGBA
		}{{n.radius + 0.75, white}, {n.radius - 0.75, colourOf(k)}} {
			var disc vg.Path
			addCircle(&disc, n.at.X, n.at.Y, ring.radius)
			c.SetColor(ring.colour)
			c.Fill(disc)
		}
		size := min(14, max(7, n.radius*0.9))
		writeText(c, centred(bold(labelStyle(size, white))), n.at.X, n.at.Y-size*0.35, strconv.Itoa(k))
	}
	for k, n := range nodes {
		g.label(c, k, n)
	}
}

// direction returns the unit vector from the centre to node k; the first node
// is at the top, the others follow clockwise.
func (g *graph) direction(k int) (x, y vg.Length) {
	turn := 2 * math.Pi * float64(k) / float64(len(g.nodes))
	return vg.Length(math.Sin(turn)), vg.Length(math.Cos(turn))
}

const (
	largestNode   vg.Length = 34   // radius
	smallestRing  vg.Length = 60   // radius of the circle of nodes
	labelGap      vg.Length = 9    // distance between a node and a label beside it
	labelWidth    vg.Length = 140  // largest width of a label; longer texts are broken into lines or shortened
	detailRow     vg.Length = 13   // distance between the lines of a detail
	sidewaysLabel           = 0.15 // smallest horizontal part of the direction with which a label is beside its node
)

// labelLine is a line of a label. Its distance below the first line is drop.
type labelLine struct {
	text  string
	style text.Style
	drop  vg.Length
}

// lines returns the lines of the label of node k.
func (g *graph) lines(k int) []labelLine {
	if len(g.nodes) > maxLabelledNodes {
		return nil
	}
	n, style := g.nodes[k], labelStyle(13, ink)
	lines := []labelLine{{text: shorten(n.Label, labelWidth, style), style: style}}
	if len(g.nodes) > maxDetailedNodes || n.Detail == "" {
		return lines
	}
	style = labelStyle(11, quiet)
	broken := wrap(n.Detail, labelWidth, style)
	if len(broken) > 2 {
		broken = []string{broken[0], strings.Join(broken[1:], " ")}
	}
	for i, s := range broken {
		lines = append(lines, labelLine{shorten(s, labelWidth, style), style, 15 + detailRow*vg.Length(i)})
	}
	return lines
}

// place arranges the nodes on the largest circle that leaves room for all labels.
func (g *graph) place(c draw.Canvas) []placed {
	z := len(g.nodes)
	halfWidth, halfHeight := (c.Max.X-c.Min.X)/2, (c.Max.Y-c.Min.Y)/2
	ring := halfHeight - largestNode - 12
	for k := range z {
		x, _ := g.direction(k)
		for _, line := range g.lines(k) {
			ring = min(ring, halfHeight-largestNode-labelGap-line.drop-12)
			if sideways := max(x, -x); sideways > sidewaysLabel {
				ring = min(ring, (halfWidth-largestNode-labelGap-line.style.Width(line.text))/sideways)
			}
		}
	}
	ring = max(ring, smallestRing)
	room := largestNode
	if z > 1 {
		room = min(room, vg.Length(0.8*float64(ring)*math.Sin(math.Pi/float64(z))))
	} else {
		ring = 0
	}
	most := 1
	for _, n := range g.nodes {
		most = max(most, n.Size)
	}
	nodes := make([]placed, z)
	for k, n := range g.nodes {
		x, y := g.direction(k)
		nodes[k] = placed{
			at:     vg.Point{X: c.Center().X + ring*x, Y: c.Center().Y + ring*y},
			radius: room * vg.Length(0.4+0.6*math.Sqrt(float64(max(n.Size, 0))/float64(most))),
		}
	}
	return nodes
}

// label writes the label of a node outside of the circle.
func (g *graph) label(c draw.Canvas, k int, n placed) {
	lines := g.lines(k)
	if len(lines) == 0 {
		return
	}
	dx, dy := g.direction(k)
	if len(g.nodes) == 1 { // below it
		dy = -1
	}
	// A label beside a node is vertically centred on it. A label above a node has its last line next to the node, a label
	// below it the first line.
	drop := lines[len(lines)-1].drop
	x, y := n.at.X, n.at.Y+drop/2-4+dy*(n.radius+8+drop/2)
	align := centred
	switch {
	case dx > sidewaysLabel:
		x += dx * (n.radius + labelGap)
		align = func(s text.Style) text.Style { return s }
	case dx < -sidewaysLabel:
		x += dx * (n.radius + labelGap)
		align = rightAligned
	}
	for _, line := range lines {
		writeText(c, align(line.style), x, y-line.drop, line.text)
	}
}

// arrow draws a curved arrow from the edge of one node to the edge of another. Two opposite arrows curve apart.
func arrow(c draw.Canvas, from, to placed, width vg.Length, colour color.NRGBA) {
	d := to.at.Sub(from.at)
	length := vg.Length(math.Max(math.Hypot(float64(d.X), float64(d.Y)), 1e-9))
	const bend = 0.16
	middle := vg.Point{X: (from.at.X+to.at.X)/2 + d.Y*bend, Y: (from.at.Y+to.at.Y)/2 - d.X*bend}
	head := 5 + 1.6*width
	start, tip := toward(from.at, middle, from.radius+1), toward(to.at, middle, to.radius+2)
	neck := toward(tip, middle, head)
	if length < from.radius+to.radius+head { // they touch
		neck = tip
	}
	var line vg.Path
	line.Move(start)
	line.QuadTo(middle, neck)
	c.SetLineStyle(lineStyle(faded(colour, 0.75), width))
	c.Stroke(line)
	u := tip.Sub(neck).Scale(1 / head)
	half := head * 0.45
	var point vg.Path
	point.Move(tip)
	point.Line(vg.Point{X: neck.X - u.Y*half, Y: neck.Y + u.X*half})
	point.Line(vg.Point{X: neck.X + u.Y*half, Y: neck.Y - u.X*half})
	point.Close()
	c.SetColor(colour)
	c.Fill(point)
}

// toward returns the point at the given distance from a in the direction of b.
func toward(a, b vg.Point, distance vg.Length) vg.Point {
	d := b.Sub(a)
	length := vg.Length(math.Max(math.Hypot(float64(d.X), float64(d.Y)), 1e-9))
	return a.Add(d.Scale(distance / length))
}
