package plot

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"strings"
)

// The size of a graph on a page. It is about the width of a phone screen, so that its texts are as large as other texts.
const (
	webGraphSize  = 380
	webGraphNodes = 40 // largest number of nodes with which there is room for a number in each node
)

// GraphHTML draws nodes and edges for a page; see [Graph]. The label of a node shows when the pointer is on it.
func GraphHTML(alt string, nodes []Node, edges []Edge) (template.HTML, error) {
	if err := checkEdges(alt, nodes, edges); err != nil {
		return "", err
	}
	z := len(nodes)
	most, room, ring := 1, 34.0, float64(webGraphSize)/2-40
	for _, n := range nodes {
		most = max(most, n.Size)
	}
	if z > 1 {
		room = math.Min(room, 0.85*ring*math.Sin(math.Pi/float64(z)))
		ring = float64(webGraphSize)/2 - room - 4
	} else {
		ring = 0
	}
	type point struct{ x, y, r float64 }
	at := make([]point, z)
	for k, n := range nodes {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / float64(z))
		least := math.Min(room, 13) // so that the number fits
		at[k] = point{webGraphSize/2 + ring*sin, webGraphSize/2 - ring*cos, math.Max(least, room*(0.4+0.6*math.Sqrt(float64(max(n.Size, 0))/float64(most))))}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="graph" viewBox="0 0 %d %d" role="img" aria-label="%s">`, webGraphSize, webGraphSize, html.EscapeString(legalXML(alt)))
	toward := func(from point, x, y, distance float64) (float64, float64) {
		length := math.Max(math.Hypot(x-from.x, y-from.y), 1e-9)
		return from.x + (x-from.x)*distance/length, from.y + (y-from.y)*distance/length
	}
	for _, e := range edges {
		from, to := at[e.From], at[e.To]
		const bend = 0.16
		mx, my := (from.x+to.x)/2-(to.y-from.y)*bend, (from.y+to.y)/2+(to.x-from.x)*bend
		head := 5 + 1.6*e.Width
		sx, sy := toward(from, mx, my, from.r+1)
		tx, ty := toward(to, mx, my, to.r+2)
		nx, ny := toward(point{tx, ty, 0}, mx, my, head)
		ux, uy := (tx-nx)*0.45, (ty-ny)*0.45
		fmt.Fprintf(&b, `<g class="%s"><path class="edge" stroke-width="%s" d="M%s %sQ%s %s %s %s"/><path class="tip" d="M%s %sL%s %sL%s %sZ"/></g>`, webColour(e.From), webNumber(e.Width),
			webNumber(sx), webNumber(sy), webNumber(mx), webNumber(my), webNumber(nx), webNumber(ny),
			webNumber(tx), webNumber(ty), webNumber(nx-uy), webNumber(ny+ux), webNumber(nx+uy), webNumber(ny-ux))
	}
	for k, n := range nodes {
		fmt.Fprintf(&b, `<g class="%s"><circle cx="%s" cy="%s" r="%s"><title>%s</title></circle>`, webColour(k), webNumber(at[k].x), webNumber(at[k].y), webNumber(at[k].r),
			html.EscapeString(legalXML(fmt.Sprintf("cluster %d: %s, %s", k, n.Label, n.Detail))))
		if z <= webGraphNodes {
			fmt.Fprintf(&b, `<text x="%s" y="%s">%d</text>`, webNumber(at[k].x), webNumber(at[k].y), k)
		}
		b.WriteString(`</g>`)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()), nil
}
