package similarity

import (
	"fmt"
	"math"

	"feddag/internal/parallel"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// unitTolerance is how far from 1 the length of a principal vector may be: well above float32's rounding.
const unitTolerance = 1e-3

// missing returns the angle between two clients if only one of them holds the class.
func (o Options) missing() float64 {
	if o.Rules == "prototype" {
		return 180
	}
	return 90
}

// ClassAngles returns V'_c (degrees) between all N clients for each of the C classes (eq. 4). By default this is the
// smallest angle between a principal vector of client i and one of client j:
//
//	V'_ijc = min over v in U_c^i, x in U_c^j of arccos |v.x|
//
// bases[i][c] is U_c^i (F x p, orthonormal columns), and nil if client i lacks class c; p may differ. V' is 90 if only one
// of the two clients holds the class, 0 if neither does, and 0 on the diagonal. Under the prototype's rules the angle keeps
// its sign (0..180) and is 180 for a missing class. For each class there is one product, in blocks, of the stacked vectors of
// all clients (project.go). If o.Angle is "principal", the angle is the smallest between any two vectors of the spans instead
// (principal_angle.go).
//
// ClassAngles returns an error if there are no clients, if clients differ in the number of classes or in F, or if a column
// is not a finite unit vector.
func ClassAngles(bases [][]*mat.Dense, o Options) ([]*HeldAngles, error) {
	if len(bases) == 0 {
		return nil, fmt.Errorf("class angles: there are no clients")
	}
	classes := len(bases[0])
	for i := range bases {
		if len(bases[i]) != classes {
			return nil, fmt.Errorf("client %d has bases for %d classes, but client 0 has bases for %d", i, len(bases[i]), classes)
		}
	}
	angles := make([]*HeldAngles, classes)
	f := 0 // set by the first basis
	for c := range classes {
		stack, owner, err := stackBases(bases, c, &f)
		if err != nil {
			return nil, err
		}
		if angles[c], err = classAngles(stack, owner, len(bases), o, nil, nil); err != nil {
			return nil, err
		}
	}
	return angles, nil
}

// stackBases returns the vectors of all clients in class c as rows (P_c x F; nil if no client holds it), and the client of
// each row, ascending.
func stackBases(bases [][]*mat.Dense, c int, f *int) (stack *mat.Dense, owner []int, err error) {
	for i := range bases {
		u := bases[i][c]
		if u == nil {
			continue
		}
		rows, p := u.Dims()
		if *f == 0 {
			*f = rows
		}
		if rows != *f || p == 0 {
			return nil, nil, fmt.Errorf("client %d, class %d: its basis is %d x %d, but the vectors of other clients have %d entries", i, c, rows, p, *f)
		}
		for range p {
			owner = append(owner, i)
		}
	}
	if len(owner) == 0 {
		return nil, nil, nil
	}
	stack = mat.NewDense(len(owner), *f, nil)
	row := 0
	for i := range bases {
		if bases[i][c] == nil {
			continue
		}
		_, p := bases[i][c].Dims()
		for k := range p {
			v := mat.Col(stack.RawRowView(row), k, bases[i][c])
			if norm := floats.Norm(v, 2); !(math.Abs(norm-1) < unitTolerance) {
				return nil, nil, fmt.Errorf("client %d, class %d: principal vector %d has length %g, not 1: send orthonormal columns", i, c, k, norm)
			}
			row++
		}
	}
	return stack, owner, nil
}

// classAngles returns V'_c from stacked vectors (P_c x F, nil if no client holds the class) and their owners. It reports to tell
// how many hundredths of the work are done. The processes of a team, if there is one, compute V'_c together, and all of them get
// it.
func classAngles(stack *mat.Dense, owner []int, n int, o Options, team Team, tell teller) (*HeldAngles, error) {
	h := newHeldAngles(owner, n, o.missing())
	if stack == nil {
		return h, nil
	}
	var p pairAngles
	if o.Angle == "principal" {
		p = &spans{stack}
	} else {
		p = project(stack, owner, o.Rules == "prototype")
	}
	at := 0
	var err error
	share := newBands(team, len(owner))
	cosines(p.factor(), share, func(i0, j0 int, block *mat.Dense) bool {
		ni, nj := block.Dims()
		if i0 != at { // a row of blocks is done; the later ones are shorter
			left := 1 - float64(i0)/float64(len(owner))
			if err = tell.tell(int(100*(1-left*left)), 100); err != nil {
				return false
			}
		}
		if i0 == j0 {
			p.begin(i0)
		}
		at = i0
		rows := runs(owner[i0 : i0+ni])
		columns := runs(owner[j0 : j0+nj])
		parallel.For(len(rows), func(r int) { // each r writes to its own client's row
			i := owner[i0+rows[r].from]
			for _, column := range columns {
				if j := owner[j0+column.from]; j > i {
					k := h.wide.index(len(h.holders), int(h.place[i]), int(h.place[j]))
					h.wide[k] = min(h.wide[k], p.nearest(block, i0, j0, rows[r], column))
				}
			}
		})
		return true
	})
	if err != nil || team == nil {
		return h, err
	}
	// The vectors of a client may be in two bands.
	part := func(b int) []float64 {
		from, to := share.of(b)
		return h.rows(owner[from], owner[to-1])
	}
	return h, share.stream("class angles", func(b int) int { return len(part(b)) }, part, func(b int, x []float64) {
		held := part(b)
		for k, degrees := range x {
			held[k] = min(held[k], degrees)
		}
	})
}

// pairAngles finds the angle between two clients from the products of their vectors.
type pairAngles interface {
	// factor returns the vectors whose products nearest needs, as rows.
	factor() *mat.Dense
	// begin is called before the blocks that start at row i0.
	begin(i0 int)
	// nearest returns the angle in degrees between two clients whose products the block holds. The first row and column of
	// the block are rows i0 and j0 of the stack.
	nearest(block *mat.Dense, i0, j0 int, a, b run) float64
}

// run is a range of rows of a block, from..to-1, that belong to one client. place is the position of the client in the block.
type run struct{ from, to, place int }

func runs(owner []int) (r []run) {
	for k, i := range owner {
		if k == 0 || i != owner[k-1] {
			r = append(r, run{k, k, len(r)})
		}
		r[len(r)-1].to++
	}
	return r
}

// addClass adds the term of class c to the rows of V (N x N, degrees) that this process has. V is the weighted mean of the class
// angles (eq. 6):
//
//	V_ij = 1/C Σ_c V'_ijc W'_ijc,  V_ii = 0
//
// Under the prototype's rules each term is capped at 180 degrees.
func addClass(v triangle, h *HeldAngles, w *Weights, c int, o Options) {
	n := h.Clients()
	size := make([]float64, n)
	for i := range size {
		size[i] = w.size[i][c]
	}
	classes := float64(len(w.size[0]))
	missing := o.capped(h.missing) / classes
	parallel.For(n, func(i int) {
		row := v[i]
		a := int(h.place[i])
		for k := range row {
			j := i + 1 + k
			switch b := int(h.place[j]); {
			case a >= 0 && b >= 0:
				row[k] += o.capped(h.stored(a, b)*w.scaled(size[i], size[j])) / classes
			case a >= 0 || b >= 0:
				row[k] += missing
			}
		}
	})
}

// capped returns the term of V for a weighted class angle.
func (o Options) capped(x float64) float64 {
	if o.Rules == "prototype" {
		return min(x, 180)
	}
	return x
}

// MinMax returns G^ or V^ (N x N, 0..1): the off-diagonal entries of m, scaled so that the smallest is 0 and the largest is 1,
// and a zero diagonal. If all entries are equal within 1e-9 degrees, the result is all zeros. This bound is far below the
// differences between angles and far above their rounding errors. A non-finite entry is an error.
func MinMax(m *mat.SymDense) (*mat.SymDense, error) {
	n := m.SymmetricDim()
	if n == 0 {
		return nil, fmt.Errorf("scaling: empty matrix")
	}
	scaled := mat.NewSymDense(n, nil)
	return scaled, minMax(triangleOf(m), triangleOf(scaled), newBands(nil, n))
}

// minMax is MinMax for the rows that this process has. scaled may be m itself.
func minMax(m, scaled triangle, share *bands) error {
	ends := make([][]float64, share.count())
	var wrong error
	for b := range ends {
		if !share.mine(b) {
			continue
		}
		least, most := math.Inf(1), math.Inf(-1)
		from, to := share.of(b)
		for i := from; i < to; i++ {
			for k, x := range m[i] {
				if wrong == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
					wrong = fmt.Errorf("scaling: the entry of clients %d and %d is %g", i, i+1+k, x)
				}
				least, most = min(least, x), max(most, x)
			}
		}
		ends[b] = []float64{least, most}
	}
	if err := share.exchange("range of a matrix", ends, func(int) int { return 2 }, wrong); err != nil {
		return err
	}
	least, most := math.Inf(1), math.Inf(-1)
	for _, e := range ends {
		least, most = min(least, e[0]), max(most, e[1])
	}
	equal := !(most-least > 1e-9) // also true for a single client, which has no entries
	parallel.For(len(m), func(i int) {
		for k, x := range m[i] {
			if equal {
				scaled[i][k] = 0
			} else {
				scaled[i][k] = (x - least) / (most - least)
			}
		}
	})
	return nil
}
