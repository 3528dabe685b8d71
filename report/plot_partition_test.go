package report

import (
	"bytes"
	"fmt"
	"image/png"
	"strings"
	"testing"
)

// sharesOf is n clients in z groups (none if 0) that hold some of c classes.
func sharesOf(n, z, c int) []Share {
	shares := make([]Share, n)
	for i := range shares {
		shares[i] = Share{Client: i, Group: -1, HeldOut: i%5 == 4, Counts: make([]int, c)}
		if z > 0 {
			shares[i].Group = i % z
		}
		for class := range c {
			if class%max(z, 3) == i%max(z, 3) {
				shares[i].Counts[class] = 10 + 7*i%50
			}
		}
	}
	return shares
}

func TestPartitionChart(t *testing.T) {
	for _, c := range []struct{ n, z, classes int }{
		{0, 0, 0}, {1, 1, 1}, {2, 0, 10}, {20, 5, 10}, {100, 11, 10}, {100, 0, 100}, {120, 3, 10}, {121, 3, 10}, {10000, 20, 200},
	} {
		var b bytes.Buffer
		if err := PartitionChart(&b, "Who holds what\na test", sharesOf(c.n, c.z, c.classes), nil); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, b.Bytes())
		keep(t, fmt.Sprintf("partition-%d-%d-%d.svg", c.n, c.z, c.classes), b.Bytes())
		drawn := min(c.n, partitionColumns)
		if c.n > partitionColumns {
			drawn = (c.n + c.n/partitionColumns) / (c.n/partitionColumns + 1)
		}
		// A bar for each client drawn, the background, and a mark for each group.
		if got := strings.Count(b.String(), "<rect"); got < drawn+1 || got > drawn+2+drawn {
			t.Errorf("%+v: %d rectangles for %d clients drawn", c, got, drawn)
		}
		if many := strings.Contains(b.String(), "one of every"); many != (c.n > partitionColumns) {
			t.Errorf("%+v: does it say that clients are left out? %v", c, many)
		}
		if held := strings.Contains(b.String(), "held out"); c.n >= 20 && c.n < 1000 && !held {
			t.Errorf("%+v: no word of those held out", c)
		}
	}
}

func TestMosaic(t *testing.T) {
	for _, channels := range []int{1, 3} {
		m := Mosaic{Channels: channels, Height: 2, Width: 3, Rows: []string{"a", "b & <c>"}, Columns: []string{"x", "y"}}
		for r := range m.Rows {
			var row [][]byte
			for c := range m.Columns {
				img := bytes.Repeat([]byte{byte(50 + 100*r + 20*c)}, channels*6)
				img[0] = 7 // the red of the first pixel
				row = append(row, img)
			}
			m.Images = append(m.Images, row)
		}
		m.Images[1][0] = nil
		var raw, svg bytes.Buffer
		if err := m.PNG(&raw); err != nil {
			t.Fatal(err)
		}
		p, err := png.Decode(&raw)
		if err != nil {
			t.Fatal(err)
		}
		z := m.zoom()
		if got := p.Bounds().Size(); got.X != 2*3*z+mosaicGap || got.Y != 2*2*z+mosaicGap {
			t.Errorf("a picture of %v at zoom %d", got, z)
		}
		at := func(x, y int) [3]uint32 {
			r, g, b, _ := p.At(x, y).RGBA()
			return [3]uint32{r >> 8, g >> 8, b >> 8}
		}
		first := [3]uint32{7, 50, 50}
		if channels == 1 {
			first = [3]uint32{7, 7, 7}
		}
		for _, c := range []struct {
			x, y int
			want [3]uint32
		}{
			{0, 0, first}, {z - 1, z - 1, first}, {z, 0, [3]uint32{50, 50, 50}},
			{3*z + mosaicGap + z, 2*z + mosaicGap, [3]uint32{170, 170, 170}},
			{0, 2*z + mosaicGap, [3]uint32{255, 255, 255}}, // empty
			{3 * z, 0, [3]uint32{255, 255, 255}},           // between
		} {
			if got := at(c.x, c.y); got != c.want {
				t.Errorf("%d channels, pixel (%d, %d): %v, want %v", channels, c.x, c.y, got, c.want)
			}
		}
		if err := m.SVG(&svg, "A mosaic"); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, svg.Bytes())
		keep(t, fmt.Sprintf("mosaic-%d.svg", channels), svg.Bytes())
		m.Images[0][1] = []byte{1}
		if err := m.PNG(&raw); err == nil || !strings.Contains(err.Error(), "row 0, column 1") {
			t.Errorf("an image of one byte: %v", err)
		}
	}
}
