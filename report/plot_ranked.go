package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
)

// rankedChart is a line plot of many series: no points, and a legend right of
// the plot, the highest last value first, with that value.
type rankedChart struct {
	title          string // as that of a Chart
	xLabel, yLabel string
	integerX       bool
	low, high      float64 // shown range of Y, what lies beyond is cut off; all of it unless high > low
	series         []Series
	strong         int // series drawn black and thicker, over the others; negative for none
}

// dashes tell lines of one colour apart.
var dashes = []string{"", "7 4", "1.5 4.5", "10 3.5 1.5 3.5"}

// look of series i. Every few series the colours come again, with other dashes.
func (c *rankedChart) look(i int) (line, dash string) {
	if i == c.strong {
		return ink, ""
	}
	if c.strong >= 0 && i > c.strong {
		i--
	}
	return colour(i), dashes[i/len(palette)%len(dashes)]
}

// last is the last value of a series; least where it has none.
func (s Series) last() float64 {
	for _, y := range slices.Backward(s.Y) {
		if finite(y) {
			return y
		}
	}
	return math.Inf(-1)
}

// shown are the series that reach into the range, the highest last value first.
func (c *rankedChart) shown() []int {
	var order []int
	for i, s := range c.series {
		if !(c.high > c.low) || slices.ContainsFunc(s.Y, func(y float64) bool { return y >= c.low }) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(c.series[j].last(), c.series[i].last()) })
	return order
}

// scales are those of the series shown, widened to whole ticks but not beyond 0..100 percent.
func (c *rankedChart) scales(shown []int) (x, y scale, empty bool) {
	xlo, xhi, ylo, yhi := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, i := range shown {
		s := c.series[i]
		for j := range s.X {
			low, high := s.Y[j], s.Y[j]
			if s.Low != nil {
				low, high = s.Low[j], s.High[j]
			}
			xlo, xhi = math.Min(xlo, s.X[j]), math.Max(xhi, s.X[j])
			ylo, yhi = math.Min(ylo, low), math.Max(yhi, high)
		}
	}
	minStep := 0.0
	if c.integerX {
		minStep = 1
	}
	x = linearScale(xlo, xhi, 10, minStep, false)
	if c.high > c.low {
		y = linearScale(c.low, c.high, 8, 0, false)
	} else {
		y = linearScale(ylo, yhi, 8, 0, true)
	}
	y.min, y.max = math.Max(y.min, 0), math.Min(y.max, 100)
	y.ticks = slices.DeleteFunc(y.ticks, func(t float64) bool { return t < y.min || t > y.max })
	return x, y, math.IsInf(xlo, 1)
}

// draw writes the plot as SVG. Every X and Y is finite.
func (c *rankedChart) draw(w io.Writer) error {
	for i, s := range c.series {
		if len(s.X) != len(s.Y) || s.Low != nil && len(s.Low) != len(s.Y) || len(s.Low) != len(s.High) {
			return fmt.Errorf("plot %q: series %d (%s) has %d x, %d y and a band of %d and %d",
				c.title, i, s.Name, len(s.X), len(s.Y), len(s.Low), len(s.High))
		}
	}
	const plotWidth, plotHeight, legendStep = 700.0, 420.0, 18.0
	shown := c.shown()
	names := 0.0
	for _, i := range shown {
		names = max(names, textWidth(c.series[i].Name, 12))
	}
	g := newCanvas(plotWidth+41+names+64, 0, c.title)
	b := box{left: 68, top: newCanvas(g.width, 0, "").title(c.title) + 20, right: plotWidth - 10}
	b.bottom = b.top + max(plotHeight, legendStep*float64(len(shown)))
	g = newCanvas(g.width, b.bottom+54, c.title)
	g.title(c.title)

	x, y, empty := c.scales(shown)
	x.from, x.to, y.from, y.to = b.left+8, b.right-8, b.bottom, b.top
	g.yAxis(b, y, c.yLabel, ink)
	g.xAxis(b, x, c.xLabel)
	if empty {
		g.text((b.left+b.right)/2, (b.top+b.bottom)/2, "middle", "nothing measured yet", `fill="`+quiet+`" font-size="14"`)
		return g.writeTo(w)
	}
	at := b.top + 10
	for _, i := range shown {
		line, dash := c.look(i)
		width, weight := 2.2, ""
		if i == c.strong {
			width, weight = 3.4, ` font-weight="600"`
		}
		g.line(plotWidth+8, at, plotWidth+34, at, stroke(line, dash, width))
		g.text(plotWidth+41, at+4, "start", c.series[i].Name, `fill="`+ink+`"`+weight)
		if last := c.series[i].last(); finite(last) {
			g.text(g.width-12, at+4, "end", decimal(last, 1), `fill="`+quiet+`"`+weight)
		}
		at += legendStep
	}
	// A drawing of its own cuts off what lies outside.
	g.f(`<svg x="%s" y="%s" width="%s" height="%s" viewBox="%s %s %s %s" overflow="hidden">`+"\n", num(b.left), num(b.top-2), num(b.right-b.left), num(b.bottom-b.top+3),
		num(b.left), num(b.top-2), num(b.right-b.left), num(b.bottom-b.top+3))
	c.lines(g, shown, x, y)
	g.f("</svg>\n")
	return g.writeTo(w)
}

// lines draws the bands, then the lines, the strong one last.
func (c *rankedChart) lines(g *canvas, shown []int, x, y scale) {
	opacity := "0.13"
	if len(shown) > 6 {
		opacity = "0.07"
	}
	for _, i := range shown {
		s := c.series[i]
		var around []point
		for j, high := range s.High {
			around = append(around, point{x.at(s.X[j]), y.at(high)})
		}
		for j, low := range slices.Backward(s.Low) {
			around = append(around, point{x.at(s.X[j]), y.at(low)})
		}
		if len(around) > 2 {
			line, _ := c.look(i)
			g.path(around, `fill="`+line+`" fill-opacity="`+opacity+`" stroke="none"`)
		}
	}
	order := slices.DeleteFunc(slices.Clone(shown), func(i int) bool { return i == c.strong })
	slices.Reverse(order) // the highest on top
	if len(order) < len(shown) {
		order = append(order, c.strong)
	}
	for _, i := range order {
		s := c.series[i]
		line, dash := c.look(i)
		width := 1.8
		if i == c.strong {
			width = 3.2
		}
		var points []point
		for j := range s.X {
			points = append(points, point{x.at(s.X[j]), y.at(s.Y[j])})
		}
		switch len(points) {
		case 0:
		case 1:
			g.circle(points[0].x, points[0].y, 3, `fill="`+line+`"`)
		default:
			g.path(points, stroke(line, dash, width))
		}
	}
}
