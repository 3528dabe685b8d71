package plot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"feddag/internal/numfmt"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Share describes the samples of one client of a partition.
type Share struct {
	Client  int
	Group   int   // true group; negative if there is none
	HeldOut bool  // the client takes no part in training
	Counts  []int // number of training samples per class
}

// total returns the number of samples.
func (s Share) total() float64 {
	sum := 0.0
	for _, n := range s.Counts {
		sum += float64(n)
	}
	return sum
}

// partitionColumns is the largest number of clients that are drawn.
const partitionColumns = 120

const (
	partitionWidth vg.Length = 1120
	barHeight      vg.Length = 96
)

// Partition draws the assignment of samples to clients: a bubble for each client and class, whose area is proportional to the
// number of samples, and below them a bar with the total of each client. Clients are sorted and coloured by true group;
// held-out clients are hollow. names are the names of the classes.
func Partition(title string, clients []Share, names []string) *Figure {
	columns, each := partitionColumnsOf(clients)
	classes, grouped, held := 0, false, false
	largest, total := 1.0, 1.0
	for _, c := range columns {
		classes = max(classes, len(c.Counts))
		grouped, held = grouped || c.Group >= 0, held || c.HeldOut
		total = math.Max(total, c.total())
		for _, n := range c.Counts {
			largest = math.Max(largest, float64(n))
		}
	}
	cell := (partitionWidth - 150) / vg.Length(max(len(columns), 1)) // approximate
	radius := min(0.7*cell, 13)                                      // neighbours may overlap a little
	row := min(max(2*radius+4, 15), 720/vg.Length(max(classes, 1)))
	b := &bubbles{columns: columns, largest: largest, radius: min(radius, row/2)}

	above := newPlot()
	above.Add(horizontalGrid(), b)
	above.HideX()
	above.Y.Label.Text = "class"
	above.Y.Tick.Marker = classTicks(names, classes, int(math.Ceil(float64(11/row))))
	above.Y.Tick.Label.Font.Size = 12
	above.X.Min, above.X.Max, above.Y.Min, above.Y.Max = -0.5, float64(max(len(columns), 1))-0.5, -0.5, float64(max(classes, 1))-0.5

	below := newPlot()
	below.Add(horizontalGrid())
	bars := addBars(below, columns)
	below.HideX()
	scale := linearScale(0, total, 3, 1, false)
	scale.apply(&below.Y, "samples")
	below.Y.Tick.Label.Font.Size = 12
	below.Y.Tick.Marker = thousandTicks(scale)
	below.X.Min, below.X.Max, below.Y.Min, below.Y.Max = above.X.Min, above.X.Max, 0, total

	note := fmt.Sprintf("%s; the largest bubble is %s samples of a class", numfmt.Count(len(clients), "client"), numfmt.Thousands(largest))
	if each > 1 {
		note += fmt.Sprintf("; one of every %d clients is drawn", each)
	}
	if held {
		note += "; hollow: held out of training"
	}
	under := &groupMarks{columns: columns, grouped: grouped}
	height := 8 + row*vg.Length(classes) + 18 + barHeight
	return newFigure(title, partitionWidth, height+78, func(c draw.Canvas) {
		upper := draw.Crop(c, 12, -28, 78+barHeight+18, -8)
		lower := draw.Crop(c, 12, -28, 78, 0)
		lower.Max.Y = lower.Min.Y + barHeight
		alignLeft(above, &upper, below, &lower)
		data := below.DataCanvas(lower)
		wide := max(min((data.Max.X-data.Min.X)/vg.Length(max(len(columns), 1))-1.5, 40), 0.8)
		for _, b := range bars {
			b.Width = wide
		}
		above.Draw(upper)
		below.Draw(lower)
		data.StrokeLine2(lineStyle(frame, 1), data.Min.X, data.Min.Y, data.Max.X, data.Min.Y)
		data.Max.Y = upper.Max.Y
		under.Plot(data, below)
		writeText(c, labelStyle(12, quiet), c.Min.X+margin, c.Min.Y+18, note)
	})
}

// alignLeft crops the canvas of the plot with the narrower y-axis, so that the data of two plots are aligned.
func alignLeft(p *gonum.Plot, a *draw.Canvas, q *gonum.Plot, b *draw.Canvas) {
	d := p.DataCanvas(*a).Min.X - q.DataCanvas(*b).Min.X
	if d > 0 {
		b.Min.X += d
	} else {
		a.Min.X -= d
	}
}

// classTicks returns ticks with the name of every stride-th class, the first one at the top.
func classTicks(names []string, classes, stride int) gonum.ConstantTicks {
	ticks := gonum.ConstantTicks{}
	for class := range classes {
		t := gonum.Tick{Value: float64(classes - 1 - class)}
		if class%stride == 0 {
			t.Label = shorten(Name(names, class), 160, labelStyle(12, quiet))
		}
		ticks = append(ticks, t)
	}
	return ticks
}

