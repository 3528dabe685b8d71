package similarity

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

const degree = math.Pi / 180 // radians

// blockRows bounds the products of stacked vectors: at most blockRows x blockRows cosines exist at a time.
const blockRows = 512

// angle returns the angle in degrees between unit vectors u and v (length F) whose inner product is dot. Near 0 and 180
// degrees arccos loses half of its digits, so there the angle is computed as 2 atan2(|u-v|, |u+v|).
func angle(dot float64, u, v []float64) float64 {
	if math.Abs(dot) < 1-1e-4 {
		return math.Acos(dot) / degree
	}
	var minus, plus float64
	for k, x := range u {
		minus += (x - v[k]) * (x - v[k])
		plus += (x + v[k]) * (x + v[k])
	}
	return 2 * math.Atan2(math.Sqrt(minus), math.Sqrt(plus)) / degree
}

// cosines calls visit with every block of S S' (S: rows x F) that overlaps the upper triangle, in the bands of this process. A
// block has at most blockRows rows and columns, so the memory is bounded. block[a][b] is the product of rows i+a and j+b, with
// j >= i. The block is reused. cosines ends when visit returns false.
func cosines(s *mat.Dense, share *bands, visit func(i, j int, block *mat.Dense) bool) {
	rows, f := s.Dims()
	store := make([]float64, min(rows, blockRows)*min(rows, blockRows))
	for band := range share.count() {
		if !share.mine(band) {
			continue
		}
		i, end := share.of(band)
		for j := i; j < rows; j += blockRows {
			ni, nj := end-i, min(blockRows, rows-j)
			block := mat.NewDense(ni, nj, store[:ni*nj])
			block.Mul(s.Slice(i, end, 0, f), s.Slice(j, j+nj, 0, f).T())
			if !visit(i, j, block) {
				return
			}
		}
	}
}
