package plot

import (
	"fmt"
	"image/color"
	"math"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is one line of a plot. Points with an X or Y that is not finite are left out; the line continues to the next point.
type Series struct {
	Name string
	X, Y []float64

	// Low and High are the bounds of a shaded band. They have the same length as Y, or are nil for no band.
	Low, High []float64

	Dashed bool
}

// check returns an error for lengths that do not agree.
func (s Series) check(i int) error {
	if len(s.X) != len(s.Y) || s.Low != nil && len(s.Low) != len(s.Y) || len(s.Low) != len(s.High) {
		return fmt.Errorf("series %d (%s) has %d x, %d y and a band of %d and %d", i, s.Name, len(s.X), len(s.Y), len(s.Low), len(s.High))
	}
	return nil
}

// LineChart is a plot of lines.
type LineChart struct {
	Title    string
	XLabel   string
	YLabel   string
	IntegerX bool    // only whole numbers have ticks
	MinY     float64 // if MaxY > MinY, nothing is drawn outside of MinY..MaxY,
	MaxY     float64 // including bands
	Series   []Series
	Levels   []Level
	Marks    []Mark
}

// Level is a horizontal line that marks a bound.
type Level struct {
	Name string
	Y    float64
}

// Mark is a highlighted point.
type Mark struct {
	Name string
	X, Y float64
}

// markColour is the index of the colour of marks.
const markColour = 2

// markedPoints is the largest number of points with which each point is marked.
const markedPoints = 40

func (c LineChart) check() error {
	for i, s := range c.Series {
		if err := s.check(i); err != nil {
			return fmt.Errorf("plot %q: %w", c.Title, err)
		}
	}
	return nil
}

// scales returns the scales of x and y with about the given numbers of ticks, and whether there is nothing to draw.
func (c LineChart) scales(ticksX, ticksY int) (scaleX, scaleY scale, empty bool) {
	x, y := newExtent(), newExtent()
	for _, s := range c.Series {
		for j := range s.X {
			if !finite(s.X[j]) || !finite(s.Y[j]) {
				continue
			}
			x.add(s.X[j])
			y.add(s.Y[j])
			if s.Low != nil && finite(s.Low[j]) && finite(s.High[j]) {
				y.add(s.Low[j])
				y.add(s.High[j])
			}
		}
	}
	for _, l := range c.Levels {
		y.add(l.Y)
	}
	for _, m := range c.Marks {
		x.add(m.X)
		y.add(m.Y)
	}
	low, high := math.Inf(-1), math.Inf(1)
	if c.MaxY > c.MinY {
		low, high = c.MinY, c.MaxY
	}
	minStep := 0.0
	if c.IntegerX {
		minStep = 1
	}
	scaleX = linearScale(x.low, x.high, ticksX, minStep, false).widen()
	return scaleX, linearScale(math.Max(y.low, low), math.Min(y.high, high), ticksY, 0, true).bound(low, high), x.empty()
}

// Lines draws a line for each series with its band, the levels, the marks, and a legend above the plot.
func Lines(c LineChart) (*Figure, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	scaleX, scaleY, empty := c.scales(10, 6)
	var entries []legendEntry
	p := newPlot()
	p.Add(horizontalGrid())
	for i, s := range c.Series {
		s.addBand(p, colourOf(i), 0.13, scaleY)
	}
	for i, s := range c.Series {
		s.addLine(p, lineStyle(colourOf(i), 2, s.dashes()...), scaleY, markedPoints)
		if s.Name != "" {
			entries = append(entries, legendEntry{name: s.Name, colour: colourOf(i), dashes: s.dashes()})
		}
	}
	for _, l := range c.Levels {
		p.Add(&horizontalLine{y: scaleY.clamp(l.Y), style: lineStyle(ink, 1.3, 6, 4)})
		entries = append(entries, legendEntry{name: l.Name, colour: ink, dashes: []vg.Length{6, 4}})
	}
	for _, m := range c.Marks {
		at := plotter.XYs{{X: scaleX.clamp(m.X), Y: scaleY.clamp(m.Y)}}
		for _, style := range []draw.GlyphStyle{{Color: white, Radius: 6.5, Shape: draw.CircleGlyph{}}, {Color: colourOf(markColour), Radius: 5, Shape: draw.CircleGlyph{}}} {
			p.Add(&plotter.Scatter{XYs: at, GlyphStyle: style})
		}
		entries = append(entries, legendEntry{name: m.Name, colour: colourOf(markColour), dot: true})
	}
	scaleX.apply(&p.X, c.XLabel)
	scaleY.apply(&p.Y, c.YLabel)
	if empty {
		p.Add(note("nothing measured yet"))
	}
	return underLegend(c.Title, entries, func(c draw.Canvas) { p.Draw(c) }), nil
}

// underLegend returns a figure of the usual size with a legend between title
// and body.
func underLegend(title string, entries []legendEntry, body func(draw.Canvas)) *Figure {
	l := newLegend(entries, usualWidth-2*margin)
	return newFigure(title, usualWidth, usualHeight+l.height, func(c draw.Canvas) {
		l.draw(c)
		body(draw.Crop(c, 12, -24, 12, -l.height))
	})
}

func (s Series) dashes() []vg.Length {
	if s.Dashed {
		return dotted
	}
	return nil
}

// points returns the finite points, limited to the range of a scale.
func (s Series) points(y scale) plotter.XYs {
	var points plotter.XYs
	for j := range s.X {
		if finite(s.X[j]) && finite(s.Y[j]) {
			points = append(points, plotter.XY{X: s.X[j], Y: y.clamp(s.Y[j])})
		}
	}
	return points
}

// addLine adds the line to p, and its points if there are at most marked of them. A single point is always drawn.
func (s Series) addLine(p *gonum.Plot, style draw.LineStyle, y scale, marked int) {
	points := s.points(y)
	if len(points) > 1 {
		p.Add(&plotter.Line{XYs: points, LineStyle: style})
	}
	if len(points) > 0 && (len(points) <= marked || len(points) == 1) {
		p.Add(&plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: style.Color, Radius: 0.7 * (style.Width + 1.7), Shape: draw.CircleGlyph{}}})
	}
}

