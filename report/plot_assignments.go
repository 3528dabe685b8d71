package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"strconv"
)

// AssignmentPlot draws which cluster each of n clients was in, in each of so
// many rounds: a row a client, a column a round, a colour a cluster, white
// where the client was not there. Clients stand by their first cluster, then
// by number, so that a move stands out.
func AssignmentPlot(w io.Writer, title string, n, rounds int, list []Assignment) error {
	table, clusters, err := assignmentTable(n, rounds, list)
	if err != nil {
		return fmt.Errorf("plot %q: %w", title, err)
	}
	order := firstClusterOrder(table)
	probe := newCanvas(760, 0, title)
	b := box{left: 64, top: probe.title(title) + 14, right: 760 - 130}
	height := min(420, max(120, 5*float64(n)))
	b.bottom = b.top + height
	g := newCanvas(760, b.bottom+52, title)
	g.title(title)
	if n > 0 && rounds > 0 {
		uri, err := assignmentImage(table, order, clusters)
		if err != nil {
			return fmt.Errorf("plot %q: %w", title, err)
		}
		g.f(`<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" style="image-rendering:pixelated" href="%s"/>`+"\n",
			num(b.left), num(b.top), num(b.right-b.left), num(height), uri)
	}
	g.rect(b.left, b.top, b.right-b.left, height, `fill="none" stroke="`+frame+`"`)
	step := 1
	for rounds/step > 12 {
		step = map[int]int{1: 2, 2: 5, 5: 10}[step/pow10(step)] * pow10(step)
	}
	for t := 0; t < rounds; t += step {
		x := b.left + (float64(t)+0.5)/float64(rounds)*(b.right-b.left)
		g.line(x, b.bottom, x, b.bottom+4, `stroke="`+frame+`"`)
		g.text(x, b.bottom+17, "middle", strconv.Itoa(t), `fill="`+quiet+`"`)
	}
	g.text((b.left+b.right)/2, b.bottom+36, "middle", "round", `fill="`+ink+`"`)
	g.vertical(40, (b.top+b.bottom)/2, fmt.Sprintf("%s, by first cluster", count(n, "client")), `fill="`+ink+`"`)
	for z := range min(clusters, int(height/16)) {
		y := b.top + 16*float64(z)
		g.rect(b.right+18, y, 11, 11, `fill="`+hex(clusterColour(z))+`"`)
		g.text(b.right+35, y+10, "start", "cluster "+strconv.Itoa(z), `fill="`+quiet+`"`)
	}
	return g.writeTo(w)
}

// pow10 returns the power of ten at or below x, which is 1 or more.
func pow10(x int) int {
	p := 1
	for p*10 <= x {
		p *= 10
	}
	return p
}

// assignmentTable returns each client's cluster in each round, -1 where it is
// not there, and how many clusters there were. A change in a round counts from
// the next one on.
func assignmentTable(n, rounds int, list []Assignment) (table [][]int, clusters int, err error) {
	table = make([][]int, n)
	for i := range table {
		table[i] = make([]int, rounds)
		for t := range table[i] {
			table[i][t] = -1
		}
	}
	for _, a := range list {
		if a.Client < 0 || a.Client >= n || a.Round < 0 {
			return nil, 0, fmt.Errorf("client %d of %d is assigned in round %d", a.Client, n, a.Round)
		}
		z := -1
		if a.To != nil {
			z = *a.To
		}
		clusters = max(clusters, z+1)
		from := a.Round
		if a.Why == "round" {
			from++
		}
		for t := from; t < rounds; t++ {
			table[a.Client][t] = z
		}
	}
	return table, clusters, nil
}

// firstClusterOrder lists the clients by the first cluster that each was in,
// those that never were there last.
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

// assignmentPixels bounds the rows of the picture; beyond it only some clients are drawn.
const assignmentPixels = 2000

// assignmentImage is the table as a PNG data URI.
func assignmentImage(table [][]int, order []int, clusters int) (string, error) {
	rounds, rows := len(table[0]), min(len(order), assignmentPixels)
	colours := color.Palette{color.White}
	for z := range min(max(clusters, 1), 255) {
		colours = append(colours, clusterColour(z))
	}
	zoom := max(1, 400/max(rows, 1)) // not every viewer enlarges without smoothing
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
	var buf bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if err := enc.Encode(&buf, img); err != nil {
		return "", err
	}
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(buf.Bytes()), nil
}

// clusterColour is the palette's, lighter each time it is used up.
func clusterColour(z int) color.RGBA {
	x, err := strconv.ParseUint(palette[z%len(palette)][1:], 16, 32)
	if err != nil { // the palette is ours
		return color.RGBA{A: 0xff}
	}
	light := 1 - 1/(1+0.45*float64(z/len(palette)))
	mix := func(v uint64) uint8 { return uint8(float64(v&0xff) + light*(255-float64(v&0xff))) }
	return color.RGBA{mix(x >> 16), mix(x >> 8), mix(x), 0xff}
}
