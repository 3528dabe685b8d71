package groups

import (
	"math"
	"testing"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/mat"
)

// TestDegenerateSketches checks that Find returns a result with every client in exactly one cluster for degenerate sketches: no
// images, one image of a class, one class, constant features, a scatter matrix of zeros, very large means.
func TestDegenerateSketches(t *testing.T) {
	for seed := range uint64(300) {
		random := stream.New(seed, "test: degenerate sketches")
		clients, classes, d := 1+random.IntN(12), 1+random.IntN(4), 1+random.IntN(3)
		most, size := random.IntN(4), []float64{0, 1, 1e150}[random.IntN(3)]
		scatter := mat.NewSymDense(d, nil)
		if random.IntN(2) == 0 {
			for f := range d {
				scatter.SetSym(f, f, size*size*float64(clients))
			}
		}
		var sketches []*Sketch
		images := 0
		for range clients {
			s := &Sketch{}
			for h := range Halves {
				s.Counts[h], s.Means[h] = make([]int, classes), mat.NewDense(classes, d, nil)
				for c := range classes {
					s.Counts[h][c] = random.IntN(most + 1)
					images += s.Counts[h][c]
					for f := range d {
						s.Means[h].Set(c, f, size*random.NormFloat64())
					}
				}
			}
			sketches = append(sketches, s)
		}
		for _, prior := range []float64{0, 10} {
			o := DefaultOptions()
			o.Prior = prior
			r, err := Find(sketches, scatter, o)
			if err != nil {
				if images > 0 && size < 1e100 {
					t.Errorf("seed %d: %v", seed, err)
				}
				continue
			}
			seen := make([]bool, clients)
			for _, who := range r.Clusters {
				for _, i := range who {
					if seen[i] {
						t.Errorf("seed %d: client %d is in two clusters", seed, i)
					}
					seen[i] = true
				}
			}
			for i, ok := range seen {
				if !ok {
					t.Errorf("seed %d: client %d is in no cluster", seed, i)
				}
			}
			roster, err := NewRoster(Shape{}, sketches, scatter, r, o)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, x := range roster.Explanations(nil) {
				if math.IsNaN(x.P) || x.P < 0 || x.P > 1 {
					t.Errorf("seed %d: %+v", seed, x)
				}
			}
		}
	}
}
