package groups

import (
	"fmt"
	"math"
	"os"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// nullFamily is a kind of federation in which clients draw every class from one distribution.
type nullFamily struct {
	name    string
	planted planted
	sizes   bool // clients have between a tenth and ten times the number of images
}

var nullFamilies = []nullFamily{
	{"IID", planted{clients: 30, concentration: 1000, images: 50}, false},
	{"skewed labels", planted{clients: 30, concentration: 0.5, images: 50}, false},
	{"skewed features", planted{clients: 30, concentration: 1, images: 50, skew: 2}, false},
	{"within a concept", planted{clients: 60, groups: 2, concept: true, gap: 3, concentration: 1, images: 50}, false},
	{"few clients", planted{clients: 6, concentration: 1, images: 200, skew: 1}, false},
	{"two clients", planted{clients: 2, concentration: 1, images: 500, skew: 1}, false},
	{"few images", planted{clients: 30, concentration: 1, images: 8}, false},
	{"sizes", planted{clients: 30, concentration: 1, images: 50, skew: 1}, true},
}

// draw returns the p-value of the clients of group 0, in the metric of the true groups.
func (n nullFamily) draw(t testing.TB, seed uint64, prior float64) float64 {
	w := newWorld(n.planted, seed)
	var sketches []*Sketch
	clusters := make([][]int, w.groups)
	scatter := mat.NewSymDense(w.d, nil)
	for i := range w.clients {
		if n.sizes {
			w.images = int(float64(n.planted.images) * math.Pow(10, 2*w.random.Float64()-1))
		}
		s, own := w.sketch(t, i%w.groups)
		sketches = append(sketches, s)
		scatter.AddSym(scatter, own)
		clusters[i%w.groups] = append(clusters[i%w.groups], i)
	}
	f := newFinder(sketches, sequence(w.clients), w.classes, w.d, scatter, Options{Alpha: 0.001, Leaves: 1, Prior: prior})
	if err := f.whiten(clusters); err != nil {
		t.Fatal(err)
	}
	return f.leastP(clusters[0])
}

// TestErrorRate checks that the test keeps its level if there are no groups: the share of the tests with p <= alpha is at most
// alpha plus three standard deviations, where at least one test is allowed. The draws are fixed. It makes 60 tests per family and
// prior, and 2,000 with FEDDAG_LONG. The following percentages of these have p <= 0.1, 0.01 and 0.001, without and with the
// noise of the images as ten clients:
//
//	IID                 0.95  0.00  0.00      0.90  0.00  0.00
//	skewed labels       0.70  0.00  0.00      0.65  0.00  0.00
//	skewed features     0.35  0.00  0.00      0.35  0.00  0.00
//	within a concept    0.60  0.00  0.00      0.45  0.00  0.00
//	few clients         0.00  0.00  0.00      0.45  0.00  0.00
//	two clients                               0.25  0.00  0.00
//	few images          0.40  0.00  0.00      0.35  0.00  0.00
//	sizes               0.75  0.00  0.00      0.60  0.00  0.00
func TestErrorRate(t *testing.T) {
	runs := 60
	if os.Getenv("FEDDAG_LONG") != "" {
		runs = 2000
	}
	for _, family := range nullFamilies {
		family.planted.classes, family.planted.d, family.planted.groups = 4, 8, max(family.planted.groups, 1)
		for _, prior := range []float64{0, 10} {
			if prior == 0 && family.planted.clients < fewest {
				continue
			}
			levels := []float64{0.1, 0.01, 0.001}
			hits := make([]int, len(levels))
			for run := range runs {
				p := family.draw(t, uint64(run), prior)
				for k, alpha := range levels {
					if p <= alpha {
						hits[k]++
					}
				}
			}
			line := ""
			for k, alpha := range levels {
				line += fmt.Sprintf(" %.2f%%", 100*float64(hits[k])/float64(runs))
				if float64(hits[k]) > max(alpha*float64(runs)+3*math.Sqrt(alpha*float64(runs)), 1) {
					t.Errorf("%s, prior %g: %d of %d tests have p <= %g", family.name, prior, hits[k], runs, alpha)
				}
			}
			t.Logf("%s, prior %g: p <= 0.1, 0.01, 0.001 in%s", family.name, prior, line)
		}
	}
}

// TestBothHalves checks that a split which only one half of the images supports does not count as groups, and that a split which
// both halves support does.
func TestBothHalves(t *testing.T) {
	if p := bothHalves(1e-5, 0.5); p < 0.01 {
		t.Errorf("only one half: p = %g", p)
	}
	if p := bothHalves(1e-5, 1e-5); p > 1e-4 {
		t.Errorf("both halves: p = %g", p)
	}
}
