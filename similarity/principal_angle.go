package similarity

import (
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// spans finds the first principal angle between the subspaces of two clients. With M = U'X (p x q) and its largest singular
// value σ,
//
//	θ = arccos σ = min over v in span U, x in span X of arccos |v.x|
//
// It is never larger than the paper's minimum over the columns themselves (eq. 4), and does not depend on which orthonormal
// basis of its span a client sends (Björck and Golub 1973).
type spans struct{ stack *mat.Dense }

func (s *spans) factor() *mat.Dense { return s.stack }

func (s *spans) begin(int) {}

// nearest implements pairAngles.
func (s *spans) nearest(block *mat.Dense, i0, j0 int, a, b run) float64 {
	m := mat.DenseCopyOf(block.Slice(a.from, a.to, b.from, b.to))
	sigma, y, z := topSingular(m)
	if sigma < 1-1e-4 {
		return math.Acos(sigma) / degree
	}
	_, f := s.stack.Dims()
	combine := func(from int, weights []float64) []float64 {
		v := make([]float64, f)
		for k, w := range weights {
			floats.AddScaled(v, w, s.stack.RawRowView(from+k))
		}
		floats.Scale(1/floats.Norm(v, 2), v)
		return v
	}
	return angle(1, combine(i0+a.from, y), combine(j0+b.from, z))
}

// topSingular returns the largest singular value σ of M (p x q) and its unit vectors, with M'y = σz, by one-sided Jacobi
// rotations of the rows of M (Hestenes 1958), which lose no digits of σ. M is overwritten. If M = 0, y and z are 0.
func topSingular(m *mat.Dense) (sigma float64, y, z []float64) {
	p, q := m.Dims()
	turn := mat.NewDense(p, p, nil) // its rows are rotated like those of M: M_now = turn M
	for k := range p {
		turn.Set(k, k, 1)
	}
	for range 60 { // a few are enough
		turned := false
		for k := range p {
			for l := k + 1; l < p; l++ {
				u, v := m.RawRowView(k), m.RawRowView(l)
				a, b, c := floats.Dot(u, u), floats.Dot(v, v), floats.Dot(u, v)
				if math.Abs(c) <= 1e-15*math.Sqrt(a*b) {
					continue
				}
				turned = true
				t := (b - a) / (2 * c)
				t = math.Copysign(1, t) / (math.Abs(t) + math.Hypot(1, t))
				cos := 1 / math.Hypot(1, t)
				rotate(u, v, cos, cos*t)
				rotate(turn.RawRowView(k), turn.RawRowView(l), cos, cos*t)
			}
		}
		if !turned {
			break
		}
	}
	y, z = make([]float64, p), make([]float64, q)
	for k := range p {
		if norm := floats.Norm(m.RawRowView(k), 2); norm > sigma {
			sigma = norm
			copy(y, turn.RawRowView(k))
			floats.ScaleTo(z, 1/norm, m.RawRowView(k))
		}
	}
	return sigma, y, z
}

// rotate rotates two rows by an angle with the given cosine and sine.
func rotate(u, v []float64, cos, sin float64) {
	for k, x := range u {
		u[k], v[k] = cos*x-sin*v[k], sin*x+cos*v[k]
	}
}
