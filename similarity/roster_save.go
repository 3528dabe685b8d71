package similarity

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// savedRoster is a Roster as slices for encoding/gob, which keeps every bit of a float64.
type savedRoster struct {
	Pixels    int // F
	Counts    [][]int
	Bases     [][][]float64 // for each client and class, F x p by rows; empty if the client lacks the class
	Updates   [][]float64
	Clusters  [][]int
	Gates     []float64
	Share     []float64
	Matrices  [5][]float64 // G, V, G^, V^, A: the entries above the diagonal
	Threshold float64
	Changes   int

	WeightSize                [][]float64
	WeightRange, WeightScale  [2]float64
	GradientRange, AngleRange [2]float64
	Missing                   []float64 // V'_c
	Holders                   [][]int32
	WideAngles                [][]float64
	NarrowAngles              [][]float32
}

// matrices returns pointers to the matrices of the roster, in the order of savedRoster.
func (r *Roster) matrices() [5]**mat.SymDense {
	return [5]**mat.SymDense{&r.Gradient, &r.Data, &r.GradientScaled, &r.DataScaled, &r.Proximity}
}

// Save encodes the roster except its options, so that ReadRoster restores it bit for bit.
func (r *Roster) Save() ([]byte, error) {
	s := savedRoster{
		Clusters: r.Clusters, Gates: r.Gates, Share: r.share, Threshold: r.Threshold, Changes: r.Changes,
		WeightSize: r.weights.size, WeightRange: [2]float64{r.weights.least, r.weights.most},
		WeightScale:   [2]float64{r.weights.bottom, r.weights.width},
		GradientRange: [2]float64{r.gradientEnds.least, r.gradientEnds.most},
		AngleRange:    [2]float64{r.dataEnds.least, r.dataEnds.most},
	}
	for _, sketch := range r.Sketches {
		bases := make([][]float64, len(sketch.Bases))
		for c, b := range sketch.Bases {
			if b != nil {
				s.Pixels, _ = b.Dims()
				bases[c] = mat.DenseCopyOf(b).RawMatrix().Data
			}
		}
		s.Counts, s.Bases, s.Updates = append(s.Counts, sketch.Counts), append(s.Bases, bases), append(s.Updates, sketch.Update)
	}
	for k, m := range r.matrices() {
		for i := range (*m).SymmetricDim() {
			s.Matrices[k] = append(s.Matrices[k], upper(*m, i)...)
		}
	}
	for _, h := range r.angles {
		s.Missing, s.Holders = append(s.Missing, h.missing), append(s.Holders, h.holders)
		s.WideAngles, s.NarrowAngles = append(s.WideAngles, h.wide), append(s.NarrowAngles, h.narrow)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	return b.Bytes(), nil
}

// ReadRoster returns the roster that Save encoded. The options must be the options of that roster.
func ReadRoster(raw []byte, o Options) (*Roster, error) {
	var s savedRoster
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&s); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	n := len(s.Counts)
	if n == 0 || len(s.Bases) != n || len(s.Updates) != n || len(s.Gates) != n || len(s.Share) != n || len(s.WeightSize) != n {
		return nil, fmt.Errorf("roster: the saved values of %d clients are incomplete", n)
	}
	r := &Roster{
		Clusters: s.Clusters, Gates: s.Gates, share: s.Share, Threshold: s.Threshold, Changes: s.Changes, options: o,
		weights: &Weights{
			size: s.WeightSize, least: s.WeightRange[0], most: s.WeightRange[1],
			bottom: s.WeightScale[0], width: s.WeightScale[1],
		},
		gradientEnds: ends{s.GradientRange[0], s.GradientRange[1]}, dataEnds: ends{s.AngleRange[0], s.AngleRange[1]},
	}
	for z := range r.Clusters {
		if r.Clusters[z] == nil {
			r.Clusters[z] = []int{}
		}
	}
	classes := len(s.Counts[0])
	for i := range n {
		sketch := Sketch{Counts: s.Counts[i], Bases: make([]*mat.Dense, classes), Update: s.Updates[i]}
		if len(sketch.Counts) != classes || len(s.Bases[i]) != classes {
			return nil, fmt.Errorf("roster: client %d: the saved values do not have %d classes", i, classes)
		}
		for c, b := range s.Bases[i] {
			if len(b) == 0 {
				continue
			}
			if s.Pixels < 1 || len(b)%s.Pixels != 0 {
				return nil, fmt.Errorf("roster: client %d, class %d: there are %d values, which is not a multiple of %d", i, c, len(b), s.Pixels)
			}
			sketch.Bases[c] = mat.NewDense(s.Pixels, len(b)/s.Pixels, b)
		}
		r.Sketches = append(r.Sketches, sketch)
	}
	for k, m := range r.matrices() {
		if len(s.Matrices[k]) != n*(n-1)/2 {
			return nil, fmt.Errorf("roster: a matrix has %d entries for %d clients", len(s.Matrices[k]), n)
		}
		*m = mat.NewSymDense(n, nil)
		at := 0
		for i := range n {
			at += copy(upper(*m, i), s.Matrices[k][at:])
		}
	}
	if len(s.Missing) != classes || len(s.Holders) != classes || len(s.WideAngles) != classes || len(s.NarrowAngles) != classes {
		return nil, fmt.Errorf("roster: the saved angles do not have %d classes", classes)
	}
	for c := range classes {
		owner := make([]int, len(s.Holders[c]))
		for k, i := range s.Holders[c] {
			if owner[k] = int(i); owner[k] < 0 || owner[k] >= n {
				return nil, fmt.Errorf("roster: class %d is held by client %d of %d", c, i, n)
			}
		}
		h := newHeldAngles(owner, n, s.Missing[c])
		if wide, narrow := s.WideAngles[c], s.NarrowAngles[c]; len(wide) == len(h.wide) {
			copy(h.wide, wide)
		} else if len(narrow) == len(h.wide) {
			h.wide, h.narrow = nil, narrow
		} else {
			return nil, fmt.Errorf("roster: class %d has %d angles for %d holders", c, len(wide)+len(narrow), len(h.holders))
		}
		r.angles = append(r.angles, h)
	}
	if err := checkPartition(slices.DeleteFunc(slices.Clone(r.Clusters), func(m []int) bool { return len(m) == 0 }), n); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	return r, nil
}
