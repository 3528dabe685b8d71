package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// Share is what one client of a partition holds.
type Share struct {
	Client  int
	Group   int   // the true group; negative where there is none
	HeldOut bool  // takes no part in training
	Counts  []int // training samples by class
}

// partitionColumns is how many clients are drawn at most.
const partitionColumns = 120

// PartitionChart draws who holds what: a bubble for each client and class, its area the number of samples, and each
// client's total below. Clients stand by true group, in its colour; those held out are hollow. names are the classes'.
func PartitionChart(w io.Writer, title string, clients []Share, names []string) error {
	columns, each := partitionColumnsOf(clients)
	classes, grouped, held := 0, false, false
	largest, total := 1.0, 1.0
	for _, c := range columns {
		classes = max(classes, len(c.Counts))
		grouped, held = grouped || c.Group >= 0, held || c.HeldOut
		sum := 0.0
		for _, n := range c.Counts {
			largest = math.Max(largest, float64(n))
			sum += float64(n)
		}
		total = math.Max(total, sum)
	}
	label := 24.0
	for class := range classes {
		label = math.Max(label, textWidth(className(names, class), 11))
	}
	const width, barHeight = 1120.0, 96.0
	left := math.Min(label, 160) + 44
	cell := (width - left - 28) / float64(max(len(columns), 1))
	radius := math.Min(0.7*cell, 13) // neighbours may overlap a little
	row := math.Min(math.Max(2*radius+4, 15), 720/float64(max(classes, 1)))
	radius = math.Min(radius, row/2)

	probe := newCanvas(width, 0, title)
	top := probe.title(title) + 12
	b := box{left: left, top: top, right: width - 28, bottom: top + row*float64(classes)}
	bars := box{left: left, top: b.bottom + 18, right: b.right, bottom: b.bottom + 18 + barHeight}
	g := newCanvas(width, bars.bottom+78, title)
	g.title(title)
	stride := int(math.Ceil(11 / row))
	for class := range classes {
		y := b.top + (float64(class)+0.5)*row
		g.line(b.left, y, b.right, y, `stroke="`+grid+`"`)
		if class%stride == 0 {
			g.text(b.left-10, y+4, "end", className(names, class), `font-size="11" fill="`+quiet+`"`)
		}
	}
	size := linearScale(0, total, 3, 1, false)
	size.min, size.max, size.from, size.to = 0, total, bars.bottom, bars.top
	for _, t := range size.ticks {
		y := size.at(t)
		g.line(bars.left, y, bars.right, y, `stroke="`+grid+`"`)
		g.text(bars.left-10, y+4, "end", thousands(t), `font-size="11" fill="`+quiet+`"`)
	}
	g.vertical(16, (b.top+b.bottom)/2, "class", `fill="`+ink+`"`)
	g.vertical(16, (bars.top+bars.bottom)/2, "samples", `fill="`+ink+`"`)
	for k, c := range columns {
		x := b.left + (float64(k)+0.5)*cell
		tone := colour(max(c.Group, 0))
		style := `fill="` + tone + `" fill-opacity="0.8"`
		if c.HeldOut {
			style = `fill="#ffffff" stroke="` + tone + `" stroke-width="1"`
		}
		sum := 0.0
		for class, n := range c.Counts {
			sum += float64(n)
			if n > 0 {
				r := math.Max(radius*math.Sqrt(float64(n)/largest), 0.6)
				g.circle(x, b.top+(float64(class)+0.5)*row, r, style)
			}
		}
		y, wide := size.at(sum), math.Max(math.Min(cell-1.5, 40), 0.8)
		g.rect(x-wide/2, y, wide, math.Max(bars.bottom-y, 0.5), style)
	}
	g.line(bars.left, bars.bottom, bars.right, bars.bottom, `stroke="`+frame+`"`)
	if grouped {
		g.groupMarks(box{left: b.left, top: b.top, right: b.right, bottom: bars.bottom}, columns, cell)
	} else {
		g.text((b.left+b.right)/2, bars.bottom+22, "middle", "clients", `fill="`+ink+`"`)
	}
	note := fmt.Sprintf("%s; the largest bubble is %s samples of a class", count(len(clients), "client"), thousands(largest))
	if each > 1 {
		note += fmt.Sprintf("; one of every %d clients is drawn", each)
	}
	if held {
		note += "; hollow: held out of training"
	}
	g.text(24, bars.bottom+60, "start", note, `font-size="11" fill="`+quiet+`"`)
	return g.writeTo(w)
}

// partitionColumnsOf orders the clients by group, those held out last within it, and takes every so manieth.
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

// groupMarks draws lines between the groups of columns and writes their numbers below the box.
func (c *canvas) groupMarks(b box, columns []Share, cell float64) {
	for k := 0; k < len(columns); {
		end := k
		for end < len(columns) && columns[end].Group == columns[k].Group {
			end++
		}
		x0, x1 := b.left+float64(k)*cell, b.left+float64(end)*cell
		if k > 0 {
			c.line(x0, b.top, x0, b.bottom, `stroke="`+frame+`" stroke-dasharray="2 3"`)
		}
		if g := columns[k].Group; g >= 0 {
			c.rect(x0+1, b.bottom+5, x1-x0-2, 3, `fill="`+colour(g)+`"`)
			if name := strconv.Itoa(g); textWidth(name, 11) <= x1-x0 {
				c.text((x0+x1)/2, b.bottom+21, "middle", name, `font-size="11" fill="`+quiet+`"`)
			}
		}
		k = end
	}
	c.text((b.left+b.right)/2, b.bottom+40, "middle", "clients, by true group", `fill="`+ink+`"`)
}
