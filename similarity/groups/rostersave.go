package groups

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// rosterVersion is the version of the encoding of Save. ReadRoster reads only this version.
const rosterVersion = 1

// savedRoster is a Roster as slices for encoding/gob, which keeps every bit of a float64.
type savedRoster struct {
	Version           int
	Shape             Shape
	Classes, Features int
	Counts            [][Halves][]int
	Means             [][Halves][]float64 // C x d by rows; a class without images is zero
	Scatter           []float64           // d x d by rows, the entries on and above the diagonal, like Metric and Noise
	Freedom           float64
	Metric, Noise     []float64
	Clusters          [][]int
	LabelOf           []int
	Changes           int
}

// Save encodes the roster except its options, so that ReadRoster restores it bit for bit.
func (r *Roster) Save() ([]byte, error) {
	classes, d := r.Sketches[0].Means[0].Dims()
	s := savedRoster{
		Version: rosterVersion, Shape: r.Shape, Classes: classes, Features: d, Freedom: r.freedom,
		Scatter: Upper(r.Scatter), Metric: Upper(triangle(r.metric.u)), Noise: Upper(r.metric.noise),
		Clusters: r.Clusters, LabelOf: r.labelOf, Changes: r.Changes,
	}
	for _, sketch := range r.Sketches {
		var means [Halves][]float64
		for h := range Halves {
			means[h] = make([]float64, classes*d)
			for c, n := range sketch.Counts[h] {
				if n > 0 {
					copy(means[h][c*d:], sketch.Means[h].RawRowView(c))
				}
			}
		}
		s.Counts, s.Means = append(s.Counts, sketch.Counts), append(s.Means, means)
	}
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(s); err != nil {
		return nil, fmt.Errorf("saving the roster: %w", err)
	}
	return b.Bytes(), nil
}

// ReadRoster returns the roster that Save encoded. The options must be the options of that roster.
func ReadRoster(raw []byte, o Options) (*Roster, error) {
	r, err := readRoster(raw, o)
	if err != nil {
		return nil, fmt.Errorf("reading the roster: %w", err)
	}
	return r, nil
}

func readRoster(raw []byte, o Options) (*Roster, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	var s savedRoster
	if err := gob.NewDecoder(bytes.NewReader(raw)).Decode(&s); err != nil {
		return nil, err
	}
	const most = 1 << 20 // largest number of classes or features, so that products do not overflow
	n, classes, d := len(s.Counts), s.Classes, s.Features
	switch {
	case s.Version != rosterVersion:
		return nil, fmt.Errorf("it has version %d, but this program reads version %d: start the run again", s.Version, rosterVersion)
	case n == 0 || len(s.Means) != n || classes < 1 || classes > most || d < 1 || d > most:
		return nil, fmt.Errorf("there are counts for %d clients, means for %d, %d classes and %d features: the saved values are incomplete", n, len(s.Means), classes, d)
	case len(s.LabelOf) != len(s.Clusters):
		return nil, fmt.Errorf("there are label clusters for %d clusters, but there are %d clusters", len(s.LabelOf), len(s.Clusters))
	case !(s.Freedom >= 0) || math.IsInf(s.Freedom, 0):
		return nil, fmt.Errorf("the scatter matrix has %g degrees of freedom", s.Freedom)
	}
	r := &Roster{Shape: s.Shape, Clusters: s.Clusters, Changes: s.Changes, options: o, freedom: s.Freedom, labelOf: s.LabelOf}
	for i := range n {
		sketch := &Sketch{Counts: s.Counts[i]}
		for h, means := range s.Means[i] {
			if len(means) != classes*d {
				return nil, fmt.Errorf("client %d: half %d has %d values, but it needs %d classes x %d features", i, h, len(means), classes, d)
			}
			sketch.Means[h] = mat.NewDense(classes, d, means)
		}
		r.Sketches = append(r.Sketches, sketch)
	}
	triangles := [3]*mat.SymDense{}
	for k, x := range [][]float64{s.Scatter, s.Metric, s.Noise} {
		var err error
		if triangles[k], err = Symmetric(x, d); err != nil {
			return nil, fmt.Errorf("the %s: %w", []string{"scatter", "metric", "noise"}[k], err)
		}
	}
	for f := range d {
		if !(triangles[1].At(f, f) > 0) {
			return nil, fmt.Errorf("the metric is %g for feature %d: it must be positive", triangles[1].At(f, f), f)
		}
	}
	u := mat.NewTriDense(d, mat.Upper, nil)
	for f := range d {
		for g := f; g < d; g++ {
			u.SetTri(f, g, triangles[1].At(f, g))
		}
	}
	r.Scatter, r.metric = triangles[0], &whitening{u: u.RawTriangular(), noise: triangles[2]}
	if c, _, err := checkSketches(r.Sketches, r.Scatter); err != nil {
		return nil, err
	} else if c != classes {
		return nil, fmt.Errorf("the sketches have %d classes, but the roster has %d", c, classes)
	}
	if err := checkShape(r.Shape, d); err != nil {
		return nil, err
	}
	return r, checkMembers(r.Clusters, n)
}

// Upper returns the entries of a square matrix on and above the diagonal, by rows.
func Upper(m mat.Matrix) []float64 {
	d, _ := m.Dims()
	x := make([]float64, 0, d*(d+1)/2)
	for f := range d {
		for g := f; g < d; g++ {
			x = append(x, m.At(f, g))
		}
	}
	return x
}

// Symmetric returns the symmetric matrix from which Upper returned x.
func Symmetric(x []float64, d int) (*mat.SymDense, error) {
	if len(x) != d*(d+1)/2 {
		return nil, fmt.Errorf("there are %d values for %d features, but %d are needed", len(x), d, d*(d+1)/2)
	}
	m, at := mat.NewSymDense(d, nil), 0
	for f := range d {
		for g := f; g < d; g++ {
			if math.IsNaN(x[at]) || math.IsInf(x[at], 0) {
				return nil, fmt.Errorf("it has the entry %g for features %d and %d", x[at], f, g)
			}
			m.SetSym(f, g, x[at])
			at++
		}
	}
	return m, nil
}

// triangle returns U as a matrix.
func triangle(u blas64.Triangular) *mat.TriDense {
	t := mat.NewTriDense(u.N, mat.Upper, nil)
	for f := range u.N {
		for g := f; g < u.N; g++ {
			t.SetTri(f, g, u.Data[f*u.Stride+g])
		}
	}
	return t
}