// thousandTicks returns the ticks of a scale, with thousands separators.
func thousandTicks(s scale) gonum.ConstantTicks {
	var ticks gonum.ConstantTicks
	for _, t := range s.ticks {
		ticks = append(ticks, gonum.Tick{Value: t, Label: numfmt.Thousands(t)})
	}
	return ticks
}

// partitionColumnsOf sorts the clients by group, with held-out clients last within a group, and returns every each-th client.
func partitionColumnsOf(clients []Share) (columns []Share, each int) {
	order := slices.Clone(clients)
	slices.SortStableFunc(order, func(a, b Share) int {
		held := func(s Share) int {
			if s.HeldOut {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.Group, b.Group), held(a)-held(b), cmp.Compare(a.Client, b.Client))
	})
	each = max(1, (len(order)+partitionColumns-1)/partitionColumns)
	for k := 0; k < len(order); k += each {
		columns = append(columns, order[k])
	}
	return columns, each
}

// runs returns the bounds of each run of neighbouring columns that are alike.
func runs(columns []Share, alike func(a, b Share) bool) [][2]int {
	var bounds [][2]int
	for k := 0; k < len(columns); {
		end := k + 1
		for end < len(columns) && alike(columns[k], columns[end]) {
			end++
		}
		bounds = append(bounds, [2]int{k, end})
		k = end
	}
	return bounds
}

// sameLook reports whether two clients are drawn in the same style.
func sameLook(a, b Share) bool { return a.Group == b.Group && a.HeldOut == b.HeldOut }

// addBars adds a bar chart for every run of columns with the same style.
func addBars(p *gonum.Plot, columns []Share) (bars []*plotter.BarChart) {
	for _, r := range runs(columns, sameLook) {
		b := &plotter.BarChart{XMin: float64(r[0]), LineStyle: lineStyle(colourOf(max(columns[r[0]].Group, 0)), 1)}
		for _, c := range columns[r[0]:r[1]] {
			b.Values = append(b.Values, c.total())
		}
		b.Color = white
		if !columns[r[0]].HeldOut {
			b.Color, b.LineStyle.Width = faded(colourOf(max(columns[r[0]].Group, 0)), 0.8), 0
		}
		p.Add(b)
		bars = append(bars, b)
	}
	return bars
}

// bubbles draws a bubble for each client and class.
type bubbles struct {
	columns []Share
	largest float64   // samples
	radius  vg.Length // radius of the largest bubble
}

// Plot implements plot.Plotter.
func (b *bubbles) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	for _, r := range runs(b.columns, sameLook) {
		var path vg.Path
		for k, column := range b.columns[r[0]:r[1]] {
			for class, n := range column.Counts {
				if n > 0 {
					radius := max(b.radius*vg.Length(math.Sqrt(float64(n)/b.largest)), 0.6)
					addCircle(&path, trX(float64(r[0]+k)), trY(p.Y.Max-0.5-float64(class)), radius)
				}
			}
		}
		colour := colourOf(max(b.columns[r[0]].Group, 0))
		if b.columns[r[0]].HeldOut {
			c.SetColor(white)
			c.Fill(path)
			c.SetLineStyle(lineStyle(colour, 1))
			c.Stroke(path)
			continue
		}
		c.SetColor(faded(colour, 0.8))
		c.Fill(path)
	}
}

// groupMarks draws lines between the groups of columns and their numbers below
// the canvas.
type groupMarks struct {
	columns []Share
	grouped bool
}

// Plot implements plot.Plotter.
func (g *groupMarks) Plot(c draw.Canvas, p *gonum.Plot) {
	name := "clients"
	if g.grouped {
		name += ", by true group"
	}
	writeText(c, centred(labelStyle(13, ink)), c.Center().X, c.Min.Y-42, name)
	if !g.grouped {
		return
	}
	style := centred(labelStyle(12, quiet))
	for _, r := range runs(g.columns, func(a, b Share) bool { return a.Group == b.Group }) {
		x0, x1 := c.X(p.X.Norm(float64(r[0])-0.5)), c.X(p.X.Norm(float64(r[1])-0.5))
		if r[0] > 0 {
			c.StrokeLine2(lineStyle(frame, 1, 2, 3), x0, c.Min.Y, x0, c.Max.Y)
		}
		if group := g.columns[r[0]].Group; group >= 0 {
			fillRectangle(c, rectangle(x0+1, c.Min.Y-8, max(x1-x0-2, 0.5), 3), colourOf(group))
			if s := strconv.Itoa(group); style.Width(s) <= x1-x0 {
				writeText(c, style, (x0+x1)/2, c.Min.Y-22, s)
			}
		}
	}
}
