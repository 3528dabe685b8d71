package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"feddag/similarity"
)

// Cut is one candidate of the search for the number of clusters.
type Cut struct {
	Alpha    float64 // threshold of the dendrogram; NaN for a candidate without one (spectral clustering)
	Loss     float64 // eq. 10
	Clusters int     // Z

	// From and To are the range of α that cuts here; both zero where it is not
	// known, and the cut then holds from its Alpha to that of the next.
	From, To float64
}

// SearchCuts are the candidates of a search and the index of the chosen one,
// -1 where none is.
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

// SearchPlot draws the search: the loss (left axis) and the number of clusters
// (right axis, steps) of each cut against α, and marks cuts[chosen]; a chosen
// outside cuts marks none. Where no cut has an α, the loss is drawn against
// the number of clusters.
func SearchPlot(w io.Writer, title string, cuts []Cut, chosen int) error {
	var mark *Cut
	if chosen >= 0 && chosen < len(cuts) {
		mark = &cuts[chosen]
	}
	byAlpha := slices.ContainsFunc(cuts, func(c Cut) bool { return finite(c.Alpha) })
	at := func(c Cut) float64 {
		if byAlpha {
			return c.Alpha
		}
		return float64(c.Clusters)
	}
	cuts = slices.DeleteFunc(slices.Clone(cuts), func(c Cut) bool { return !finite(at(c)) })
	slices.SortStableFunc(cuts, func(a, b Cut) int {
		switch {
		case at(a) < at(b):
			return -1
		case at(a) > at(b):
			return 1
		}
		return 0
	})
	var xs, losses, counts []float64
	for _, c := range cuts {
		xs = append(xs, at(c))
		if c.From < c.To {
			// The range of the last cut has no end.
			xs = append(xs, c.From, math.Min(c.To, at(c)))
		}
		counts = append(counts, float64(c.Clusters))
		if finite(c.Loss) {
			losses = append(losses, c.Loss)
		}
	}

	g := newCanvas(760, 440, title)
	b := box{left: 72, top: g.title(title) + 8, right: g.width - 72, bottom: g.height - 54}
	entries := []entry{{name: "loss L (eq. 10), left axis", colour: palette[0]}}
	name, minStep := "threshold α, a linkage distance (0 alike)", 0.0
	if byAlpha {
		entries = append(entries, entry{name: "number of clusters Z, right axis", colour: palette[1]})
	} else {
		b.right = g.width - 28
		name, minStep = "number of clusters Z", 1
	}
	if mark != nil {
		text := fmt.Sprintf("chosen: Z = %d, L = %s", mark.Clusters, strconv.FormatFloat(mark.Loss, 'g', 3, 64))
		if byAlpha {
			text = fmt.Sprintf("chosen: α = %s, Z = %d, L = %s", strconv.FormatFloat(mark.Alpha, 'g', 3, 64), mark.Clusters, strconv.FormatFloat(mark.Loss, 'g', 3, 64))
		}
		entries = append(entries, entry{name: text, colour: palette[2], dot: true})
	}
	b.top += g.legend(b.top, entries) + 12

	x := linearScale(least(xs), most(xs), 10, minStep, false)
	if low := leastAbove(xs, 0); byAlpha && crowded(cuts) {
		x = logScale(math.Max(low, most(xs)*1e-4), most(xs))
		name = "threshold α, a linkage distance (logarithmic)"
	}
	x.from, x.to = b.left+10, b.right-10
	l := lossScale(losses)
	l.from, l.to = b.bottom, b.top
	lossName := "loss L"
	if l.log {
		lossName = "loss L (logarithmic)"
	}
	g.yAxis(b, l, lossName, palette[0])
	g.xAxis(b, x, name)
	if len(cuts) == 0 {
		g.text((b.left+b.right)/2, (b.top+b.bottom)/2, "middle", "no candidates", `fill="`+quiet+`" font-size="14"`)
		return g.writeTo(w)
	}
	if mark != nil && finite(at(*mark)) {
		g.line(x.at(x.clamp(at(*mark))), b.top, x.at(x.clamp(at(*mark))), b.bottom, `stroke="`+palette[2]+`" stroke-width="1.5" stroke-dasharray="5 4"`)
	}
	if byAlpha {
		z := linearScale(0, most(counts), 6, 1, true)
		zName := "clusters Z"
		if most(counts) > 30 {
			// Most cuts of a dendrogram are into many clusters, and the
			// interesting ones into few.
			z = logScale(math.Max(1, least(counts)), most(counts))
			zName = "clusters Z (logarithmic)"
		}
		z.from, z.to = b.bottom, b.top
		g.rightAxis(b, z, zName, palette[1])
		var steps []point
		for i, c := range cuts {
			y, from := z.at(z.clamp(float64(c.Clusters))), x.at(x.clamp(at(c)))
			if c.From < c.To {
				from = x.at(x.clamp(c.From))
			}
			if i > 0 {
				steps = append(steps, point{from, steps[len(steps)-1].y})
			}
			steps = append(steps, point{from, y})
		}
		// The last cut holds for every larger α.
		steps = append(steps, point{b.right, steps[len(steps)-1].y})
		g.path(steps, stroke(palette[1], "", 1.8))
	}
	var line []point
	for _, c := range cuts {
		if finite(c.Loss) {
			line = append(line, point{x.at(x.clamp(at(c))), l.at(l.clamp(c.Loss))})
		}
	}
	g.path(line, stroke(palette[0], "", 1.8))
	for _, p := range line {
		g.circle(p.x, p.y, 2.4, `fill="`+palette[0]+`"`)
	}
	if mark != nil && finite(at(*mark)) && finite(mark.Loss) {
		g.circle(x.at(x.clamp(at(*mark))), l.at(l.clamp(mark.Loss)), 5, `fill="`+palette[2]+`" stroke="#ffffff" stroke-width="1.5"`)
	}
	return g.writeTo(w)
}

// crowded says whether half of the cuts or more lie in the first twentieth of the range of α.
func crowded(cuts []Cut) bool {
	if len(cuts) < 3 {
		return false
	}
	return cuts[len(cuts)/2].Alpha < cuts[len(cuts)-1].Alpha/20
}

// lossScale is logarithmic where the losses, which hold an exponential of the
// cluster sizes, span more than two powers of ten.
func lossScale(losses []float64) scale {
	lo, hi := least(losses), most(losses)
	// A loss of zero, as where every client is alone, sits on the axis.
	if p := leastAbove(losses, 0); finite(p) && hi/p > 100 {
		return logScale(math.Max(p, hi*1e-12), hi)
	}
	return linearScale(math.Min(lo, 0), hi, 6, 0, true)
}

func least(v []float64) float64 {
	m := math.Inf(1)
	for _, x := range v {
		m = math.Min(m, x)
	}
	return m
}

// leastAbove is the least value above a bound.
func leastAbove(v []float64, bound float64) float64 {
	m := math.Inf(1)
	for _, x := range v {
		if x > bound {
			m = math.Min(m, x)
		}
	}
	return m
}

func most(v []float64) float64 {
	m := math.Inf(-1)
	for _, x := range v {
		m = math.Max(m, x)
	}
	return m
}
