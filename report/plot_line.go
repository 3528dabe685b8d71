package report

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// Series is one line of a plot. Points whose Y is not finite are left out, and
// the line runs on to the next.
type Series struct {
	Name string
	X, Y []float64

	// Low and High, of the length of Y, bound a shaded band; nil for none.
	Low, High []float64

	Dashed bool
}

// Chart is a line plot. The first line of Title is its name; what the numbers
// are (split, before or after local training, averaged how) goes on the next.
type Chart struct {
	Title    string
	XLabel   string
	YLabel   string
	IntegerX bool    // ticks at whole numbers only
	MinY     float64 // Y never reaches beyond MinY..MaxY, bands included,
	MaxY     float64 // where MaxY > MinY
	Series   []Series
}

// AccuracyPlot draws accuracies in percent against the round.
func AccuracyPlot(w io.Writer, title string, series []Series) error {
	return LinePlot(w, Chart{Title: title, XLabel: "round", YLabel: "accuracy, percent", IntegerX: true, MaxY: 100, Series: series})
}

// LossPlot draws losses, in nats, against the round.
func LossPlot(w io.Writer, title string, series []Series) error {
	return LinePlot(w, Chart{Title: title, XLabel: "round", YLabel: "cross-entropy, nats", IntegerX: true, MaxY: math.Inf(1), Series: series})
}

// RoundSeries is one measure of rounds, with a band of one standard deviation
// over clients where band is set.
func RoundSeries(name string, rounds []Round, band bool, of func(Round) Stat) Series {
	s := Series{Name: name}
	for _, r := range rounds {
		v := of(r)
		s.X = append(s.X, float64(r.Round))
		s.Y = append(s.Y, v.Mean)
		if band {
			s.Low = append(s.Low, v.Mean-v.Std)
			s.High = append(s.High, v.Mean+v.Std)
		}
	}
	return s
}

// markers is the number of points up to which each is marked.
const markers = 40

// LinePlot draws c as SVG.
func LinePlot(w io.Writer, c Chart) error {
	xlo, xhi, ylo, yhi := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i, s := range c.Series {
		if len(s.X) != len(s.Y) || s.Low != nil && len(s.Low) != len(s.Y) || len(s.Low) != len(s.High) {
			return fmt.Errorf("plot %q: series %d (%s) has %d x, %d y and a band of %d and %d",
				c.Title, i, s.Name, len(s.X), len(s.Y), len(s.Low), len(s.High))
		}
		for j, x := range s.X {
			if !finite(x) || !finite(s.Y[j]) {
				continue
			}
			xlo, xhi = math.Min(xlo, x), math.Max(xhi, x)
			ylo, yhi = math.Min(ylo, s.Y[j]), math.Max(yhi, s.Y[j])
			if s.Low != nil && finite(s.Low[j]) && finite(s.High[j]) {
				ylo, yhi = math.Min(ylo, s.Low[j]), math.Max(yhi, s.High[j])
			}
		}
	}
	bounded := c.MaxY > c.MinY
	if bounded {
		ylo, yhi = math.Max(ylo, c.MinY), math.Min(yhi, c.MaxY)
	}

	g := newCanvas(760, 440, c.Title)
	b := box{left: 68, top: g.title(c.Title) + 8, right: g.width - 28, bottom: g.height - 54}
	var entries []entry
	for i, s := range c.Series {
		if s.Name != "" {
			entries = append(entries, entry{name: s.Name, colour: colour(i), dash: dash(s.Dashed)})
		}
	}
	b.top += g.legend(b.top, entries) + 12

	minStep := 0.0
	if c.IntegerX {
		minStep = 1
	}
	x := linearScale(xlo, xhi, 10, minStep, false)
	y := linearScale(ylo, yhi, 6, 0, true)
	if bounded {
		// Rounding to whole ticks must not show what cannot be.
		y.min, y.max = math.Max(y.min, c.MinY), math.Min(y.max, c.MaxY)
		y.ticks = slices.DeleteFunc(y.ticks, func(t float64) bool { return t < y.min || t > y.max })
	}
	// Room for the marks of the first and last point.
	x.from, x.to, y.from, y.to = b.left+8, b.right-8, b.bottom, b.top
	g.yAxis(b, y, c.YLabel, ink)
	g.xAxis(b, x, c.XLabel)
	if math.IsInf(xlo, 1) {
		g.text((b.left+b.right)/2, (b.top+b.bottom)/2, "middle", "nothing measured yet", `fill="`+quiet+`" font-size="14"`)
		return g.writeTo(w)
	}
	for i, s := range c.Series {
		if s.Low != nil {
			g.band(s, x, y, colour(i))
		}
	}
	for i, s := range c.Series {
		var line []point
		for j := range s.X {
			if finite(s.X[j]) && finite(s.Y[j]) {
				line = append(line, point{x.at(s.X[j]), y.at(y.clamp(s.Y[j]))})
			}
		}
		if len(line) > 1 {
			g.path(line, stroke(colour(i), dash(s.Dashed), 2))
		}
		if len(line) <= markers {
			for _, p := range line {
				g.circle(p.x, p.y, 2.6, `fill="`+colour(i)+`"`)
			}
		}
	}
	return g.writeTo(w)
}

// band shades between Low and High of s.
func (c *canvas) band(s Series, x, y scale, colour string) {
	var upper, lower []point
	for j := range s.X {
		if finite(s.X[j]) && finite(s.Low[j]) && finite(s.High[j]) {
			upper = append(upper, point{x.at(s.X[j]), y.at(y.clamp(s.High[j]))})
			lower = append(lower, point{x.at(s.X[j]), y.at(y.clamp(s.Low[j]))})
		}
	}
	for j := len(lower) - 1; j >= 0; j-- {
		upper = append(upper, lower[j])
	}
	if len(upper) > 2 {
		c.path(upper, `fill="`+colour+`" fill-opacity="0.13" stroke="none"`)
	}
}

func colour(i int) string { return palette[i%len(palette)] }

func dash(dashed bool) string {
	if dashed {
		return "2 5"
	}
	return ""
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
