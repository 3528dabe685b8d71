package similarity

import (
	"fmt"
	"slices"
	"unsafe"

	"feddag/internal/deal"

	"gonum.org/v1/gonum/mat"
)

// Team is a group of processes that compute one clustering together, as one of them sees it. All of them call the same functions
// with the same arguments.
type Team interface {
	Rank() int // the number of this process, from 0
	Size() int
	// Gather returns the bytes of each process. what describes them. If problem is not nil, it says why this process has no
	// bytes, and every process gets an error.
	Gather(what string, mine []byte, problem error) ([][]byte, error)
}

// BandRows is the number of rows that a process of a [Team] computes at a time. With fewer clients, one process computes the
// whole matrix.
const BandRows = blockRows

// bands divides the rows i of the pairs i < j of a matrix between the processes of a team. Band b has BandRows rows from row
// b BandRows on, and process owner[b] computes it. The content of a band does not depend on the number of processes, so sums
// that are computed band by band do not depend on it either.
type bands struct {
	team  Team // nil for a single process
	rows  int
	owner []int
}

// newBands assigns the bands to the processes so that all have about the same number of pairs. team may be nil.
func newBands(team Team, rows int) *bands {
	s := &bands{team: team, rows: rows}
	var pairs []int64
	for from := 0; from < rows; from += BandRows {
		height := min(BandRows, rows-from)
		pairs = append(pairs, int64(height)*int64(2*(rows-from)-height)/2)
	}
	size := 1
	if team != nil {
		size = team.Size()
	}
	s.owner = deal.Longest(pairs, size)
	return s
}

// count returns the number of bands.
func (s *bands) count() int { return len(s.owner) }

// rank returns the number of this process.
func (s *bands) rank() int {
	if s.team == nil {
		return 0
	}
	return s.team.Rank()
}

// of returns the rows of a band, from..to-1.
func (s *bands) of(b int) (from, to int) { return b * BandRows, min((b+1)*BandRows, s.rows) }

// mine reports whether this process computes a band.
func (s *bands) mine(b int) bool { return s.owner[b] == s.rank() }

// pairs returns the number of pairs of a band.
func (s *bands) pairs(b int) (n int) {
	from, to := s.of(b)
	for i := from; i < to; i++ {
		n += s.rows - 1 - i
	}
	return n
}

// exchange completes vectors, which has one vector for each band. A process sets the vectors of its own bands. length returns the
// number of values of a vector. If problem is not nil, it says why this process cannot continue.
func (s *bands) exchange(what string, vectors [][]float64, length func(b int) int, problem error) error {
	if s.team == nil {
		return problem
	}
	return s.trade(what, s.dealt(), vectors, length, problem)
}

// stream is like exchange for long vectors: each process sends one vector at a time. vector returns the vector of a band of this
// process. take receives the vectors of all bands, in any order, and must not keep them.
func (s *bands) stream(what string, length func(b int) int, vector func(b int) []float64, take func(b int, x []float64)) error {
	left := s.dealt()
	for slices.ContainsFunc(left, func(of []int) bool { return len(of) > 0 }) {
		turn, vectors := make([][]int, len(left)), make([][]float64, s.count())
		for r := range left {
			if len(left[r]) > 0 {
				turn[r], left[r] = left[r][:1], left[r][1:]
			}
		}
		for _, b := range turn[s.rank()] {
			vectors[b] = vector(b)
		}
		if err := s.trade(what, turn, vectors, length, nil); err != nil {
			return err
		}
		for _, of := range turn {
			for _, b := range of {
				take(b, vectors[b])
			}
		}
	}
	return nil
}

// dealt returns the bands that are assigned to each process.
func (s *bands) dealt() [][]int {
	of := make([][]int, s.team.Size())
	for r := range of {
		of[r] = deal.Of(s.owner, r)
	}
	return of
}

// pieceBytes is the largest number of bytes that a process sends at a time, so that the copies of the message need little memory.
const pieceBytes = 4 << 20

// trade sends the vectors of the bands turn[r] of every process r to all processes.
func (s *bands) trade(what string, turn [][]int, vectors [][]float64, length func(b int) int, problem error) error {
	into, longest := make([][][]byte, len(turn)), 0 // memory of the vectors of each process
	for r, of := range turn {
		n := 0
		for _, b := range of {
			if r != s.rank() {
				vectors[b] = make([]float64, length(b))
			}
			into[r] = append(into[r], bytesOf(vectors[b]))
			n += 8 * length(b)
		}
		longest = max(longest, n)
	}
	for from := 0; from == 0 || from < longest; from += pieceBytes {
		var own []byte
		for _, x := range parts(into[s.rank()], from) {
			own = append(own, x...)
		}
		all, err := s.team.Gather(what, own, problem)
		if err != nil {
			return err
		}
		for r, raw := range all {
			if r == s.rank() {
				continue
			}
			for _, x := range parts(into[r], from) {
				n := copy(x, raw)
				if raw = raw[n:]; n < len(x) {
					return fmt.Errorf("%s: process %d sent too few bytes", what, r)
				}
			}
			if len(raw) > 0 {
				return fmt.Errorf("%s: process %d sent %d bytes too many", what, r, len(raw))
			}
		}
	}
	return nil
}

// parts returns the parts of several byte slices that are in a range of pieceBytes bytes from an offset, where the slices count
// as one sequence of bytes.
func parts(all [][]byte, from int) (in [][]byte) {
	to := from + pieceBytes
	for _, x := range all {
		if from < len(x) && to > 0 {
			in = append(in, x[max(from, 0):min(to, len(x))])
		}
		from, to = from-len(x), to-len(x)
	}
	return in
}

// bytesOf returns the memory of x. The processes of a team run the same program, so their byte order is the same.
func bytesOf(x []float64) []byte {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 8*len(x))
}

// triangle is the part of a symmetric N x N matrix above its diagonal. Row i has the entries of columns i+1..N-1. It is nil if
// another process has the row.
type triangle [][]float64

// newTriangle returns a triangle of zeros with the rows of this process.
func newTriangle(s *bands) triangle {
	t := make(triangle, s.rows)
	for b := range s.count() {
		if s.mine(b) {
			x := make([]float64, s.pairs(b))
			from, to := s.of(b)
			for i := from; i < to; i++ {
				k := s.rows - 1 - i
				t[i], x = x[:k:k], x[k:]
			}
		}
	}
	return t
}

// triangleOf returns the part of a matrix above its diagonal, which shares the memory of the matrix.
func triangleOf(m *mat.SymDense) triangle {
	t := make(triangle, m.SymmetricDim())
	for i := range t {
		t[i] = upper(m, i)
	}
	return t
}
