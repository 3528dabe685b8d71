package similarity

import (
	"fmt"
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// GradientAngles returns G (N x N, degrees in 0..180), the angles between the clients' sparsified updates (eq. 3):
//
//	G_ij = arccos( <Δ~_i, Δ~_j> / (|Δ~_i| |Δ~_j|) ),  G_ii = 0
//
// updates has N rows of the same length k. A zero update has no direction: its angle to every other update is 90 degrees,
// and its angle to another zero update is 0. GradientAngles returns an error if there are no updates, if they have no
// coordinates or differ in length, or if a value is not finite.
func GradientAngles(updates [][]float64) (*mat.SymDense, error) {
	g := mat.NewSymDense(len(updates), nil)
	return g, gradientAngles(updates, newBands(nil, len(updates)), triangleOf(g), nil)
}

// gradientAngles sets the rows of g that this process has to the rows of G. It reports to tell how many of the N rows are done.
func gradientAngles[T float32 | float64](updates [][]T, share *bands, g triangle, tell teller) error {
	unit, zero, err := unitRows(updates)
	if err != nil {
		return err
	}
	cosines(unit, share, func(i0, j0 int, block *mat.Dense) bool {
		ni, nj := block.Dims()
		if i0 == j0 {
			if err = tell.tell(i0, len(zero)); err != nil {
				return false
			}
		}
		parallel.For(ni, func(a int) { // each a writes to its own client's row
			i := i0 + a
			for b := range nj {
				j := j0 + b
				if j <= i || zero[i] && zero[j] {
					continue
				}
				g[i][j-i-1] = angle(block.At(a, b), unit.RawRowView(i), unit.RawRowView(j))
			}
		})
		return true
	})
	return err
}

// unitRows returns the updates scaled to rows of length 1 (N x k), and says which of them are zero and remain zero.
func unitRows[T float32 | float64](updates [][]T) (unit *mat.Dense, zero []bool, err error) {
	n := len(updates)
	if n == 0 {
		return nil, nil, fmt.Errorf("gradient angles: there are no clients")
	}
	k := len(updates[0])
	if k == 0 {
		return nil, nil, fmt.Errorf("client 0: its update has no coordinates: raise the fraction that is kept")
	}
	unit = mat.NewDense(n, k, nil) // N x k
	zero = make([]bool, n)
	for i, update := range updates {
		if len(update) != k {
			return nil, nil, fmt.Errorf("client %d: its update has %d coordinates, but the update of client 0 has %d: all clients need the same mask", i, len(update), k)
		}
		row := unit.RawRowView(i)
		for c, x := range update {
			row[c] = float64(x)
		}
		for c, x := range row {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, nil, fmt.Errorf("client %d: coordinate %d of its update is %g: its warm-up diverged; lower the learning rate or leave the client out", i, c, x)
			}
		}
		size := floats.Norm(row, math.Inf(1))
		if zero[i] = size == 0; zero[i] {
			continue
		}
		for c := range row { // divided by the largest entry first, so that squares neither overflow nor vanish
			row[c] /= size
		}
		floats.Scale(1/floats.Norm(row, 2), row)
	}
	return unit, zero, nil
}
