package similarity

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Count says how many principal vectors a class gives: a fraction of its samples or a fixed number.
// The zero value asks for one.
type Count struct {
	fraction float64 // of the samples, where number is 0
	number   int
}

// ParseCount reads a flag's text: a whole number is a count ("3"), any other number a fraction ("0.01", "1.0").
func ParseCount(text string) (Count, error) {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 {
		return Count{number: n}, nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || !(f > 0 && f <= 1) {
		return Count{}, fmt.Errorf("count %q: use a fraction in 0..1 (0.01) or a whole number from 1 (3)", text)
	}
	return Count{fraction: f}, nil
}

// Of returns max(1, round(fraction n)) or the fixed number, never more than n.
func (c Count) Of(n int) int {
	p := c.number
	if p == 0 {
		p = max(1, int(math.Round(c.fraction*float64(n))))
	}
	return min(p, n)
}

// String returns a text that ParseCount reads back.
func (c Count) String() string {
	if c.number > 0 {
		return strconv.Itoa(c.number)
	}
	text := strconv.FormatFloat(c.fraction, 'f', -1, 64)
	if c.fraction == math.Trunc(c.fraction) {
		text += ".0"
	}
	return text
}

// PrincipalVectors returns U (F x r, orthonormal columns), the top r = min(p, rank) left singular vectors of the F x n
// matrix X whose columns are the images: F raw pixels each, 0..255, neither centred nor normalised (phase 1, step 3).
// Singular values fall from left to right; each column's entry of largest size is positive.
//
// X itself is never decomposed: X'X (n x n) or XX' (F x F), whichever is smaller, holds whole numbers and so is exact,
// and its eigenvectors give U. The rank is the number of singular values above 1e-6 of the largest, about what that
// route can tell from zero. All-black images have rank 0; they give the constant vector, the limit of constant images.
//
// It is an error to give no image, images of different or zero length, or p < 1.
func PrincipalVectors(images [][]byte, p int) (*mat.Dense, error) {
	n := len(images)
	if n == 0 {
		return nil, fmt.Errorf("principal vectors: no image given")
	}
	if p < 1 {
		return nil, fmt.Errorf("principal vectors: %d asked for, use 1 or more", p)
	}
	f := len(images[0])
	x := mat.NewDense(n, max(f, 1), nil) // n x F, an image a row: X'
	for i, image := range images {
		if len(image) != f || f == 0 {
			return nil, fmt.Errorf("principal vectors: image %d has %d pixels, image 0 has %d: all need the same number, at least 1", i, len(image), f)
		}
		row := x.RawRowView(i)
		for j, pixel := range image {
			row[j] = float64(pixel)
		}
	}

	var gram mat.SymDense
	if n <= f {
		gram.SymOuterK(1, x) // X'X, n x n
	} else {
		gram.SymOuterK(1, x.T()) // XX', F x F
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(&gram, true) {
		return nil, fmt.Errorf("principal vectors: the eigenvalues of %d images' Gram matrix did not converge", n)
	}
	values := eigen.Values(nil) // σ^2, ascending
	m := len(values)
	rank := 0
	for rank < min(p, m) && values[m-1-rank] > 1e-12*values[m-1] {
		rank++
	}
	if rank == 0 {
		u := mat.NewDense(f, 1, nil)
		for j := range f {
			u.Set(j, 0, 1/math.Sqrt(float64(f)))
		}
		return u, nil
	}

	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	rows := mat.NewDense(rank, f, nil) // U'
	if n <= f {
		rows.Mul(vectors.Slice(0, m, m-rank, m).T(), x) // σ u' = v'X', least first
	} else {
		rows.Copy(vectors.Slice(0, m, m-rank, m).T())
	}
	u := mat.NewDense(f, rank, nil)
	for k := range rank {
		row := rows.RawRowView(rank - 1 - k)
		orthonormalise(row, rows, rank-k, rank)
		if row[largest(row)] < 0 {
			floats.Scale(-1, row)
		}
		u.SetCol(k, row)
	}
	return u, nil
}

// orthonormalise makes v a unit vector orthogonal to rows from..to-1 of a matrix, themselves orthonormal. Twice is
// enough.
func orthonormalise(v []float64, rows *mat.Dense, from, to int) {
	for range 2 {
		floats.Scale(1/floats.Norm(v, 2), v)
		for k := from; k < to; k++ {
			floats.AddScaled(v, -floats.Dot(v, rows.RawRowView(k)), rows.RawRowView(k))
		}
	}
	floats.Scale(1/floats.Norm(v, 2), v)
}

// largest returns the first index of the entry of largest size, entries within 1e-9 of each other being alike so that
// rounding does not decide.
func largest(v []float64) int {
	best := 0
	for i, x := range v {
		if math.Abs(x) > math.Abs(v[best])+1e-9 {
			best = i
		}
	}
	return best
}
