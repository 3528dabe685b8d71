package plot

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"feddag/internal/numfmt"
	"feddag/similarity"
)

// PageLeaves is the number of branches of a tree that a page shows. If there are more clusters, there are more branches.
const PageLeaves = 60

// namedShare is the smallest share of the width or height of a chart with which there is room for the name of a cluster.
const namedShare = 0.045

// DendrogramHTML draws the top of a tree for a page; see [Dendrogram].
func DendrogramHTML(tree *similarity.Dendrogram, clusters [][]int, threshold float64) (template.HTML, error) {
	labels, err := clusterLabels(tree, clusters)
	if err != nil {
		return "", err
	}
	t := newBranches(tree, labels, min(tree.N, dendrogramMost, max(PageLeaves, len(clusters))))
	w := &webChart{
		yLabel: "linkage distance (0 alike)", x: scale{min: -0.5, max: float64(t.leaves) - 0.5},
		y: linearScale(0, math.Max(t.top(), 1e-9), 5, 0, true),
	}
	w.grid()
	lines, wedges := map[string]*strings.Builder{}, map[string]*strings.Builder{}
	var order []string
	of := func(paths map[string]*strings.Builder, class string) *strings.Builder {
		if paths[class] == nil {
			paths[class] = &strings.Builder{}
			order = append(order, class)
		}
		return paths[class]
	}
	class := func(node int) string { return webColour(t.label[node]) }
	x := make([]float64, tree.N+len(tree.Merges))
	leaf := 0
	t.walk(func(node int) {
		if t.isLeaf(node) {
			x[node] = float64(leaf)
			leaf++
			return
		}
		first, second := t.children(node)
		x[node] = (x[first] + x[second]) / 2
		for _, child := range []int{first, second} {
			bottom := t.height(child)
			if t.isLeaf(child) && child >= tree.N {
				fmt.Fprintf(of(wedges, class(child)), "M%sL%sL%sZ", w.at(x[child]-0.33, 0), w.at(x[child], bottom), w.at(x[child]+0.33, 0))
			}
			fmt.Fprintf(of(lines, class(node)), "M%sL%sL%s", w.at(x[child], bottom), w.at(x[child], t.height(node)), w.at(x[node], t.height(node)))
		}
	})
	done := map[string]bool{}
	for _, k := range order {
		if done[k] {
			continue
		}
		done[k] = true
		if wedges[k] != nil {
			w.path("band "+k, wedges[k].String(), "")
		}
		if lines[k] != nil {
			w.path("line thin "+k, lines[k].String(), "")
		}
	}
	if finite(threshold) {
		w.path("line dashed ink", "M"+w.at(w.x.min, w.y.clamp(threshold))+"H1000", "")
		w.keys = []webKey{{name: fmt.Sprintf("cut at α = %s: %s", threeDigits(threshold), numfmt.Count(len(clusters), "cluster")), class: "ink", dashed: true}}
	}
	w.xLabel = "cluster"
	w.over.WriteString(t.strip())
	return w.HTML("Dendrogram of " + numfmt.Count(tree.N, "client")), nil
}

// strip returns the clusters below the branches, in their colours, with their numbers if there is room.
func (t *branches) strip() string {
	var b strings.Builder
	b.WriteString(`<div class="strip">`)
	label, width := -2, 0
	flush := func() {
		if width == 0 {
			return
		}
		share, name := float64(width)/float64(t.leaves), ""
		if share >= namedShare && label >= 0 {
			name = strconv.Itoa(label)
		}
		fmt.Fprintf(&b, `<span class="%s" style="width:%s">%s</span>`, webColour(label), inPercent(share), name)
	}
	t.walk(func(node int) {
		if !t.isLeaf(node) {
			return
		}
		if t.label[node] != label {
			flush()
			label, width = t.label[node], 0
		}
		width++
	})
	flush()
	b.WriteString(`</div>`)
	return b.String()
}
