package report

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"feddag/similarity"
)

const (
	// dendrogramLeaves is how many branches are drawn of a larger tree, its top; more where there are more clusters,
	// up to dendrogramMost.
	dendrogramLeaves = 60
	dendrogramMost   = 240
)

// Dendrogram draws the top of a tree, the chosen cut at threshold, and every cluster below it in its colour. A tree of
// up to 60 clients is drawn whole; of a larger one the branches stand for the clients below them, so that the drawing
// stays as small for 10,000 clients. Where there are more than 240 clusters, a branch may hold several and is grey.
func Dendrogram(w io.Writer, title string, tree *similarity.Dendrogram, clusters [][]int, threshold float64) error {
	labels := make([]int, tree.N)
	seen := 0
	for z, members := range clusters {
		for _, i := range members {
			if i < 0 || i >= tree.N {
				return fmt.Errorf("dendrogram %q: cluster %d has client %d of %d", title, z, i, tree.N)
			}
			labels[i] = z
			seen++
		}
	}
	if seen != tree.N || len(tree.Merges) != tree.N-1 {
		return fmt.Errorf("dendrogram %q: clusters of %d clients, a tree of %d with %d merges", title, seen, tree.N, len(tree.Merges))
	}
	t := newBranches(tree, labels, min(tree.N, dendrogramMost, max(dendrogramLeaves, len(clusters))))

	g := newCanvas(760, 470, title)
	b := box{left: 72, top: g.title(title) + 8, right: g.width - 28, bottom: g.height - 98}
	b.top += g.legend(b.top, []entry{
		{name: fmt.Sprintf("chosen cut: α = %s, %s", strconv.FormatFloat(threshold, 'g', 3, 64), count(len(clusters), "cluster")), colour: ink, dash: "2 5"},
	}) + 12
	y := linearScale(0, math.Max(t.top(), 1e-9), 6, 0, true)
	y.from, y.to = b.bottom, b.top
	g.yAxis(b, y, "linkage distance (0 alike)", ink)

	step := (b.right - b.left) / float64(t.leaves)
	x := make([]float64, tree.N+len(tree.Merges))
	leaf := 0
	t.walk(func(node int) { // children before their parent
		if t.isLeaf(node) {
			x[node] = b.left + (float64(leaf)+0.5)*step
			leaf++
			return
		}
		m := tree.Merges[node-tree.N]
		first, second := t.children(node)
		x[node] = (x[first] + x[second]) / 2
		top := y.at(m.Height)
		for _, child := range []int{first, second} {
			bottom := y.at(0)
			if !t.isLeaf(child) {
				bottom = y.at(tree.Merges[child-tree.N].Height)
			} else if child >= tree.N { // what is below is not drawn
				bottom = math.Min(bottom, y.at(tree.Merges[child-tree.N].Height))
				g.path([]point{{x[child] - step/3, y.at(0)}, {x[child], bottom}, {x[child] + step/3, y.at(0)}},
					`fill="`+t.colour(child)+`" fill-opacity="0.25" stroke="none"`)
			}
			g.path([]point{{x[child], bottom}, {x[child], top}, {x[node], top}}, stroke(t.colour(node), "", 1.4))
		}
	})
	if cut := y.clamp(threshold); finite(threshold) {
		g.line(b.left, y.at(cut), b.right, y.at(cut), `stroke="`+ink+`" stroke-width="1.3" stroke-dasharray="6 4"`)
	}
	g.line(b.left, b.bottom, b.right, b.bottom, `stroke="`+frame+`"`)
	t.names(g, b, step, x)
	what := "clients"
	if t.leaves < tree.N {
		what = fmt.Sprintf("the top %d branches of %s clients; a wedge stands for the clients below it", t.leaves, thousands(float64(tree.N)))
	}
	g.text((b.left+b.right)/2, g.height-14, "middle", what, `fill="`+ink+`"`)
	return g.writeTo(w)
}

