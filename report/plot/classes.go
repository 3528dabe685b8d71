package plot

import (
	"fmt"
	"math"
	"strconv"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// ClassRow is a row of ClassTable.
type ClassRow struct {
	Name   string
	Counts []int // number of samples per class
}

// classRows is the largest number of rows that are drawn. Further rows are left out.
const classRows = 60

// Name returns the name of class i, which is its number if names has no name for it.
func Name(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return strconv.Itoa(i)
}

// classNames lists the names of n classes.
func classNames(names []string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = Name(names, i)
	}
	return all
}

// ClassTable draws the number of samples of each class in every cluster. Cells are shaded by their ratio to the largest class
// of the cluster.
func ClassTable(title string, rows []ClassRow, names []string) *Figure {
	t := &classTable{rows: rows[:min(len(rows), classRows)]}
	classes := 0
	var rowNames []string
	for _, r := range t.rows {
		rowNames = append(rowNames, r.Name)
	}
	for _, r := range rows {
		classes = max(classes, len(r.Counts))
	}
	t.columns = classNames(names, classes)
	t.left = widest(rowNames, labelStyle(12, ink), 60) + 10
	head := headHeight(t.columns)
	note := "cluster: clients, samples; cells: samples of a class, shaded by the share of the cluster's largest class"
	if len(t.rows) < len(rows) {
		note = fmt.Sprintf("the first %d of %d clusters; ", len(t.rows), len(rows)) + note
	}
	p := barePlot(t)
	height := head + classRow*vg.Length(len(t.rows))
	// Leaves room for the last name, which extends to the right.
	right := max(margin, turnedWidth(t.columns)-30)
	return newFigure(title, usualWidth, height+40, func(c draw.Canvas) {
		p.Draw(draw.Crop(c, margin, -right, 40, -head))
		writeText(c, labelStyle(12, quiet), c.Min.X+margin, c.Min.Y+16, note)
	})
}

const (
	classRow   vg.Length = 22
	columnTurn           = 40 * math.Pi / 180 // angle of the names of columns
)

// headHeight returns the height of turned names of columns.
func headHeight(names []string) vg.Length {
	return widest(names, labelStyle(12, quiet), 0)*vg.Length(math.Sin(columnTurn)) + 22
}

// turnedWidth returns how far the last turned name extends to the right.
func turnedWidth(names []string) vg.Length {
	if len(names) == 0 {
		return 0
	}
	return labelStyle(12, quiet).Width(names[len(names)-1]) * vg.Length(math.Cos(columnTurn))
}

// classTable draws a table of numbers with the names of its columns above the
// canvas.
type classTable struct {
	rows    []ClassRow
	columns []string
	left    vg.Length // width of the names of rows
}

// Plot implements plot.Plotter.
func (t *classTable) Plot(c draw.Canvas, _ *gonum.Plot) {
	left := c.Min.X + t.left
	cell := (c.Max.X - left) / vg.Length(max(len(t.columns), 1))
	for k, name := range t.columns {
		writeTurned(c, labelStyle(12, quiet), left+(vg.Length(k)+0.5)*cell-3, c.Max.Y+8, columnTurn, name)
	}
	for z, r := range t.rows {
		top := c.Max.Y - vg.Length(z)*classRow
		writeText(c, rightAligned(labelStyle(12, ink)), left-10, top-classRow/2-4, r.Name)
		most := 1
		for _, n := range r.Counts {
			most = max(most, n)
		}
		for class, n := range r.Counts {
			share := float64(n) / float64(most)
			box := rectangle(left+vg.Length(class)*cell, top-classRow+1, cell-1, classRow-1)
			if n > 0 {
				fillRectangle(c, box, faded(colourOf(0), 0.12+0.75*share))
			}
			strokeRectangle(c, box, lineStyle(grid, 1))
			style := centred(labelStyle(11, ink))
			if share > 0.6 {
				style.Color = white
			}
			if s := strconv.Itoa(n); n > 0 && style.Width(s) < cell-2 {
				writeText(c, style, box.Min.X+(cell-1)/2, top-classRow/2-3, s)
			}
		}
	}
}
