package plot

import (
	"image"
	"image/color"
	"strconv"

	"feddag/internal/numfmt"

	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Assignments draws the cluster of each client in each round, with a row per client, a column per round and a colour per
// cluster. A cell is white if the client was not present. table[i][t-1] is the cluster of client i in round t, negative for
// none; all clients have the given number of rounds. Clients are sorted by their first cluster, then by number, so that moves
// are easy to see.
func Assignments(title string, table [][]int, rounds int) *Figure {
	n, clusters := len(table), 0
	for _, row := range table {
		for _, z := range row {
			clusters = max(clusters, z+1)
		}
	}
	p := newPlot()
	if n > 0 && rounds > 0 {
		p.Add(plotter.NewImage(assignmentImage(table, rounds, clusters), 0, 0, float64(rounds), 1))
	}
	p.Add(frameBox{})
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, float64(max(rounds, 1)), 0, 1
	p.X.Label.Text, p.X.Tick.Marker = "round", roundTicks(rounds)
	p.Y.Label.Text, p.Y.Tick.Marker = numfmt.Count(n, "client")+", by first cluster", gonum.ConstantTicks{}
	height := min(420, max(120, 5*vg.Length(n)))
	return newFigure(title, usualWidth, height+62, func(c draw.Canvas) {
		area := fitData(p, draw.Crop(c, margin, -130, 0, -8), usualWidth-64-130, height)
		p.Draw(area)
		data := p.DataCanvas(area)
		for z := range min(clusters, int(height/16)) {
			y := data.Max.Y - 16*vg.Length(z)
			fillRectangle(data, rectangle(data.Max.X+18, y-11, 11, 11), clusterColour(z))
			writeText(data, labelStyle(13, quiet), data.Max.X+35, y-10, "cluster "+strconv.Itoa(z))
		}
	})
}

// roundTicks returns ticks for at most about a dozen rounds, in the middle of their columns.
func roundTicks(rounds int) gonum.ConstantTicks {
	ticks := gonum.ConstantTicks{}
	step := int(NiceStep(float64(rounds)/12, 1))
	for t := step; t <= rounds; t += step {
		ticks = append(ticks, gonum.Tick{Value: float64(t) - 0.5, Label: strconv.Itoa(t)})
	}
	return ticks
}

// firstClusterOrder returns the clients sorted by their first cluster. Clients that never were in a cluster come last.
func firstClusterOrder(table [][]int) []int {
	first := make([]int, len(table))
	last := 0
	for i, row := range table {
		first[i] = -1
		for _, z := range row {
			if z >= 0 {
				first[i] = z
				break
			}
		}
		last = max(last, first[i])
	}
	var order []int
	for z := range last + 1 {
		for i, f := range first {
			if f == z {
				order = append(order, i)
			}
		}
	}
	for i, f := range first {
		if f < 0 {
			order = append(order, i)
		}
	}
	return order
}

// assignmentPixels is the largest number of rows of the picture. With more clients, only some of them are drawn.
const assignmentPixels = 2000

// assignmentImage draws the table. It enlarges the image because some viewers smooth images when they enlarge them.
func assignmentImage(table [][]int, rounds, clusters int) image.Image {
	order := firstClusterOrder(table)
	rows := min(len(order), assignmentPixels)
	colours := color.Palette{white}
	for z := range min(max(clusters, 1), 255) {
		colours = append(colours, clusterColour(z))
	}
	zoom := max(1, 400/max(rows, 1))
	wide := max(1, 560/rounds)
	img := image.NewPaletted(image.Rect(0, 0, rounds*wide, rows*zoom), colours)
	for y := range rows * zoom {
		row := table[order[y/zoom*len(order)/rows]]
		for x := range rounds * wide {
			if z := row[x/wide]; z >= 0 {
				img.Pix[y*img.Stride+x] = uint8(1 + z%255)
			}
		}
	}
	return img
}

// clusterColour returns the colour of cluster z, lighter each time the palette
// repeats.
func clusterColour(z int) color.NRGBA {
	c := colourOf(z)
	light := 1 - 1/(1+0.45*float64(z/len(palette)))
	mix := func(v uint8) uint8 { return uint8(float64(v) + light*(255-float64(v))) }
	return color.NRGBA{mix(c.R), mix(c.G), mix(c.B), 0xff}
}
