package plot

import (
	"cmp"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"feddag/similarity"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Cut is one candidate of the search for the number of clusters.
type Cut struct {
	Alpha    float64 // threshold of the dendrogram; NaN for a candidate without one (spectral clustering)
	Loss     float64 // eq. 10
	Clusters int     // Z

	// From and To are the range of α that gives this cut. Both are zero if it is
	// not known; the cut then holds from its Alpha to that of the next.
	From, To float64
}

// SearchCuts returns the candidates of a search and the index of the chosen
// one, or -1 if none is chosen.
func SearchCuts(s *similarity.Choice) (cuts []Cut, chosen int) {
	var heights []float64
	if s.Dendrogram != nil {
		heights = s.Dendrogram.Heights()
	}
	chosen = -1
	for i, c := range s.Candidates {
		cut := Cut{Alpha: math.NaN(), Loss: c.Loss, Clusters: len(c.Clusters)}
		if s.Dendrogram != nil {
			cut.Alpha = c.Threshold
			// After m merges: from the height of the last to that of the next.
			if m := s.Dendrogram.N - cut.Clusters; m >= 0 && m <= len(heights) {
				cut.To = math.Inf(1)
				if m > 0 {
					cut.From = heights[m-1]
				}
				if m < len(heights) {
					cut.To = heights[m]
				}
			}
		}
		if c.Chosen {
			chosen = i
		}
		cuts = append(cuts, cut)
	}
	return cuts, chosen
}

// searchPlot is what Search draws.
type searchPlot struct {
	cuts    []Cut // by rising place
	byAlpha bool  // the x axis is α, else the number of clusters
	mark    *Cut  // the chosen one; nil for none
}

// place returns where a cut stands on the x axis.
func (s *searchPlot) place(c Cut) float64 {
	if s.byAlpha {
		return c.Alpha
	}
	return float64(c.Clusters)
}

// Search draws the loss (left axis) and the number of clusters (right axis, in
// steps) of each cut against α, and marks cuts[chosen]; it marks none if chosen
// lies outside of cuts. If no cut has an α, the loss is drawn against the number
// of clusters.
func Search(title string, cuts []Cut, chosen int) *Figure {
	s := &searchPlot{byAlpha: slices.ContainsFunc(cuts, func(c Cut) bool { return finite(c.Alpha) })}
	if chosen >= 0 && chosen < len(cuts) {
		s.mark = &cuts[chosen]
	}
	s.cuts = slices.DeleteFunc(slices.Clone(cuts), func(c Cut) bool { return !finite(s.place(c)) })
	slices.SortStableFunc(s.cuts, func(a, b Cut) int { return cmp.Compare(s.place(a), s.place(b)) })

	p := newPlot()
	p.Y.Label.TextStyle.Color = colourOf(0)
	x, y := s.scaleX(&p.X), s.lossScale(&p.Y)
	p.Add(horizontalGrid())
	if s.mark != nil && finite(s.place(*s.mark)) {
		p.Add(&verticalLine{x: x.clamp(s.place(*s.mark)), style: lineStyle(colourOf(2), 1.5, 5, 4)})
	}
	right := vg.Length(24)
	if s.byAlpha && len(s.cuts) > 0 {
		right = 60
		p.Add(s.clusterSteps(x))
	}
	s.addLoss(p, x, y)
	if len(s.cuts) == 0 {
		p.Add(note("no candidates"))
	}
	// Plotters widen the range of the axes.
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = x.min, x.max, y.min, y.max
	return underLegend(title, s.entries(), func(c draw.Canvas) { p.Draw(draw.Crop(c, 0, 24-right, 0, 0)) })
}

func (s *searchPlot) entries() []legendEntry {
	entries := []legendEntry{{name: "loss L (eq. 10), left axis", colour: colourOf(0)}}
	if s.byAlpha {
		entries = append(entries, legendEntry{name: "number of clusters Z, right axis", colour: colourOf(1)})
	}
	if s.mark != nil {
		alpha := ""
		if s.byAlpha {
			alpha = "α = " + threeDigits(s.mark.Alpha) + ", "
		}
		text := fmt.Sprintf("chosen: %sZ = %d, L = %s", alpha, s.mark.Clusters, threeDigits(s.mark.Loss))
		entries = append(entries, legendEntry{name: text, colour: colourOf(2), dot: true})
	}
	return entries
}

func threeDigits(v float64) string { return strconv.FormatFloat(v, 'g', 3, 64) }

// scaleX sets up the x axis.
func (s *searchPlot) scaleX(a *gonum.Axis) scale {
	e := newExtent()
	above := math.Inf(1) // the least value above zero
	for _, c := range s.cuts {
		values := []float64{s.place(c)}
		if c.From < c.To { // the range of the last cut has no end
			values = append(values, c.From, math.Min(c.To, s.place(c)))
		}
		for _, v := range values {
			e.add(v)
			if v > 0 {
				above = math.Min(above, v)
			}
		}
	}
	var x scale
	switch {
	case !s.byAlpha:
		x = linearScale(e.low, e.high, 10, 1, false).widen()
		x.apply(a, "number of clusters Z")
	case s.crowded():
		x = logScale(math.Max(above, e.high*1e-4), e.high)
		x.apply(a, "threshold α, a linkage distance (logarithmic)")
	default:
		x = linearScale(e.low, e.high, 10, 0, false).widen()
		x.apply(a, "threshold α, a linkage distance (0 alike)")
	}
	return x
}

// crowded says whether half of the cuts or more lie in the first twentieth of
// the range of α.
func (s *searchPlot) crowded() bool {
	n := len(s.cuts)
	return n >= 3 && s.cuts[n/2].Alpha < s.cuts[n-1].Alpha/20
}

// lossScale sets up the left axis. It is logarithmic if the losses, which hold
// an exponential of the cluster sizes, span more than two powers of ten.
func (s *searchPlot) lossScale(a *gonum.Axis) scale {
	e := newExtent()
	above := math.Inf(1) // a loss of zero, as where every client is alone, is drawn on the axis
	for _, c := range s.cuts {
		if finite(c.Loss) {
			e.add(c.Loss)
			if c.Loss > 0 {
				above = math.Min(above, c.Loss)
			}
		}
	}
	if finite(above) && e.high/above > 100 {
		y := logScale(math.Max(above, e.high*1e-12), e.high)
		y.apply(a, "loss L (logarithmic)")
		return y
	}
	y := linearScale(math.Min(e.low, 0), e.high, 6, 0, true)
	y.apply(a, "loss L")
	return y
}

// addLoss adds the curve of the losses and the point that is chosen.
func (s *searchPlot) addLoss(p *gonum.Plot, x, y scale) {
	at := func(c Cut) plotter.XY { return plotter.XY{X: x.clamp(s.place(c)), Y: y.clamp(c.Loss)} }
	var points plotter.XYs
	for _, c := range s.cuts {
		if finite(c.Loss) {
			points = append(points, at(c))
		}
	}
	if len(points) > 0 {
		p.Add(&plotter.Line{XYs: points, LineStyle: lineStyle(colourOf(0), 1.8)},
			&plotter.Scatter{XYs: points, GlyphStyle: draw.GlyphStyle{Color: colourOf(0), Radius: 2.4, Shape: draw.CircleGlyph{}}})
	}
	if s.mark != nil && finite(s.place(*s.mark)) && finite(s.mark.Loss) {
		for _, style := range []draw.GlyphStyle{{Color: white, Radius: 6.5, Shape: draw.CircleGlyph{}}, {Color: colourOf(2), Radius: 5, Shape: draw.CircleGlyph{}}} {
			p.Add(&plotter.Scatter{XYs: plotter.XYs{at(*s.mark)}, GlyphStyle: style})
		}
	}
}

// clusterSteps returns the steps of the number of clusters, with their own axis
// at the right.
func (s *searchPlot) clusterSteps(x scale) gonum.Plotter {
	counts := newExtent()
	for _, c := range s.cuts {
		counts.add(float64(c.Clusters))
	}
	own := newPlot()
	z := linearScale(0, counts.high, 6, 1, true)
	name := "clusters Z"
	if counts.high > 30 {
		// Most cuts of a dendrogram are into many clusters, and the interesting
		// ones into few.
		z = logScale(math.Max(1, counts.low), counts.high)
		name = "clusters Z (logarithmic)"
	}
	var steps plotter.XYs
	for _, c := range s.cuts {
		from := x.clamp(s.place(c))
		if c.From < c.To {
			from = x.clamp(c.From)
		}
		steps = append(steps, plotter.XY{X: from, Y: z.clamp(float64(c.Clusters))})
	}
	// The last cut holds for every larger α.
	steps = append(steps, plotter.XY{X: x.max, Y: steps[len(steps)-1].Y})
	x.apply(&own.X, "")
	z.apply(&own.Y, name)
	return &secondAxis{
		own:    own,
		line:   &plotter.Line{XYs: steps, StepStyle: plotter.PostStep, LineStyle: lineStyle(colourOf(1), 1.8)},
		colour: colourOf(1),
	}
}

// secondAxis is a line with a y axis of its own at the right, which gonum lacks.
type secondAxis struct {
	own    *gonum.Plot // its axes
	line   *plotter.Line
	colour color.NRGBA
}

// Plot implements plot.Plotter.
func (s *secondAxis) Plot(c draw.Canvas, _ *gonum.Plot) {
	s.line.Plot(c, s.own)
	rightAxis(c, s.own.Y, s.colour)
}

// verticalLine crosses the whole plot at x.
type verticalLine struct {
	x     float64
	style draw.LineStyle
}

// Plot implements plot.Plotter.
func (v *verticalLine) Plot(c draw.Canvas, p *gonum.Plot) {
	x := c.X(p.X.Norm(v.x))
	c.StrokeLine2(v.style, x, c.Min.Y, x, c.Max.Y)
}
