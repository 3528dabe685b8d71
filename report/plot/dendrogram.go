package plot

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"feddag/internal/numfmt"
	"feddag/similarity"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

const (
	// dendrogramLeaves is the number of branches that are drawn from the top of a larger tree. If there are more clusters,
	// there are more branches, up to dendrogramMost.
	dendrogramLeaves = 60
	dendrogramMost   = 240
)

// Dendrogram draws the top of a tree, the chosen cut at threshold (NaN if the clusters were not cut from the tree), and every
// cluster below it in its colour. A tree of up to 60 clients is drawn completely. In a larger tree, the branches stand for
// the clients below them, so that the size of the drawing does not depend on the number of clients. If there are more than
// 240 clusters, a branch may contain several clusters and is then grey.
func Dendrogram(title string, tree *similarity.Dendrogram, clusters [][]int, threshold float64) (*Figure, error) {
	labels, err := clusterLabels(tree, clusters)
	if err != nil {
		return nil, err
	}
	t := newBranches(tree, labels, min(tree.N, dendrogramMost, max(dendrogramLeaves, len(clusters))))
	y := linearScale(0, math.Max(t.top(), 1e-9), 6, 0, true)
	p := newPlot()
	p.Add(horizontalGrid(), &dendrogram{t})
	if finite(threshold) {
		p.Add(&horizontalLine{y: y.clamp(threshold), style: lineStyle(ink, 1.3, 6, 4)})
	}
	p.HideX()
	p.X.Min, p.X.Max = -0.5, float64(t.leaves)-0.5
	y.apply(&p.Y, "linkage distance (0 alike)")
	var entries []legendEntry
	if !math.IsNaN(threshold) {
		entries = append(entries, legendEntry{
			name:   fmt.Sprintf("chosen cut: α = %s, %s", threeDigits(threshold), numfmt.Count(len(clusters), "cluster")),
			colour: ink, dashes: []vg.Length{6, 4},
		})
	}
	what := "clients"
	if t.leaves < tree.N {
		what = fmt.Sprintf("the top %d branches of %s clients; a wedge stands for the clients below it", t.leaves, numfmt.Thousands(float64(tree.N)))
	}
	return underLegend(title, entries, func(c draw.Canvas) {
		above := draw.Crop(c, 0, 0, 84, 0)
		p.Draw(above)
		data := p.DataCanvas(above)
		writeText(c, centred(labelStyle(13, ink)), data.Center().X, data.Min.Y-84, what)
	}), nil
}

// clusterLabels returns the cluster of each client of a tree.
func clusterLabels(tree *similarity.Dendrogram, clusters [][]int) ([]int, error) {
	labels := make([]int, tree.N)
	seen := 0
	for z, members := range clusters {
		for _, i := range members {
			if i < 0 || i >= tree.N {
				return nil, fmt.Errorf("dendrogram: cluster %d has client %d of %d", z, i, tree.N)
			}
			labels[i] = z
			seen++
		}
	}
	if seen != tree.N || len(tree.Merges) != tree.N-1 {
		return nil, fmt.Errorf("dendrogram: clusters of %d clients, a tree of %d with %d merges", seen, tree.N, len(tree.Merges))
	}
	return labels, nil
}

// dendrogram draws the branches of a tree, with leaf i at x = i, and the names of leaves and clusters below the data.
type dendrogram struct{ *branches }

