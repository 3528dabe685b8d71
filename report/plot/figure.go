package plot

import (
	"fmt"
	"io"
	"strings"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Figure is a picture with a title.
type Figure struct {
	title         string
	width, height vg.Length
	body          func(draw.Canvas) // draws everything below the title
}

// The margin left of titles and legends, and the width of most figures.
const (
	margin      vg.Length = 24
	usualWidth  vg.Length = 760
	usualHeight vg.Length = 370 // height of the body of most figures
)

// newFigure returns a figure whose body has the given width and height. The first line of title is the name of the figure.
// The following lines describe the numbers (split, before or after local training, kind of average).
func newFigure(title string, width, height vg.Length, body func(draw.Canvas)) *Figure {
	head := newHeading(title, width-2*margin)
	return &Figure{
		title: title, width: width, height: head.height + height,
		body: func(c draw.Canvas) {
			head.draw(c)
			body(draw.Crop(c, 0, 0, 0, -head.height))
		},
	}
}

// Write writes the figure. The back ends of gonum.org/v1/plot report failures,
// such as a missing folder for temporary files, by a panic; Write returns them
// as errors.
func (f *Figure) Write(w io.Writer, format Format) (err error) {
	name, _, _ := strings.Cut(f.title, "\n")
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("drawing %q as %s: %v", name, format, r)
		}
	}()
	c, err := newCanvas(format, f.title, f.width, f.height)
	if err != nil {
		return fmt.Errorf("drawing %q: %w", name, err)
	}
	page := draw.NewCanvas(c, f.width, f.height)
	fillRectangle(page, page.Rectangle, white)
	f.body(page)
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("drawing %q as %s: %w", name, format, err)
	}
	return nil
}

// heading is a title broken into lines.
type heading struct {
	name, rest []string
	height     vg.Length
}

func newHeading(title string, width vg.Length) heading {
	first, rest, _ := strings.Cut(title, "\n")
	h := heading{name: wrap(first, width, titleStyle())}
	if rest != "" {
		for line := range strings.SplitSeq(rest, "\n") {
			h.rest = append(h.rest, wrap(line, width, labelStyle(13, quiet))...)
		}
	}
	h.height = 22 + 21*vg.Length(len(h.name)) + 17*vg.Length(len(h.rest))
	return h
}

func (h heading) draw(c draw.Canvas) {
	y := c.Max.Y - 26
	for _, line := range h.name {
		writeText(c, titleStyle(), c.Min.X+margin, y, line)
		y -= 21
	}
	for _, line := range h.rest {
		writeText(c, labelStyle(13, quiet), c.Min.X+margin, y, line)
		y -= 17
	}
}

// newPlot returns an empty plot in the style of this package. Its x-axis has a line and ticks, its y-axis only grid lines.
func newPlot() *gonum.Plot {
	p := gonum.New()
	p.BackgroundColor = nil
	p.TextHandler = textHandler()
	for _, a := range []*gonum.Axis{&p.X, &p.Y} {
		a.Padding = 0
		a.LineStyle = lineStyle(frame, 1)
		a.Tick.LineStyle = lineStyle(frame, 1)
		a.Tick.Length = 5
		style := labelStyle(13, quiet)
		style.XAlign, style.YAlign = a.Tick.Label.XAlign, a.Tick.Label.YAlign
		a.Tick.Label = style
		style = labelStyle(13, ink)
		style.XAlign, style.YAlign = a.Label.TextStyle.XAlign, a.Label.TextStyle.YAlign
		a.Label.TextStyle = style
		a.Label.Padding = 6
	}
	p.Y.LineStyle.Width, p.Y.Tick.LineStyle.Width, p.Y.Padding = 0, 0, 5
	return p
}

// barePlot returns a plot without axes, whose data span 0 to 1 in both
// directions and the whole canvas.
func barePlot(plotters ...gonum.Plotter) *gonum.Plot {
	p := newPlot()
	p.HideAxes()
	p.Y.Padding = 0
	p.Add(plotters...)
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	return p
}

// fitData returns the canvas in the upper left corner of c on which the data of p have the given width and height.
func fitData(p *gonum.Plot, c draw.Canvas, width, height vg.Length) draw.Canvas {
	data := p.DataCanvas(c)
	// The space around the data keeps its size.
	around := c.Size().Sub(data.Size())
	c.Max.X = c.Min.X + width + around.X
	c.Min.Y = c.Max.Y - height - around.Y
	return c
}
