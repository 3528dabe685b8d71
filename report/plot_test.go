package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"feddag/similarity"
)

// checkSVG demands well-formed XML with an svg root and no coordinate that is
// not a number.
func checkSVG(t *testing.T, raw []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(raw))
	dec.Strict = true
	first := ""
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%.300s", err, raw)
		}
		if e, ok := tok.(xml.StartElement); ok {
			if first == "" {
				first = e.Name.Local
			}
			for _, a := range e.Attr {
				if e.Name.Local != "image" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
					t.Errorf("%s %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	if first != "svg" {
		t.Errorf("root element %q", first)
	}
}

// keep writes raw where FEDDAG_PLOTS says, for a look at it.
func keep(t *testing.T, name string, raw []byte) {
	t.Helper()
	if dir := os.Getenv("FEDDAG_PLOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
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
			var b bytes.Buffer
			if err := AccuracyPlot(&b, "Title & <text>\nsecond line", series); err != nil {
				t.Fatal(err)
			}
			checkSVG(t, b.Bytes())
			keep(t, "line-"+name+".svg", b.Bytes())
			b.Reset()
			if err := LossPlot(&b, "", series); err != nil {
				t.Fatal(err)
			}
			checkSVG(t, b.Bytes())
		})
	}
	bad := []Series{{Name: "ragged", X: []float64{1, 2}, Y: []float64{1}}}
	if err := AccuracyPlot(io.Discard, "t", bad); err == nil || !strings.Contains(err.Error(), "ragged") {
		t.Errorf("ragged series: %v", err)
	}
}

func TestAccuracyNeverBeyondBounds(t *testing.T) {
	var b bytes.Buffer
	s := Series{Name: "s", X: []float64{0, 1}, Y: []float64{97, 99}, Low: []float64{90, 92}, High: []float64{104, 106}}
	if err := AccuracyPlot(&b, "t", []Series{s}); err != nil {
		t.Fatal(err)
	}
	s.Y, s.Low, s.High = []float64{100, 100}, nil, nil
	if err := AccuracyPlot(&b, "t", []Series{s}); err != nil {
		t.Fatal(err)
	}
	for _, beyond := range []string{">101<", ">102<", ">105<", ">110<"} {
		if strings.Contains(b.String(), beyond) {
			t.Errorf("the axis has a tick %s percent", beyond)
		}
	}
}

func TestSearchPlot(t *testing.T) {
	var many []Cut
	for z := 100; z >= 1; z-- {
		h := 1 - math.Pow(float64(z)/101, 0.35)
		loss := 0.05*float64(z)/5 + 0.02*math.Exp(math.Min(30, math.Max(0, 6-float64(z))*2.5))
		if z == 5 {
			loss = 0.086
		}
		many = append(many, Cut{Alpha: h, Loss: loss, Clusters: z})
	}
	few := []Cut{{Alpha: 0.62, Loss: 0.628, Clusters: 1}, {Alpha: 0.55, Loss: 0.515, Clusters: 2}, {Alpha: 0.5, Loss: 0.324, Clusters: 3}, {Alpha: 0.42, Loss: 0.223, Clusters: 4}, {Alpha: 0.2, Loss: 0.086, Clusters: 5}, {Alpha: 0.12, Loss: 0.269, Clusters: 7}}
	spectral := []Cut{{Alpha: math.NaN(), Loss: 0.6, Clusters: 1}, {Alpha: math.NaN(), Loss: 0.3, Clusters: 2}, {Alpha: math.NaN(), Loss: 0.1, Clusters: 3}, {Alpha: math.NaN(), Loss: math.NaN(), Clusters: 4}}
	for _, c := range []struct {
		name   string
		cuts   []Cut
		chosen int
	}{
		{"many", many, 95}, {"few", few, 4}, {"spectral", spectral, 2}, {"none", nil, -1},
		{"one", few[:1], 0}, {"beyond", few, 99}, {"zero", []Cut{{Clusters: 3}, {Alpha: 0.1, Loss: 500, Clusters: 1}, {Alpha: 0.1, Loss: 0.2, Clusters: 2}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := SearchPlot(&b, "The search for the number of clusters\nfashion-mnist, average linkage, chosen by the highest mean silhouette", c.cuts, c.chosen); err != nil {
				t.Fatal(err)
			}
			checkSVG(t, b.Bytes())
			keep(t, "search-"+c.name+".svg", b.Bytes())
		})
	}
}

func TestSearchCuts(t *testing.T) {
	a, _ := blocks(24, 3)
	for _, method := range []string{"linkage", "spectral"} {
		o := similarity.DefaultOptions()
		o.Method = method
		s, err := similarity.Search(a, o)
		if err != nil {
			t.Fatal(err)
		}
		cuts, chosen := SearchCuts(s)
		if len(cuts) != len(s.Candidates) || chosen < 0 || cuts[chosen].Clusters != len(s.Clusters) {
			t.Errorf("%s: chosen %d of %v", method, chosen, cuts)
		}
		if c := cuts[chosen]; method == "linkage" && !(c.From < c.Alpha && c.Alpha < c.To) {
			t.Errorf("the chosen cut %+v lies outside its range", c)
		}
		var b bytes.Buffer
		if err := SearchPlot(&b, "The search for the number of clusters\n"+method, cuts, chosen); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, b.Bytes())
		keep(t, "search-real-"+method+".svg", b.Bytes())
	}
}

// blocks is a proximity matrix of n clients in k mixed-up groups.
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
		var b bytes.Buffer
		if err := HeatMap(&b, "Fused proximity A\nfashion-mnist, seed 1", a, clusters); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, b.Bytes())
		keep(t, "heat-"+num(float64(c.n))+"-"+num(float64(c.k))+".svg", b.Bytes())
		if b.Len() > 1<<20 {
			t.Errorf("n = %d: %d bytes", c.n, b.Len())
		}
	}
	a := mat.NewSymDense(3, []float64{0, math.NaN(), 1, 0, 0, math.Inf(1), 0, 0, 0})
	for _, clusters := range [][][]int{nil, {}, {{0}}, {{0, 1}, {}, {2}}} {
		var b bytes.Buffer
		if err := HeatMap(&b, "t", a, clusters); err != nil {
			t.Fatal(err)
		}
		checkSVG(t, b.Bytes())
	}
	for _, clusters := range [][][]int{{{0, 3}}, {{-1}}, {{0, 0}}, {{0}, {0}}} {
		if err := HeatMap(io.Discard, "t", a, clusters); err == nil {
			t.Errorf("clusters %v: no error", clusters)
		}
	}
	var b bytes.Buffer
	if err := HeatMap(&b, "nobody", &mat.SymDense{}, nil); err != nil {
		t.Fatal(err)
	}
	checkSVG(t, b.Bytes())
}
