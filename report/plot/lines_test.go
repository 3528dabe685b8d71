package plot

import (
	"fmt"
	"html"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// percent returns a chart of accuracies.
func percent(title string, series []Series) LineChart {
	return LineChart{Title: title, XLabel: "round", YLabel: "accuracy, percent", IntegerX: true, MaxY: 100, Series: series}
}

func TestLinePlots(t *testing.T) {
	nan := math.NaN()
	for name, series := range map[string][]Series{
		"none":   nil,
		"empty":  {{Name: "nothing"}},
		"point":  {{Name: "one", X: []float64{0}, Y: []float64{50}}},
		"flat":   {{Name: "flat", X: []float64{0, 1, 2}, Y: []float64{100, 100, 100}}},
		"nan":    {{Name: "holes <&\">", X: []float64{0, 1, 2, 3}, Y: []float64{10, nan, math.Inf(1), 40}}},
		"allnan": {{Name: "gone", X: []float64{0, 1}, Y: []float64{nan, nan}}},
		"band": {{Name: "band", X: []float64{0, 1}, Y: []float64{90, 95}, Low: []float64{80, nan}, High: []float64{120, 99}},
			{Name: "a name that is rather long so that the legend has to break its row", X: []float64{0, 1}, Y: []float64{1, 2}},
			{Name: "another name that is rather long", X: []float64{0, 1}, Y: []float64{3, 4}}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Lines(percent("Title & <text>\nsecond line", series))
			if err != nil {
				t.Fatal(err)
			}
			svg := render(t, f, "line-"+name)
			for _, must := range []string{">Title &amp; &lt;text&gt;</text>", ">second line</text>", ">accuracy, percent</text>"} {
				if !strings.Contains(svg, must) {
					t.Errorf("no %s", must)
				}
			}
			for _, s := range series {
				if !strings.Contains(svg, ">"+html.EscapeString(s.Name)+"</text>") {
					t.Errorf("the legend lacks %q", s.Name)
				}
			}
			if f, err = Lines(LineChart{XLabel: "round", MaxY: math.Inf(1), Series: series}); err != nil {
				t.Fatal(err)
			}
			render(t, f, "loss-"+name)
		})
	}
	bad := []Series{{Name: "ragged", X: []float64{1, 2}, Y: []float64{1}}}
	if _, err := Lines(percent("t", bad)); err == nil || !strings.Contains(err.Error(), "ragged") {
		t.Errorf("ragged series: %v", err)
	}
}

func TestAccuracyNeverBeyondBounds(t *testing.T) {
	s := Series{Name: "s", X: []float64{0, 1}, Y: []float64{97, 99}, Low: []float64{90, 92}, High: []float64{104, 106}}
	for range 2 {
		f, err := Lines(percent("t", []Series{s}))
		if err != nil {
			t.Fatal(err)
		}
		svg := render(t, f, "bounded")
		if !strings.Contains(svg, ">100<") {
			t.Error("the axis does not end at 100 percent")
		}
		for _, beyond := range []string{">101<", ">102<", ">105<", ">110<"} {
			if strings.Contains(svg, beyond) {
				t.Errorf("the axis has a tick %s percent", beyond)
			}
		}
		s.Y, s.Low, s.High = []float64{100, 100}, nil, nil
	}
}

func TestMarksAndLevels(t *testing.T) {
	c := LineChart{
		Title: "Search", XLabel: "number of clusters", YLabel: "score", IntegerX: true,
		Series: []Series{{Name: "score", X: []float64{1, 2, 3}, Y: []float64{0, 0.2, 0.6}}},
		Levels: []Level{{"least: 0.25", 0.25}}, Marks: []Mark{{"chosen: 3 clusters", 3, 0.6}},
	}
	f, err := Lines(c)
	if err != nil {
		t.Fatal(err)
	}
	svg := render(t, f, "marks")
	for _, want := range []string{">least: 0.25<", ">chosen: 3 clusters<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("no %s", want)
		}
	}
	// A level or a mark outside the range of the lines widens the axes.
	c.Levels[0].Y, c.Marks[0].X = 3, 9
	if x, y, _ := c.scales(6, 5); y.max < 3 || x.max < 9 {
		t.Errorf("axes to %g and %g", x.max, y.max)
	}
}

// blocks returns a proximity matrix of n clients in k shuffled groups.
func blocks(n, k int) (*mat.SymDense, [][]int) {
	r := rand.New(rand.NewPCG(1, 2))
	a := mat.NewSymDense(n, nil)
	clusters := make([][]int, k)
	group := make([]int, n)
	for i := range n {
		group[i] = i % k
		if i >= k {
			group[i] = int(r.Float64() * r.Float64() * float64(k))
		}
		clusters[group[i]] = append(clusters[group[i]], i)
	}
	for i := range n {
		for j := range i {
			v := 0.6 + 0.35*r.Float64()
			if group[i] == group[j] {
				v = 0.05 + 0.2*r.Float64()
			}
			a.SetSym(i, j, v)
		}
	}
	return a, clusters
}

func TestHeatMap(t *testing.T) {
	for _, c := range []struct{ n, k int }{{1, 1}, {2, 1}, {2, 2}, {7, 3}, {100, 5}, {700, 12}} {
		a, clusters := blocks(c.n, c.k)
		f, err := HeatMap("Fused proximity A\nfashion-mnist, seed 1", a, clusters)
		if err != nil {
			t.Fatal(err)
		}
		svg := render(t, f, fmt.Sprintf("heat-%d-%d", c.n, c.k))
		if len(svg) > 1<<20 {
			t.Errorf("n = %d: %d bytes", c.n, len(svg))
		}
		if name := fmt.Sprintf(">0 (%d)<", len(clusters[0])); !strings.Contains(svg, name) {
			t.Errorf("n = %d: the first cluster is not named %s", c.n, name)
		}
	}
	a := mat.NewSymDense(3, []float64{0, math.NaN(), 1, 0, 0, math.Inf(1), 0, 0, 0})
	for _, clusters := range [][][]int{nil, {}, {{0}}, {{0, 1}, {}, {2}}} {
		f, err := HeatMap("t", a, clusters)
		if err != nil {
			t.Fatal(err)
		}
		render(t, f, "heat-holes")
	}
	for _, clusters := range [][][]int{{{0, 3}}, {{-1}}, {{0, 0}}, {{0}, {0}}} {
		if _, err := HeatMap("t", a, clusters); err == nil {
			t.Errorf("clusters %v: no error", clusters)
		}
	}
	f, err := HeatMap("nobody", &mat.SymDense{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	render(t, f, "heat-nobody")
}

// TestHeatImage checks that the cells of the image are those of the matrix, in the order of the clusters.
func TestHeatImage(t *testing.T) {
	a := mat.NewSymDense(2, []float64{0, 1, 1, 0.5})
	img := heatImage(a, []int{1, 0}, extent{0, 1}, heatPixels)
	last := heatPixels - 1
	for _, c := range []struct {
		x, y int
		want float64
	}{{0, 0, 0.5}, {last, 0, 1}, {0, last, 1}, {last, last, 0}} {
		if got := img.At(c.x, c.y); got != viridis(c.want) {
			t.Errorf("pixel (%d, %d) is %v, want that of %g", c.x, c.y, got, c.want)
		}
	}
}
