package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/gonum/mat"
)

// heatPixels is the side of the drawn matrix, and the most cells a side has
// before neighbours are averaged.
const heatPixels = 560

// HeatMap draws the proximity matrix a with the clients ordered by cluster,
// the clusters' borders, and a colour bar. Clients in no cluster come last;
// clusters may be nil. Above 560 clients, neighbouring cells are averaged.
func HeatMap(w io.Writer, title string, a mat.Symmetric, clusters [][]int) error {
	n := a.SymmetricDim()
	order, err := clusterOrder(n, clusters)
	if err != nil {
		return fmt.Errorf("heat map %q: %w", title, err)
	}
	lo, hi := math.Inf(1), math.Inf(-1)
	for i := range n {
		for j := range i + 1 {
			if v := a.At(i, j); finite(v) {
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
		}
	}
	switch {
	case lo > hi:
		lo, hi = 0, 1
	case lo >= 0 && hi <= 1 && hi > 0.5:
		// A proximity matrix: the whole of 0..1, so that runs compare.
		lo, hi = 0, 1
	case lo == hi:
		hi = lo + 1
	}

	g := newCanvas(760, 0, title)
	b := box{left: 88, top: g.title(title) + 14}
	b.right, b.bottom = b.left+heatPixels, b.top+heatPixels
	if n > 0 {
		uri, err := heatImage(a, order, lo, hi)
		if err != nil {
			return fmt.Errorf("heat map %q: %w", title, err)
		}
		g.f(`<image x="%s" y="%s" width="%d" height="%d" preserveAspectRatio="none" style="image-rendering:pixelated" href="%s"/>`+"\n",
			num(b.left), num(b.top), heatPixels, heatPixels, uri)
	}
	g.rect(b.left, b.top, heatPixels, heatPixels, `fill="none" stroke="`+frame+`"`)
	g.clusterBorders(b, n, clusters)
	g.text((b.left+b.right)/2, b.bottom+24, "middle", fmt.Sprintf("%s, ordered by cluster", count(n, "client")), `fill="`+ink+`"`)
	g.vertical(20, (b.top+b.bottom)/2, "cluster (clients in it)", `fill="`+ink+`"`)
	g.colourBar(b, lo, hi)

	// The height follows from the title, so the opening tag is written last.
	height := b.bottom + 40
	out := newCanvas(g.width, height, title)
	_, body, _ := bytes.Cut([]byte(g.b.String()), []byte("fill=\"#ffffff\"/>\n"))
	out.b.Write(body)
	return out.writeTo(w)
}

// clusterOrder lists the clients 0..n-1 cluster by cluster.
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

// heatImage is the ordered matrix as a PNG data URI. Small matrices are
// enlarged here, as not every viewer enlarges without smoothing.
func heatImage(a mat.Symmetric, order []int, lo, hi float64) (string, error) {
	n := len(order)
	side := min(n, heatPixels)
	zoom := max(1, heatPixels/side)
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
			v := sum / float64((r1-r0)*(c1-c0))
			index := uint8(255) // not a number
			if finite(v) {
				index = uint8(math.Round(254 * math.Min(1, math.Max(0, (v-lo)/(hi-lo)))))
			}
			for y := range zoom {
				row := img.Pix[(r*zoom+y)*img.Stride+c*zoom:]
				for x := range zoom {
					row[x] = index
				}
			}
		}
	}
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&buf, img); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}

// clusterBorders outlines each cluster's square on the diagonal, draws the
// borders across the matrix, and names the clusters that have room for it.
func (c *canvas) clusterBorders(b box, n int, clusters [][]int) {
	if n == 0 || len(clusters) == 0 {
		return
	}
	cell := (b.right - b.left) / float64(n)
	start, last := 0, math.Inf(-1)
	for z, members := range clusters {
		end := start + len(members)
		p, q := float64(start)*cell, float64(end)*cell
		if end > start && end < n {
			c.line(b.left, b.top+q, b.right, b.top+q, `stroke="#ffffff" stroke-opacity="0.55"`)
			c.line(b.left+q, b.top, b.left+q, b.bottom, `stroke="#ffffff" stroke-opacity="0.55"`)
		}
		if end > start {
			c.rect(b.left+p, b.top+p, q-p, q-p, `fill="none" stroke="#ff3b30" stroke-width="1.6"`)
		}
		if y := b.top + (p+q)/2; y-last >= 13 {
			c.text(b.left-8, y+4, "end", fmt.Sprintf("%d (%d)", z, len(members)), `fill="`+quiet+`"`)
			last = y
		}
		start = end
	}
}

// colourBar draws the key of the colours right of the matrix.
func (c *canvas) colourBar(b box, lo, hi float64) {
	const strips = 64
	x, h := b.right+24, (b.bottom-b.top)/strips
	for i := range strips {
		// A little taller than its share, against seams.
		c.rect(x, b.bottom-float64(i+1)*h, 18, h+0.5, `fill="`+hex(viridis((float64(i)+0.5)/strips))+`" shape-rendering="crispEdges"`)
	}
	c.rect(x, b.top, 18, b.bottom-b.top, `fill="none" stroke="`+frame+`"`)
	s := linearScale(lo, hi, 5, 0, false)
	s.from, s.to = b.bottom, b.top
	for _, t := range s.ticks {
		c.line(x+18, s.at(t), x+22, s.at(t), `stroke="`+frame+`"`)
		c.text(x+26, s.at(t)+4, "start", s.label(t), `fill="`+quiet+`"`)
	}
	c.vertical(x+64, (b.top+b.bottom)/2, "larger is less alike", `fill="`+ink+`"`)
}

// heatColours are 255 shades from alike to unlike, and grey for what is not a
// number.
func heatColours() color.Palette {
	p := make(color.Palette, 256)
	for i := range 255 {
		p[i] = viridis(float64(i) / 254)
	}
	p[255] = color.RGBA{0xbb, 0xbb, 0xbb, 0xff}
	return p
}

// viridisStops are matplotlib's viridis at even distances.
var viridisStops = []color.RGBA{
	{0x44, 0x01, 0x54, 0xff}, {0x47, 0x2d, 0x7b, 0xff}, {0x3b, 0x52, 0x8b, 0xff}, {0x2c, 0x72, 0x8e, 0xff},
	{0x21, 0x91, 0x8c, 0xff}, {0x28, 0xae, 0x80, 0xff}, {0x5e, 0xc9, 0x62, 0xff}, {0xad, 0xdc, 0x30, 0xff},
	{0xfd, 0xe7, 0x25, 0xff},
}

func viridis(t float64) color.RGBA {
	t *= float64(len(viridisStops) - 1)
	i := min(int(t), len(viridisStops)-2)
	a, b, f := viridisStops[i], viridisStops[i+1], t-float64(i)
	mix := func(p, q uint8) uint8 { return uint8(math.Round(float64(p) + f*(float64(q)-float64(p)))) }
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 0xff}
}

func hex(c color.RGBA) string {
	return "#" + strconv.FormatUint(1<<24|uint64(c.R)<<16|uint64(c.G)<<8|uint64(c.B), 16)[1:]
}
