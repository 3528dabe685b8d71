package groups

import (
	"math"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// TestErrorRate checks that the test keeps its level where there are no groups: of 1,000 federations of 30 clients, whose images
// are skewed and whose classes are differently noisy, no more have p <= alpha than alpha of them and three standard deviations. Of
// 6,000, 9.0%, 0.92% and 0.10% had p <= 0.1, 0.01 and 0.001; with moderated noise 8.5%, 0.73% and 0.05%. The draws are fixed.
func TestErrorRate(t *testing.T) {
	const runs, clients, classes, d = 1000, 30, 4, 8
	for _, prior := range []float64{0, 10} {
		p := make([]float64, runs)
		for run := range runs {
			random := stream.New(uint64(run), "test of the error rate")
			var sketches []*Sketch
			scatter := mat.NewSymDense(d, nil)
			for range clients {
				n := 20 + random.IntN(80)
				x, labels := mat.NewDense(n, d, nil), make([]int, n)
				for k := range n {
					labels[k] = random.IntN(classes)
					for f := range d {
						x.Set(k, f, random.NormFloat64()*(1+float64(labels[k])/3)+random.ExpFloat64())
					}
				}
				s, own, err := NewSketch(x, labels, classes, random)
				if err != nil {
					t.Fatal(err)
				}
				sketches = append(sketches, s)
				scatter.AddSym(scatter, own)
			}
			o := Options{Alpha: 1e-300, Leaves: 1, Prior: prior} // Nothing is split: the p-value is that of all clients.
			f := newFinder(sketches, sequence(clients), classes, d, scatter, o)
			if err := f.whiten([][]int{sequence(clients)}); err != nil {
				t.Fatal(err)
			}
			p[run] = f.rejects(sequence(clients)).p
		}
		for _, alpha := range []float64{0.1, 0.01, 0.001} {
			hits := 0
			for _, x := range p {
				if x <= alpha {
					hits++
				}
			}
			if float64(hits) > alpha*runs+3*math.Sqrt(alpha*runs) {
				t.Errorf("prior %g: %d of %d tests have p <= %g", prior, hits, runs, alpha)
			}
		}
	}
}
