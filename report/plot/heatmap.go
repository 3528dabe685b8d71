package plot

import (
	"fmt"
	"image"
	"math"

	"feddag/internal/numfmt"

	"gonum.org/v1/gonum/mat"
	gonum "gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// heatPixels is the side length of the drawn matrix, and the largest number of cells per side that are drawn without
// averaging neighbours.
const heatPixels = 560

// HeatMap draws the proximity matrix a with the clients ordered by cluster, the
// borders of the clusters, and a colour bar. Clients in no cluster come last;
// clusters may be nil. Above 560 clients, neighbouring cells are averaged.
func HeatMap(title string, a mat.Symmetric, clusters [][]int) (*Figure, error) {
	n := a.SymmetricDim()
	order, err := clusterOrder(n, clusters)
	if err != nil {
		return nil, fmt.Errorf("heat map %q: %w", title, err)
	}
	values := heatRange(a)
	side := float64(max(n, 1))
	p := newPlot()
	if n > 0 {
		p.Add(plotter.NewImage(heatImage(a, order, values, heatPixels), 0, 0, side, side))
	}
	p.Add(frameBox{}, &clusterBorders{n: n, clusters: clusters})
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, side, 0, side
	p.X.Label.Text = numfmt.Count(n, "client") + ", ordered by cluster"
	p.Y.Label.Text = "cluster (clients in it)"
	p.X.Tick.Marker = gonum.ConstantTicks{}
	p.Y.Tick.Marker = clusterTicks(n, clusters)
	return newFigure(title, usualWidth, heatPixels+54, func(page draw.Canvas) {
		square := fitData(p, draw.Crop(page, 12, 0, 0, -8), heatPixels, heatPixels)
		p.Draw(square)
		colourBar(p.DataCanvas(square), values)
	}), nil
}

// heatRange returns the values at the ends of the colours.
func heatRange(a mat.Symmetric) extent {
	e := newExtent()
	for i := range a.SymmetricDim() {
		for j := range i + 1 {
			if v := a.At(i, j); finite(v) {
				e.add(v)
			}
		}
	}
	switch {
	case e.empty():
		return extent{0, 1}
	case e.low >= 0 && e.high <= 1 && e.high > 0.5:
		// The range for a proximity matrix is always 0 to 1, so that runs can be compared.
		return extent{0, 1}
	case e.low == e.high:
		e.high = e.low + 1
	}
	return e
}

// clusterOrder lists the clients 0 to n-1 cluster by cluster.
func clusterOrder(n int, clusters [][]int) ([]int, error) {
	order := make([]int, 0, n)
	seen := make([]bool, n)
	for z, members := range clusters {
		for _, i := range members {
			if i < 0 || i >= n {
				return nil, fmt.Errorf("cluster %d has client %d of %d", z, i, n)
			}
			if seen[i] {
				return nil, fmt.Errorf("client %d is in two clusters, or twice in cluster %d", i, z)
			}
			seen[i] = true
			order = append(order, i)
		}
	}
	for i, s := range seen {
		if !s {
			order = append(order, i)
		}
	}
	return order, nil
}

// heatImage draws the ordered matrix. It enlarges small matrices to about the given number of pixels because some viewers
// smooth images when they enlarge them. gonum's HeatMap would make an image eight times as large, with 16 bits per colour.
func heatImage(a mat.Symmetric, order []int, values extent, pixels int) image.Image {
	n := len(order)
	side := min(n, heatPixels)
	zoom := max(1, pixels/side)
	img := image.NewPaletted(image.Rect(0, 0, side*zoom, side*zoom), heatColours())
	for r := range side {
		r0, r1 := r*n/side, (r+1)*n/side
		for c := range side {
			c0, c1 := c*n/side, (c+1)*n/side
			var sum float64
			for i := r0; i < r1; i++ {
				for j := c0; j < c1; j++ {
					sum += a.At(order[i], order[j])
				}
			}
			index := heatMissing
			if v := sum / float64((r1-r0)*(c1-c0)); finite(v) {
				share := (v - values.low) / (values.high - values.low)
				index = uint8(math.Round(float64(heatMissing-1) * math.Min(1, math.Max(0, share))))
			}
			for y := range zoom {
				row := img.Pix[(r*zoom+y)*img.Stride+c*zoom:]
				for x := range zoom {
					row[x] = index
				}
			}
		}
	}
	return img
}

// clusterTicks returns ticks with the names of the clusters for which there is room.
func clusterTicks(n int, clusters [][]int) gonum.ConstantTicks {
	ticks := gonum.ConstantTicks{}
	start, last := 0, math.Inf(-1)
	for z, members := range clusters {
		middle := float64(start) + float64(len(members))/2
		if y := middle / float64(max(n, 1)) * heatPixels; y-last >= 13 {
			ticks = append(ticks, gonum.Tick{Value: float64(n) - middle, Label: fmt.Sprintf("%d (%d)", z, len(members))})
			last = y
		}
		start += len(members)
	}
	return ticks
}

// clusterBorders outlines the square of each cluster on the diagonal and draws
// the borders of the clusters across the matrix.
type clusterBorders struct {
	n        int
	clusters [][]int
}

// Plot implements plot.Plotter.
func (b *clusterBorders) Plot(c draw.Canvas, p *gonum.Plot) {
	trX, trY := p.Transforms(&c)
	across := lineStyle(faded(white, 0.55), 1)
	start := 0
	for _, members := range b.clusters {
		end := start + len(members)
		x0, x1 := trX(float64(start)), trX(float64(end))
		y0, y1 := trY(float64(b.n-start)), trY(float64(b.n-end)) // rows run downwards
		if end > start && end < b.n {
			c.StrokeLine2(across, c.Min.X, y1, c.Max.X, y1)
			c.StrokeLine2(across, x1, c.Min.Y, x1, c.Max.Y)
		}
		if end > start {
			strokeRectangle(c, rectangle(x0, y1, x1-x0, y0-y1), lineStyle(borderRed, 1.6))
		}
		start = end
	}
}

// frameBox is a frame around the data.
type frameBox struct{}

// Plot implements plot.Plotter.
func (frameBox) Plot(c draw.Canvas, _ *gonum.Plot) {
	strokeRectangle(c, c.Rectangle, lineStyle(frame, 1))
}

// colourBar draws a colour bar to the right of the data.
func colourBar(data draw.Canvas, values extent) {
	const wide vg.Length = 18
	bar := data
	bar.Min.X = data.Max.X + 24
	bar.Max.X = bar.Min.X + wide
	barePlot(plotter.NewImage(heatKey(int(wide)), 0, 0, 1, 1), frameBox{}).Draw(bar)
	axis := newPlot().Y
	linearScale(values.low, values.high, 5, 0, false).apply(&axis, "larger is less alike")
	rightAxis(bar, axis, ink)
}
