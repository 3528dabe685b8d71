package plot

import (
	"fmt"
	"html/template"
	"strings"

	"gonum.org/v1/gonum/mat"

	"feddag/internal/numfmt"
)

// HeatMapHTML draws the matrix a for a page; see [HeatMap].
func HeatMapHTML(a mat.Symmetric, clusters [][]int) (template.HTML, error) {
	n := a.SymmetricDim()
	order, err := clusterOrder(n, clusters)
	if err != nil {
		return "", fmt.Errorf("heat map: %w", err)
	}
	if n == 0 {
		return "", nil
	}
	values := heatRange(a)
	picture, err := webImage(heatImage(a, order, values, 1))
	if err != nil {
		return "", fmt.Errorf("heat map: %w", err)
	}
	var key strings.Builder
	for _, c := range viridisStops {
		fmt.Fprintf(&key, ",#%02x%02x%02x", c.R, c.G, c.B)
	}
	var names, lines strings.Builder
	start := 0
	for z, members := range clusters {
		from, size := float64(start)/float64(n), float64(len(members))/float64(n)
		if size >= namedShare {
			fmt.Fprintf(&names, `<span style="top:%s">%d</span>`, inPercent(from+size/2), z)
		}
		if len(members) > 0 {
			x, side := webNumber(webUnits*from), webNumber(webUnits*size)
			fmt.Fprintf(&lines, `<rect x="%s" y="%s" width="%s" height="%s"/>`, x, x, side, side)
		}
		start += len(members)
	}
	bar := linearScale(values.low, values.high, 4, 0, false)
	var ticks strings.Builder
	for _, t := range bar.ticks {
		fmt.Fprintf(&ticks, `<span style="left:%s">%s</span>`, inPercent(bar.share(t)), bar.label(t))
	}
	return template.HTML(fmt.Sprintf(`<div class="heat"><div class="y-ticks"><b>00</b>%s</div><div class="square" style="background-image:url(%s)"><svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="Matrix between %s, ordered by cluster">%s</svg></div>`+
		`<div class="bar" style="background-image:linear-gradient(90deg%s)"></div><div class="x-ticks">%s</div><div class="axis-name x">cluster at the left; larger is less alike</div></div>`,
		names.String(), picture, webUnits, webUnits, numfmt.Count(n, "client"), lines.String(), key.String(), ticks.String())), nil
}
