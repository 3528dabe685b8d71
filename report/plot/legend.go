package plot

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legendEntry is an entry of a legend. gonum's own legend is a column inside the axes, which would hide data.
type legendEntry struct {
	name   string
	colour color.NRGBA
	dashes []vg.Length
	dot    bool // the entry has a point instead of a line
}

// legend is a list of entries in rows.
type legend struct {
	entries []legendEntry
	at      []vg.Point // position of each entry from the upper left corner, y downwards
	height  vg.Length
}

const legendRow vg.Length = 18

// newLegend lays entries out in rows of the given width.
func newLegend(entries []legendEntry, width vg.Length) legend {
	l := legend{entries: entries}
	if len(entries) == 0 {
		return l
	}
	var x, y vg.Length
	for i, e := range entries {
		w := 31 + labelStyle(13, ink).Width(e.name)
		if i > 0 && x+w > width {
			x, y = 0, y+legendRow
		}
		l.at = append(l.at, vg.Point{X: x, Y: y})
		x += w + 22
	}
	l.height = y + legendRow + 12
	return l
}

// draw draws the legend in the upper left corner of c.
func (l legend) draw(c draw.Canvas) {
	for i, e := range l.entries {
		x, y := c.Min.X+margin+l.at[i].X, c.Max.Y-l.at[i].Y-8
		if e.dot {
			var dot vg.Path
			addCircle(&dot, x+12, y, 4.5)
			c.SetColor(e.colour)
			c.Fill(dot)
		} else {
			c.StrokeLine2(lineStyle(e.colour, 2.2, e.dashes...), x, y, x+24, y)
		}
		writeText(c, labelStyle(13, ink), x+31, y-4, e.name)
	}
}