// branches is the top of a tree: as many leaves, each a client or a merge whose own branches are not drawn.
type branches struct {
	tree   *similarity.Dendrogram
	leaves int
	first  []int // of each node, the smallest client below it
	label  []int // of each node, the cluster of all clients below it; -1 for several
}

func newBranches(tree *similarity.Dendrogram, labels []int, leaves int) *branches {
	n := tree.N
	t := &branches{tree: tree, leaves: leaves, first: make([]int, n+len(tree.Merges)), label: make([]int, n+len(tree.Merges))}
	for i := range n {
		t.first[i], t.label[i] = i, labels[i]
	}
	for k, m := range tree.Merges {
		t.first[n+k], t.label[n+k] = min(t.first[m.A], t.first[m.B]), t.label[m.A]
		if t.label[m.A] != t.label[m.B] {
			t.label[n+k] = -1
		}
	}
	return t
}

func (t *branches) isLeaf(node int) bool { return node < 2*t.tree.N-t.leaves }

// children returns a merge's two, that of the smaller client first, so that clusters stand in about their order.
func (t *branches) children(node int) (first, second int) {
	m := t.tree.Merges[node-t.tree.N]
	if t.first[m.A] > t.first[m.B] {
		return m.B, m.A
	}
	return m.A, m.B
}

// walk visits the drawn nodes, leaves from left to right, children before their parent.
func (t *branches) walk(visit func(node int)) {
	type entry struct {
		node int
		done bool
	}
	stack := []entry{{t.tree.N + len(t.tree.Merges) - 1, false}}
	for len(stack) > 0 {
		e := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if e.done || t.isLeaf(e.node) {
			visit(e.node)
			continue
		}
		first, second := t.children(e.node)
		stack = append(stack, entry{e.node, true}, entry{second, false}, entry{first, false})
	}
}

func (t *branches) top() float64 {
	if len(t.tree.Merges) == 0 {
		return 0
	}
	return t.tree.Merges[len(t.tree.Merges)-1].Height
}

func (t *branches) colour(node int) string {
	if t.label[node] < 0 {
		return frame
	}
	return colour(t.label[node])
}

// size is the number of clients below a node.
func (t *branches) size(node int) int {
	if node < t.tree.N {
		return 1
	}
	return t.tree.Merges[node-t.tree.N].Size
}

// names writes what each leaf is, where there is room, and under them the clusters.
func (t *branches) names(g *canvas, b box, step float64, x []float64) {
	type span struct {
		label, clients int
		from, to       float64
	}
	var spans []span
	t.walk(func(node int) {
		if !t.isLeaf(node) {
			return
		}
		if step >= 9 {
			s := strconv.Itoa(node)
			if node >= t.tree.N {
				s = fmt.Sprintf("(%d)", t.size(node))
			}
			g.f(`<text transform="translate(%s %s) rotate(-90)" text-anchor="end" font-size="10" fill="%s">%s</text>`+"\n",
				num(x[node]+3.5), num(b.bottom+6), quiet, escape(s))
		}
		if k := len(spans) - 1; k < 0 || spans[k].label != t.label[node] {
			spans = append(spans, span{label: t.label[node], from: x[node] - step/2})
		}
		s := &spans[len(spans)-1]
		s.clients += t.size(node)
		s.to = x[node] + step/2
	})
	last := math.Inf(-1)
	for _, s := range spans {
		if s.label < 0 {
			continue
		}
		g.rect(s.from+1, b.bottom+47, math.Max(s.to-s.from-2, 1), 5, `fill="`+colour(s.label)+`"`)
		middle := (s.from + s.to) / 2
		for _, text := range []string{fmt.Sprintf("%d (%d)", s.label, s.clients), strconv.Itoa(s.label)} { // what has room
			if half := textWidth(text, 11) / 2; middle-half > last+4 && (half <= (s.to-s.from)/2 || text == strconv.Itoa(s.label)) {
				g.text(middle, b.bottom+65, "middle", text, `font-size="11" fill="`+quiet+`"`)
				last = middle + half
				break
			}
		}
	}
}
