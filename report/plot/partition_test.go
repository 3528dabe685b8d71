package plot

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// sharesOf returns n clients in z groups (none if 0) that hold some of c classes.
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
		svg := render(t, Partition("Who holds what\na test", sharesOf(c.n, c.z, c.classes), nil), fmt.Sprintf("partition-%d-%d-%d", c.n, c.z, c.classes))
		drawn := min(c.n, partitionColumns)
		if c.n > partitionColumns {
			drawn = (c.n + c.n/partitionColumns) / (c.n/partitionColumns + 1)
		}
		columns, _ := partitionColumnsOf(sharesOf(c.n, c.z, c.classes))
		if len(columns) != drawn {
			t.Errorf("%+v: %d clients drawn, want %d", c, len(columns), drawn)
		}
		if many := strings.Contains(svg, "one of every"); many != (c.n > partitionColumns) {
			t.Errorf("%+v: does it say that clients are left out? %v", c, many)
		}
		if held := strings.Contains(svg, "held out"); c.n >= 20 && c.n < 1000 && !held {
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
		p, err := m.picture()
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
		f, err := m.Figure("A mosaic")
		if err != nil {
			t.Fatal(err)
		}
		svg := render(t, f, fmt.Sprintf("mosaic-%d", channels))
		for _, name := range []string{">a<", ">b &amp; &lt;c&gt;<", ">x<", ">y<"} {
			if !strings.Contains(svg, name) {
				t.Errorf("no name %s", name)
			}
		}
		m.Images[0][1] = []byte{1}
		if _, err := m.Figure("broken"); err == nil || !strings.Contains(err.Error(), "row 0, column 1") {
			t.Errorf("an image of one byte: %v", err)
		}
	}
}

// TestPartitionBars checks that there is one bar per client with the height of the client's total.
func TestPartitionBars(t *testing.T) {
	columns, _ := partitionColumnsOf(sharesOf(20, 5, 10))
	var heights []float64
	for _, b := range addBars(newPlot(), columns) {
		heights = append(heights, b.Values...)
	}
	if len(heights) != len(columns) {
		t.Fatalf("%d bars for %d clients", len(heights), len(columns))
	}
	for k, c := range columns {
		if heights[k] != c.total() {
			t.Errorf("client %d: a bar of %g for %g samples", c.Client, heights[k], c.total())
		}
	}
}

func TestAssignments(t *testing.T) {
	for _, size := range [][2]int{{4, 4}, {0, 0}, {4, 0}, {4, 1}, {100, 30}, {3000, 200}} {
		table := make([][]int, size[0])
		for i := range table {
			table[i] = make([]int, size[1])
			for round := range table[i] {
				table[i][round] = i%7*40 - 1 + round/20
			}
		}
		svg := render(t, Assignments("Clients & clusters\nrun <1>", table, size[1]), fmt.Sprintf("assignments-%d-%d", size[0], size[1]))
		if !strings.Contains(svg, fmt.Sprintf(">%d clients, by first cluster<", size[0])) {
			t.Errorf("%v: it does not say how many clients", size)
		}
	}
}

func TestFirstClusterOrder(t *testing.T) {
	table := [][]int{{-1, 2}, {1, 0}, {-1, -1}, {0, 2}, {-1, 0}}
	if order := firstClusterOrder(table); !slices.Equal(order, []int{3, 4, 1, 0, 2}) {
		t.Errorf("order %v", order)
	}
}