// addBand adds the area between Low and High to p.
func (s Series) addBand(p *gonum.Plot, c color.NRGBA, opacity float64, y scale) {
	var upper, lower plotter.XYs
	for j := range s.Low {
		if finite(s.X[j]) && finite(s.Low[j]) && finite(s.High[j]) {
			upper = append(upper, plotter.XY{X: s.X[j], Y: y.clamp(s.High[j])})
			lower = append(lower, plotter.XY{X: s.X[j], Y: y.clamp(s.Low[j])})
		}
	}
	if len(upper) < 2 {
		return
	}
	for j := len(lower) - 1; j >= 0; j-- {
		upper = append(upper, lower[j])
	}
	p.Add(&plotter.Polygon{XYs: []plotter.XYs{upper}, Color: faded(c, opacity)})
}

func horizontalGrid() *plotter.Grid {
	return &plotter.Grid{Horizontal: lineStyle(grid, 1)}
}

// note is a text in the middle of a plot.
type note string

// Plot implements plot.Plotter.
func (n note) Plot(c draw.Canvas, _ *gonum.Plot) {
	writeText(c, centred(labelStyle(14, quiet)), c.Center().X, c.Center().Y, string(n))
}

// extent is the range of some values.
type extent struct{ low, high float64 }

func newExtent(values ...float64) extent {
	e := extent{math.Inf(1), math.Inf(-1)}
	for _, v := range values {
		e.add(v)
	}
	return e
}

func (e *extent) add(v float64) { e.low, e.high = math.Min(e.low, v), math.Max(e.high, v) }

func (e extent) empty() bool { return e.low > e.high }

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
