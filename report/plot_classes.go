package report

import (
	"fmt"
	"io"
	"strconv"
)

// classRows is how many clusters are drawn, the first ones.
const classRows = 60

// ClassTable draws how many samples of each class every cluster holds, shaded by the share of the cluster's largest.
func ClassTable(w io.Writer, title string, clusters []Cluster, names []string) error {
	classes := 0
	for _, c := range clusters {
		classes = max(classes, len(c.Histogram))
	}
	rows := min(len(clusters), classRows)
	const row, left = 22.0, 190.0
	probe := newCanvas(760, 0, title)
	top := probe.title(title) + 84
	g := newCanvas(760, top+row*float64(rows)+40, title)
	g.title(title)
	cell := (g.width - left - 24) / float64(max(classes, 1))
	for class := range classes {
		x := left + (float64(class)+0.5)*cell
		g.f(`<text transform="translate(%s %s) rotate(-40)" font-size="11" fill="%s">%s</text>`+"\n", num(x-3), num(top-8), quiet, escape(className(names, class)))
	}
	for z, c := range clusters[:rows] {
		y := top + float64(z)*row
		g.text(left-10, y+row/2+4, "end", fmt.Sprintf("%d: %s, %s", z, count(len(c.Members), "client"), thousands(float64(c.Samples))), `font-size="11" fill="`+ink+`"`)
		most := 1
		for _, n := range c.Histogram {
			most = max(most, n)
		}
		for class, n := range c.Histogram {
			x, share := left+float64(class)*cell, float64(n)/float64(most)
			opacity := "0"
			if n > 0 {
				opacity = num(0.12 + 0.75*share)
			}
			g.rect(x, y, cell-1, row-1, `fill="`+palette[0]+`" fill-opacity="`+opacity+`" stroke="`+grid+`"`)
			if s := strconv.Itoa(n); n > 0 && textWidth(s, 10) < cell-2 {
				on := ink
				if share > 0.6 {
					on = "#ffffff"
				}
				g.text(x+cell/2, y+row/2+3.5, "middle", s, `font-size="10" fill="`+on+`"`)
			}
		}
	}
	note := "cluster: clients, samples; cells: samples of a class, shaded by the share of the cluster's largest class"
	if rows < len(clusters) {
		note = fmt.Sprintf("the first %d of %d clusters; ", rows, len(clusters)) + note
	}
	g.text(24, top+row*float64(rows)+24, "start", note, `font-size="11" fill="`+quiet+`"`)
	return g.writeTo(w)
}
