package plot

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"

	"feddag/internal/numfmt"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// RankedChart is a plot of many lines in percent. The legend on its right shows the last value of each line and is sorted by
// it, the highest first. Every X and Y must be finite.
type RankedChart struct {
	Title          string
	XLabel, YLabel string
	IntegerX       bool
	Low, High      float64 // range of Y that is shown; all of it unless High > Low
	Series         []Series
	Strong         int // index of the series that is drawn black, thicker and above the others; negative for none
}

// rankedDashes are dash patterns that distinguish lines of the same colour.
var rankedDashes = [][]vg.Length{nil, {7, 4}, {1.5, 4.5}, {10, 3.5, 1.5, 3.5}}

// look returns the colour and the dash pattern of series i. When the colours repeat, the dash pattern changes.
func (c *RankedChart) look(i int) (color.NRGBA, []vg.Length) {
	if i == c.Strong {
		return ink, nil
	}
	if c.Strong >= 0 && i > c.Strong {
		i--
	}
	return colourOf(i), rankedDashes[i/len(palette)%len(rankedDashes)]
}

// Last returns the last value of a series, or -Inf if it has none.
func (s Series) Last() float64 {
	for _, y := range slices.Backward(s.Y) {
		if finite(y) {
			return y
		}
	}
	return math.Inf(-1)
}

func (c *RankedChart) bounded() bool { return c.High > c.Low }

// shown returns the series that reach into the range, the highest last value
// first.
func (c *RankedChart) shown() []int {
	var order []int
	for i, s := range c.Series {
		if !c.bounded() || slices.ContainsFunc(s.Y, func(y float64) bool { return y >= c.Low }) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(c.Series[j].Last(), c.Series[i].Last()) })
	return order
}

// scales returns the scales for the series shown, widened to whole ticks but not beyond 0..100 percent.
func (c *RankedChart) scales(shown []int) (x, y scale, empty bool) { return c.scalesOf(shown, 10, 8) }

// scalesOf returns scales with about the given numbers of ticks.
func (c *RankedChart) scalesOf(shown []int, ticksX, ticksY int) (x, y scale, empty bool) {
	ex, ey := newExtent(), newExtent()
	for _, i := range shown {
		s := c.Series[i]
		for j := range s.X {
			ex.add(s.X[j])
			if s.Low != nil {
				ey.add(s.Low[j])
				ey.add(s.High[j])
			} else {
				ey.add(s.Y[j])
			}
		}
	}
	minStep := 0.0
	if c.IntegerX {
		minStep = 1
	}
	x = linearScale(ex.low, ex.high, ticksX, minStep, false).widen()
	if c.bounded() {
		y = linearScale(c.Low, c.High, ticksY, 0, false)
	} else {
		y = linearScale(ey.low, ey.high, ticksY, 0, true)
	}
	return x, y.bound(0, 100), ex.empty()
}

// Ranked draws c. Everything outside of the range of Y is cut off.
func Ranked(c RankedChart) (*Figure, error) {
	for i, s := range c.Series {
		if err := s.check(i); err != nil {
			return nil, fmt.Errorf("plot %q: %w", c.Title, err)
		}
	}
	const plotWidth, plotHeight = 700, 474
	shown := c.shown()
	x, y, empty := c.scales(shown)
	p := newPlot()
	p.Add(horizontalGrid())
	everything := scale{min: math.Inf(-1), max: math.Inf(1)} // gonum clips lines and bands
	opacity := 0.13
	if len(shown) > 6 {
		opacity = 0.07
	}
	for _, i := range shown {
		colour, _ := c.look(i)
		c.Series[i].addBand(p, colour, opacity, everything)
	}
	for _, i := range c.upwards(shown) {
		colour, dashes := c.look(i)
		width := vg.Length(1.8)
		if i == c.Strong {
			width = 3.2
		}
		c.Series[i].addLine(p, lineStyle(colour, width, dashes...), everything, 1)
	}
	if empty {
		p.Add(note("nothing measured yet"))
		shown = nil
	}
	x.apply(&p.X, c.XLabel)
	y.apply(&p.Y, c.YLabel)

	names := vg.Length(0)
	for _, i := range shown {
		names = max(names, c.nameStyle(i).Width(c.Series[i].Name))
	}
	width := plotWidth + 41 + names + 64
	height := max(plotHeight, legendRow*vg.Length(len(shown))+74)
	return newFigure(c.Title, width, height, func(page draw.Canvas) {
		p.Draw(draw.Crop(page, 12, -(page.Max.X - page.Min.X - plotWidth), 12, -8))
		c.legend(draw.Crop(page, plotWidth+8, -12, 0, -8), shown)
	}), nil
}

// upwards returns the series in the order in which they are drawn: from the lowest to the highest, and then the strong one,
// so that it is on top.
func (c *RankedChart) upwards(shown []int) []int {
	order := slices.DeleteFunc(slices.Clone(shown), func(i int) bool { return i == c.Strong })
	slices.Reverse(order)
	if len(order) < len(shown) {
		order = append(order, c.Strong)
	}
	return order
}

func (c *RankedChart) nameStyle(i int) text.Style {
	if i == c.Strong {
		return bold(labelStyle(13, ink))
	}
	return labelStyle(13, ink)
}

// legend draws a line, the name and the last value of each series.
func (c *RankedChart) legend(page draw.Canvas, shown []int) {
	y := page.Max.Y - 10
	for _, i := range shown {
		colour, dashes := c.look(i)
		width, values := vg.Length(2.2), labelStyle(13, quiet)
		if i == c.Strong {
			width, values = 3.4, bold(values)
		}
		page.StrokeLine2(lineStyle(colour, width, dashes...), page.Min.X, y, page.Min.X+26, y)
		writeText(page, c.nameStyle(i), page.Min.X+33, y-4, c.Series[i].Name)
		if last := c.Series[i].Last(); finite(last) {
			writeText(page, rightAligned(values), page.Max.X, y-4, numfmt.Decimal(last, 1))
		}
		y -= legendRow
	}
}
