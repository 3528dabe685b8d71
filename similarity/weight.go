package similarity

import (
	"fmt"
	"math"
	"slices"
)

// Weights are the class-frequency weights W' of eq. 5 for every pair of clients and class. They are computed from the
// counts on demand, so that they need no memory for N x N x C values.
type Weights struct {
	size          [][]float64 // ln(n_i,c + ε), or n_i,c; 0 if client i lacks class c; N x C
	least, most   float64     // smallest and largest ratio over all pairs i < j that both hold the class
	bottom, width float64     // the scaled range is bottom..bottom+width
}

// NewWeights returns the weights for counts n_i,c (N x C, samples):
//
//	W_ijc = max(ln(n_i,c+ε), ln(n_j,c+ε)) / min(the same two)
//
// for the pairs i < j that both hold class c, min-max scaled over all these pairs to 1-δ..1+δ. If all are equal, they are 1.
// Under the prototype's rules W is the ratio of the counts themselves, scaled to 1..1.5. If ln(n+ε) is not above 0, because ε
// is too small for a class with one sample, NewWeights returns an error.
func NewWeights(counts [][]int, o Options) (*Weights, error) {
	w := &Weights{size: make([][]float64, len(counts)), least: math.Inf(1), most: math.Inf(-1)}
	size := func(n int) float64 { return math.Log(float64(n) + o.Epsilon) }
	w.bottom, w.width = 1-o.Delta, 2*o.Delta
	if o.Rules == "prototype" {
		size = func(n int) float64 { return float64(n) }
		w.bottom, w.width = 1, 0.5
	}
	var classes int
	for i, row := range counts {
		if i == 0 {
			classes = len(row)
		}
		if len(row) != classes {
			return nil, fmt.Errorf("client %d has counts for %d classes, but client 0 has counts for %d", i, len(row), classes)
		}
		w.size[i] = make([]float64, classes)
		for c, n := range row {
			if n < 0 {
				return nil, fmt.Errorf("client %d: class %d has %d samples", i, c, n)
			}
			if n == 0 {
				continue
			}
			if w.size[i][c] = size(n); !(w.size[i][c] > 0) {
				return nil, fmt.Errorf("client %d: class %d has %d samples and ln(%d+ε) is not above 0 with epsilon %g: raise epsilon", i, c, n, n, o.Epsilon)
			}
		}
	}
	for c := range classes {
		var held []float64
		for i := range counts {
			if w.size[i][c] > 0 {
				held = append(held, w.size[i][c])
			}
		}
		slices.Sort(held)
		for k := 1; k < len(held); k++ { // the smallest ratio is between two consecutive sizes
			w.least = min(w.least, held[k]/held[k-1])
			w.most = max(w.most, held[k]/held[0])
		}
	}
	return w, nil
}

// At returns the scaled weight of clients i and j, i != j, for class c. It is 1 unless both hold the class.
func (w *Weights) At(i, j, c int) float64 { return w.scaled(w.size[i][c], w.size[j][c]) }

// scaled returns the weight of two clients from the sizes of the class. A ratio outside the range of the ratios in NewWeights
// counts as the end of the range.
func (w *Weights) scaled(a, b float64) float64 {
	if a == 0 || b == 0 || !(w.least < w.most) {
		return 1
	}
	ratio := min(max(max(a, b)/min(a, b), w.least), w.most)
	return w.bottom + w.width*(ratio-w.least)/(w.most-w.least)
}
