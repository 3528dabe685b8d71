package groups

import (
	"encoding/json"
	"math"
	"os"
	"reflect"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// arrays is the content of testdata/arrays.json, which testdata/make_arrays.py writes.
type arrays struct {
	Features []struct {
		Shape    [3]int // channels, height, width
		Pixels   []byte
		Features []float64
	}
	Codes []struct {
		Counts             [][]float64
		Clients            int
		Free, Quota, Plain float64 // length of the code of all clients, for the plain code with parameter 0.7
		Clusters           [][]int
		Lengths            [2][2]*float64 // lengths by the free and by the plain code, for one cluster and for several
	}
	Cases []sketchCase
}

// sketchCase has the sketches of some clients and the expected results.
type sketchCase struct {
	Kind         string
	Counts       [][Halves][]int
	Means        [][Halves][][]float64
	Scatter      [][]float64
	Truth        []int
	Clusters     [][]int
	Who          []int        // clients that are tested
	P, Moderated [][2]float64 // for each view, by the half that learns; not multiplied
	Few          [][2]float64 // moderated, of the first three clients
	Order        []int
	Inside       [][5]float64 // for each view: covariance inside the sides, inside the four parts and in total, kappa, tau
	Unlike       float64      // distance between every second client and the others
}

func readArrays(t testing.TB) (a arrays) {
	t.Helper()
	text, err := os.ReadFile("testdata/arrays.json")
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Features) == 0 || len(a.Codes) == 0 || len(a.Cases) == 0 {
		t.Fatal("testdata/arrays.json lacks a part")
	}
	return a
}

func (c *sketchCase) sketches() ([]*Sketch, *mat.SymDense) {
	var sketches []*Sketch
	for i, counts := range c.Counts {
		s := &Sketch{Counts: counts}
		for h, rows := range c.Means[i] {
			s.Means[h] = mat.NewDense(len(rows), len(rows[0]), slices.Concat(rows...))
		}
		sketches = append(sketches, s)
	}
	return sketches, mat.NewSymDense(len(c.Scatter), slices.Concat(c.Scatter...))
}

// finder returns the state of the search with the metric of one cluster of all clients.
func (c *sketchCase) finder(t testing.TB) *finder {
	t.Helper()
	sketches, scatter := c.sketches()
	f := newFinder(sketches, sequence(len(sketches)), len(sketches[0].Counts[0]), scatter.SymmetricDim(), scatter, DefaultOptions())
	if err := f.whiten([][]int{sequence(len(sketches))}); err != nil {
		t.Fatal(err)
	}
	return f
}

// closeTo reports whether got agrees with want to nine digits.
func closeTo(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Abs(want) }

func TestCodeLength(t *testing.T) {
	for k, x := range readArrays(t).Codes {
		free, plain := freeClusters(x.Counts, len(x.Counts), 40), plainClusters(x.Counts, len(x.Counts))
		for name, pair := range map[string][2]float64{
			"free":  {countLabels(x.Counts).codeLength(x.Clients), x.Free},
			"quota": {quotaLength(x.Counts, x.Clients), x.Quota},
			"plain": {plainLength(x.Counts, x.Clients, 0.7), x.Plain},

			"free, one cluster":       {free.one, *x.Lengths[0][0]},
			"free, several clusters":  {free.several, orInf(x.Lengths[0][1])},
			"plain, one cluster":      {plain.one, *x.Lengths[1][0]},
			"plain, several clusters": {plain.several, orInf(x.Lengths[1][1])},
		} {
			if pair[0] != pair[1] && !closeTo(pair[0], pair[1]) {
				t.Errorf("code %d, %s: the length is %.15g, want %.15g", k, name, pair[0], pair[1])
			}
		}
		if got := labelClusters(x.Counts, len(x.Counts), 40, 0.001); !reflect.DeepEqual(got, x.Clusters) {
			t.Errorf("label clusters of code %d are %v, want %v", k, got, x.Clusters)
		}
	}
}

func orInf(x *float64) float64 {
	if x == nil {
		return math.Inf(1)
	}
	return *x
}

func TestPValues(t *testing.T) {
	for _, c := range readArrays(t).Cases {
		f := c.finder(t)
		for _, part := range []struct {
			name  string
			who   []int
			prior float64
			want  [][2]float64
		}{{"p", c.Who, 0, c.P}, {"moderated", c.Who, 10, c.Moderated}, {"three clients", c.Who[:3], 10, c.Few}} {
			halves := [Halves]*table{f.whiteHalves[0].pick(part.who), f.whiteHalves[1].pick(part.who)}
			loud := loudness(halves, f.metric.noise)
			for k, view := range imageViews {
				for h := range Halves {
					got := pValue(halves[h], halves[1-h], view, part.prior, f.metric.noise, loud)
					if want := part.want[k][h]; !closeTo(got, want) {
						t.Errorf("%s, %s, %s, half %d learns: p = %.15g, want %.15g", c.Kind, part.name, view, h, got, want)
					}
				}
			}
		}
	}
}

func TestOneCloudAndUnlike(t *testing.T) {
	for _, c := range readArrays(t).Cases {
		f := c.finder(t)
		for k, view := range imageViews {
			side, whole := split(f.white.pick(c.Who), view, nil)
			places := f.placeTwice(c.Who, view, side, whole, c.Order)
			two, four, total := places.cut()
			for j, got := range []float64{two, four, total, places.kappa, places.tau} {
				if want := c.Inside[k][j]; math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
					t.Errorf("%s, %s: number %d of the cloud is %.15g, want %.15g", c.Kind, view, j, got, want)
				}
			}
		}
		var sides [2][]int
		for k, i := range c.Who {
			sides[k%2] = append(sides[k%2], i)
		}
		if got := unlike(f.white.pick(sides[0]).centre(), f.white.pick(sides[1]).centre()); !closeTo(got, c.Unlike) {
			t.Errorf("%s: the halves are unlike by %.15g, want %.15g", c.Kind, got, c.Unlike)
		}
	}
}

func TestFind(t *testing.T) {
	views := map[string]View{"labels": Labels, "concept2": Concept, "concept3": Concept, "domain": Common, "both": Concept}
	for _, c := range readArrays(t).Cases {
		sketches, scatter := c.sketches()
		for _, prior := range []float64{0, 10} {
			o := DefaultOptions()
			o.Prior = prior
			r, err := Find(sketches, scatter, o)
			if err != nil {
				t.Fatalf("%s: %v", c.Kind, err)
			}
			if !reflect.DeepEqual(r.Clusters, c.Clusters) {
				t.Errorf("%s: the clusters are %v, want %v", c.Kind, r.Clusters, c.Clusters)
			}
			if want := byLabel(c.Truth); !reflect.DeepEqual(r.Clusters, want) {
				t.Errorf("%s: the clusters are %v, planted were %v", c.Kind, r.Clusters, want)
			}
			roster, err := NewRoster(Shape{}, sketches, scatter, r, o)
			if err != nil {
				t.Fatalf("%s: %v", c.Kind, err)
			}
			pairs := roster.Explanations(nil)
			if k := len(r.Clusters); len(pairs) != k*(k-1)/2 {
				t.Errorf("%s: %d pairs of %d clusters", c.Kind, len(pairs), k)
			}
			for _, x := range pairs {
				want := views[c.Kind]
				if c.Kind == "both" && c.Truth[r.Clusters[x.A][0]]%2 != c.Truth[r.Clusters[x.B][0]]%2 {
					want = Labels
				}
				if x.View != want || !(x.P < 1e-6) {
					t.Errorf("%s: %+v, want %q", c.Kind, x, want)
				}
			}
		}
	}
}
