package similarity

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestAlignmentOfMissingClasses checks Γ- by hand. Clients 0 and 2 hold class 0 at 30 degrees from each other, clients 1 and 3
// lack it, and no client holds class 1. A pair in which neither client has the class has Γ = 1, and a pair in which only one has
// it has Γ = 0.
func TestAlignmentOfMissingClasses(t *testing.T) {
	at := func(degrees float64) *mat.Dense {
		return mat.NewDense(2, 1, []float64{math.Cos(degrees * degree), math.Sin(degrees * degree)})
	}
	bases := [][]*mat.Dense{{at(0), nil}, {nil, nil}, {at(30), nil}, {nil, nil}}
	angles, err := ClassAngles(bases, DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		class    int
		clusters [][]int
		want     float64 // Γ- of clusters 0 and 1
	}{
		{0, [][]int{{0, 1}, {2, 3}}, (2./3 + 0 + 0 + 1) / 4},
		{0, [][]int{{1}, {3}, {0, 2}}, 1},
		{0, [][]int{{0}, {1, 3}, {2}}, 0},
		{1, [][]int{{0, 1}, {2, 3}}, 1},
	} {
		mean := meanAlignment(angles[c.class], c.clusters)
		if math.Abs(mean.At(0, 1)-c.want) > 1e-9 || mean.At(0, 1) != mean.At(1, 0) {
			t.Errorf("class %d, clusters %v: %g and %g, want %g", c.class, c.clusters, mean.At(0, 1), mean.At(1, 0), c.want)
		}
	}
}
