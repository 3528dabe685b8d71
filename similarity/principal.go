package similarity

import (
	"fmt"
	"math"
	"strconv"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Count is the number of principal vectors of a class: a fraction of the number of its samples, or a fixed number. The zero
// value means one vector.
type Count struct {
	fraction float64 // fraction of the number of samples; used if number is 0
	number   int
}

// ParseCount parses the text of a flag. A whole number is a fixed number ("3"), and any other number is a fraction ("0.01",
// "1.0").
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

// PrincipalVectors returns U (F x r, orthonormal columns), the first r = min(p, rank) left singular vectors of the F x n
// matrix X whose columns are the images: F raw pixels each, 0..255, neither centred nor normalised (phase 1, step 3).
// Singular values decrease from left to right. The entry of largest magnitude in each column is positive.
//
// X itself is never decomposed. X'X (n x n) or XX' (F x F), whichever is smaller, has whole numbers and so is exact, and U
// follows from its eigenvectors. topEigen finds the required eigenvectors, or a full decomposition if that is cheaper. The rank
// is the number of singular values above 1e-6 times the largest, which is about the smallest value that this method can
// distinguish from zero. All-black images have rank 0 and give the constant vector, which is the limit for constant images.
//
// PrincipalVectors returns an error if there are no images, if images differ in length or have no pixels, or if p < 1.
func PrincipalVectors(images [][]byte, p int) (*mat.Dense, error) {
	n := len(images)
	if n == 0 {
		return nil, fmt.Errorf("principal vectors: there are no images")
	}
	if p < 1 {
		return nil, fmt.Errorf("principal vectors: the number of vectors is %d: use 1 or more", p)
	}
	f := len(images[0])
	for i, image := range images {
		if len(image) != f || f == 0 {
			return nil, fmt.Errorf("principal vectors: image %d has %d pixels, but image 0 has %d: all images need the same number, at least 1", i, len(image), f)
		}
	}
	x := mat.NewDense(min(n, f), max(n, f), nil) // X' if an image has more pixels than there are images, otherwise X
	for i, image := range images {
		for j, pixel := range image {
			if n <= f {
				x.Set(i, j, float64(pixel))
			} else {
				x.Set(j, i, float64(pixel))
			}
		}
	}

	g := gram(x)
	m := g.SymmetricDim()
	values, vectors, ok := topEigen(g, min(p, m)) // σ^2, ascending
	if !ok {
		var eigen mat.EigenSym
		if !eigen.Factorize(g, true) {
			return nil, fmt.Errorf("principal vectors: the eigenvalues of the Gram matrix of %d images did not converge", n)
		}
		var all mat.Dense
		eigen.VectorsTo(&all)
		first := m - min(p, m)
		values = eigen.Values(nil)[first:]
		vectors = mat.DenseCopyOf(all.Slice(0, m, first, m).T())
	}
	last := len(values) - 1
	rank := 0
	for rank <= last && values[last-rank] > 1e-12*values[last] {
		rank++
	}
	if rank == 0 {
		u := mat.NewDense(f, 1, nil)
		for j := range f {
			u.Set(j, 0, 1/math.Sqrt(float64(f)))
		}
		return u, nil
	}

	rows := view(vectors, last+1-rank, last+1) // U', smallest first
	if n <= f {
		rows = new(mat.Dense)
		rows.Mul(view(vectors, last+1-rank, last+1), x) // σ u' = v'X'
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

// gram returns xx' (m x m) of a matrix of pixels (m x l, whole numbers 0..255), exactly.
//
// Rows 2i and 2i+1 share one product: x_2i + 2^26 x_2i+1 times x_k gives both x_2i.x_k, which is below 2^26 for up to 1,032
// pixels, and above these bits x_2i+1.x_k, all within the 53 bits of a float64. This halves the work without rounding.
func gram(x *mat.Dense) *mat.SymDense {
	const (
		shift  = 1 << 26
		stride = 512 // number of pixels per product, at most shift/255^2; a few rows of them fit into the first-level cache
		group  = 4   // number of shared rows per product
	)
	m, l := x.Dims()
	g := make([]float64, m*m) // only its upper triangle is set
	var shared [group][stride]float64
	for from := 0; from < l; from += stride {
		to := min(from+stride, l)
		for first := 0; first < m; first += 2 * group {
			for s := 0; s < group && first+2*s < m; s++ {
				copy(shared[s][:], x.RawRowView(first + 2*s)[from:to])
				if first+2*s+1 < m {
					floats.AddScaled(shared[s][:to-from], shift, x.RawRowView(first + 2*s + 1)[from:to])
				}
			}
			for k := first; k < m; k++ {
				row := x.RawRowView(k)[from:to]
				for s := 0; s < group && first+2*s <= k; s++ {
					i, both := first+2*s, uint64(floats.Dot(shared[s][:to-from], row))
					g[i*m+k] += float64(both % shift)
					if k > i {
						g[(i+1)*m+k] += float64(both / shift)
					}
				}
			}
		}
	}
	return mat.NewSymDense(m, g)
}

// orthonormalise makes v a unit vector that is orthogonal to rows from..to-1 of a matrix, which are orthonormal. It projects
// twice, which is enough.
func orthonormalise(v []float64, rows *mat.Dense, from, to int) {
	for range 2 {
		floats.Scale(1/floats.Norm(v, 2), v)
		for k := from; k < to; k++ {
			floats.AddScaled(v, -floats.Dot(v, rows.RawRowView(k)), rows.RawRowView(k))
		}
	}
	floats.Scale(1/floats.Norm(v, 2), v)
}

// largest returns the first index of an entry of largest magnitude. Entries within 1e-9 of each other count as equal, so that
// the result does not depend on rounding.
func largest(v []float64) int {
	best := 0
	for i, x := range v {
		if math.Abs(x) > math.Abs(v[best])+1e-9 {
			best = i
		}
	}
	return best
}
