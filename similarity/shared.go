package similarity

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Shared are the sketches of the paper in a run of several processes, each of which has the principal vectors of some clients. It
// implements [Sketches].
type Shared struct {
	Team    Team
	Counts  [][]int        // n_i,c, N x C
	Updates [][]float32    // Δ~_i, N x k
	Bases   [][]*mat.Dense // U_c^i, N x C; nil if the client lacks the class or if another process has its vectors

	f int // F, set by the first basis
}

// ClassCounts implements [Sketches].
func (s *Shared) ClassCounts() [][]int { return s.Counts }

// Cluster does the work of [Cluster] in all processes of the team together. Each computes its bands of the rows of G, V and A,
// and sends its rows of A to process 0. That process returns the result, without Gradient, Data, GradientScaled and DataScaled.
// It is bit for bit the result of a single process. The other processes return nil.
func (s *Shared) Cluster(o Options, progress Progress) (*Result, error) {
	err := o.Validate()
	if err == nil {
		err = s.check()
	}
	var r *Result
	if err == nil {
		r, err = clusterSource(s, s.Team, o, progress)
	}
	if err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	return r, nil
}

// check returns an error unless the parts of the sketches have the same numbers of clients and classes.
func (s *Shared) check() error {
	switch n := len(s.Counts); {
	case n == 0:
		return fmt.Errorf("there are no clients")
	case len(s.Counts[0]) == 0:
		return fmt.Errorf("client 0 has no class counts")
	case len(s.Updates) != n || len(s.Bases) != n:
		return fmt.Errorf("there are counts for %d clients, updates for %d and vectors for %d", n, len(s.Updates), len(s.Bases))
	}
	for i, bases := range s.Bases {
		if len(bases) != len(s.Counts[0]) || len(s.Counts[i]) != len(bases) {
			return fmt.Errorf("client %d has %d counts and %d bases for %d classes: it needs one of each per class",
				i, len(s.Counts[i]), len(bases), len(s.Counts[0]))
		}
	}
	return nil
}

// Stability implements [Sketches]. It returns an error, because it would need one process that has all sketches.
func (s *Shared) Stability(*Result, Options, int, Progress) (*Steadiness, error) {
	return nil, fmt.Errorf("stability: the sketches are distributed over %d processes: use one process", s.Team.Size())
}

func (s *Shared) allCounts() [][]int { return s.Counts }

func (s *Shared) gradients(share *bands, g triangle, tell teller) error {
	return gradientAngles(s.Updates, share, g, tell)
}

// stackPart is the number of vectors that a process sends at a time.
const stackPart = 1024

// stack implements source. Every process gets the vectors of all processes.
func (s *Shared) stack(c int) (*mat.Dense, []int, error) {
	own, clients, problem := stackBases(s.Bases, c, &s.f)
	head := []float64{float64(s.f)} // F, then the client of each vector
	for _, i := range clients {
		head = append(head, float64(i))
	}
	all, err := s.Team.Gather(fmt.Sprintf("clients of the vectors of class %d", c), bytesOf(head), problem)
	if err != nil {
		return nil, nil, err
	}
	of, vectors := make([][]int, len(all)), make([]int, len(s.Counts)) // clients by process, number of vectors by client
	for r, raw := range all {
		x := make([]float64, len(raw)/8)
		copy(bytesOf(x), raw)
		if f := int(x[0]); s.f == 0 {
			s.f = f
		} else if f != 0 && f != s.f {
			return nil, nil, fmt.Errorf("class %d: the vectors of process %d have %d entries, but those of other processes have %d", c, r, f, s.f)
		}
		for _, i := range x[1:] {
			of[r] = append(of[r], int(i))
			vectors[int(i)]++
		}
	}
	var owner []int
	next := make([]int, len(vectors)) // row of the next vector of each client
	for i, p := range vectors {
		if (p > 0) != (s.Counts[i][c] > 0) {
			return nil, nil, fmt.Errorf("client %d: class %d has %d samples and %d principal vectors", i, c, s.Counts[i][c], p)
		}
		next[i] = len(owner)
		for range p {
			owner = append(owner, i)
		}
	}
	if len(owner) == 0 {
		return nil, nil, nil
	}
	stack := mat.NewDense(len(owner), s.f, nil)
	for from := 0; ; from += stackPart {
		part := func(of []int) []int { return of[min(from, len(of)):min(from+stackPart, len(of))] }
		more := false
		for _, clients := range of {
			more = more || len(part(clients)) > 0
		}
		if !more {
			return stack, owner, nil
		}
		var mine []byte
		if n := len(part(clients)); n > 0 {
			mine = bytesOf(own.RawMatrix().Data[from*s.f : (from+n)*s.f])
		}
		all, err := s.Team.Gather(fmt.Sprintf("vectors of class %d", c), mine, nil)
		if err != nil {
			return nil, nil, err
		}
		for r, raw := range all {
			if len(raw) != 8*s.f*len(part(of[r])) {
				return nil, nil, fmt.Errorf("class %d: process %d sent %d bytes for %d vectors", c, r, len(raw), len(part(of[r])))
			}
			for _, i := range part(of[r]) {
				raw = raw[copy(bytesOf(stack.RawRowView(next[i])), raw):]
				next[i]++
			}
		}
	}
}

// bring collects the rows of a matrix in process 0 and returns the matrix there. It returns nil in the other processes. The rows
// are freed.
func bring(rows triangle, share *bands) (*mat.SymDense, error) {
	var whole *mat.SymDense
	var into triangle
	if share.rank() == 0 {
		whole = mat.NewSymDense(len(rows), nil)
		into = triangleOf(whole)
	}
	err := share.stream("proximity", share.pairs, func(b int) []float64 {
		from, to := share.of(b)
		defer clear(rows[from:to])
		return slices.Concat(rows[from:to]...)
	}, func(b int, x []float64) {
		if into == nil {
			return
		}
		from, to := share.of(b)
		for _, row := range into[from:to] {
			x = x[copy(row, x):]
		}
	})
	return whole, err
}