// Plot implements plot.Plotter.
func (d *dendrogram) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	step := trX(1) - trX(0)
	x := make([]vg.Length, d.tree.N+len(d.tree.Merges)) // x of each node
	lines, wedges := newColouredPaths(), newColouredPaths()
	leaf := 0
	d.walk(func(node int) {
		if d.isLeaf(node) {
			x[node] = trX(float64(leaf))
			leaf++
			return
		}
		first, second := d.children(node)
		x[node] = (x[first] + x[second]) / 2
		for _, child := range []int{first, second} {
			bottom := trY(d.height(child))
			if d.isLeaf(child) && child >= d.tree.N { // the branches below are not drawn
				w := wedges.of(d.colour(child))
				w.Move(vg.Point{X: x[child] - step/3, Y: trY(0)})
				w.Line(vg.Point{X: x[child], Y: bottom})
				w.Line(vg.Point{X: x[child] + step/3, Y: trY(0)})
				w.Close()
			}
			l := lines.of(d.colour(node))
			l.Move(vg.Point{X: x[child], Y: bottom})
			l.Line(vg.Point{X: x[child], Y: trY(d.height(node))})
			l.Line(vg.Point{X: x[node], Y: trY(d.height(node))})
		}
	})
	wedges.each(func(colour color.NRGBA, path vg.Path) {
		c.SetColor(faded(colour, 0.25))
		c.Fill(path)
	})
	lines.each(func(colour color.NRGBA, path vg.Path) {
		c.SetLineStyle(lineStyle(colour, 1.4))
		c.Stroke(path)
	})
	c.StrokeLine2(lineStyle(frame, 1), c.Min.X, c.Min.Y, c.Max.X, c.Min.Y)
	d.names(c, step, x)
}

func (d *dendrogram) colour(node int) color.NRGBA {
	if d.label[node] < 0 {
		return frame
	}
	return colourOf(d.label[node])
}

// names writes the label of each leaf if there is room, and the clusters below the leaves.
func (d *dendrogram) names(c draw.Canvas, step vg.Length, x []vg.Length) {
	type span struct {
		label, clients int
		from, to       vg.Length
	}
	var spans []span
	leafStyle := rightAligned(labelStyle(11, quiet))
	d.walk(func(node int) {
		if !d.isLeaf(node) {
			return
		}
		if step >= 9 {
			s := strconv.Itoa(node)
			if node >= d.tree.N {
				s = fmt.Sprintf("(%d)", d.size(node))
			}
			writeTurned(c, leafStyle, x[node]+3.5, c.Min.Y-6, math.Pi/2, s)
		}
		if k := len(spans) - 1; k < 0 || spans[k].label != d.label[node] {
			spans = append(spans, span{label: d.label[node], from: x[node] - step/2})
		}
		s := &spans[len(spans)-1]
		s.clients += d.size(node)
		s.to = x[node] + step/2
	})
	style := centred(labelStyle(12, quiet))
	last := c.Min.X - margin
	for _, s := range spans {
		if s.label < 0 {
			continue
		}
		fillRectangle(c, rectangle(s.from+1, c.Min.Y-50, max(s.to-s.from-2, 1), 5), colourOf(s.label))
		middle, short := (s.from+s.to)/2, strconv.Itoa(s.label)
		for _, text := range []string{fmt.Sprintf("%d (%d)", s.label, s.clients), short} { // the longest text for which there is room
			if half := style.Width(text) / 2; middle-half > last+4 && (half <= (s.to-s.from)/2 || text == short) {
				writeText(c, style, middle, c.Min.Y-64, text)
				last = middle + half
				break
			}
		}
	}
}

// colouredPaths joins all lines of the same colour into one path, which keeps files small.
type colouredPaths struct {
	order []color.NRGBA
	paths map[color.NRGBA]*vg.Path
}

func newColouredPaths() *colouredPaths { return &colouredPaths{paths: map[color.NRGBA]*vg.Path{}} }

func (p *colouredPaths) of(c color.NRGBA) *vg.Path {
	if p.paths[c] == nil {
		p.order = append(p.order, c)
		p.paths[c] = new(vg.Path)
	}
	return p.paths[c]
}

// each visits the paths in the order in which their colours were first used.
func (p *colouredPaths) each(visit func(color.NRGBA, vg.Path)) {
	for _, c := range p.order {
		visit(c, *p.paths[c])
	}
}

// horizontalLine is a line across the whole plot at y.
type horizontalLine struct {
	y     float64
	style draw.LineStyle
}

// Plot implements plot.Plotter.
func (h *horizontalLine) Plot(c draw.Canvas, p *gonum.Plot) {
	y := c.Y(p.Y.Norm(h.y))
	c.StrokeLine2(h.style, c.Min.X, y, c.Max.X, y)
}
