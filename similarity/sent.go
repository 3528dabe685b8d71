package similarity

import "fmt"

// Sketches are the data that the clients of a clustering have sent: [Vectors], from which the paper's similarity finds the
// clusters, or [Features], from which tests find them. The clients are numbered from 0.
type Sketches interface {
	// ClassCounts returns n_i,c, N x C.
	ClassCounts() [][]int
	// Cluster finds the clusters and the CC-graph. progress may be nil.
	Cluster(o Options, progress Progress) (*Result, error)
	// Stability clusters again, repeats times, each time with a random half of the data that the clients sent, and compares
	// with r, the result of Cluster with the same options.
	Stability(r *Result, o Options, repeats int, progress Progress) (*Steadiness, error)
}

// SketchArchive is an open file or folder of sketches.
type SketchArchive interface {
	Sketches
	FoundBy() string // the method that finds clusters from such sketches, FoundBySimilarity or FoundByTest
	Groups() []int   // the true group of each client; nil if the groups are unknown
	Close() error
}

// Vectors are the sketches of the paper, by client.
type Vectors []Sketch

// ClassCounts implements [Sketches].
func (v Vectors) ClassCounts() [][]int {
	counts := make([][]int, len(v))
	for i, s := range v {
		counts[i] = s.Counts
	}
	return counts
}

// Cluster implements [Sketches], see [Cluster].
func (v Vectors) Cluster(o Options, progress Progress) (*Result, error) {
	return Cluster(v, o, progress)
}

// Stability implements [Sketches], with random halves of the mask's coordinates: see [Stability].
func (v Vectors) Stability(r *Result, o Options, repeats int, progress Progress) (*Steadiness, error) {
	updates := make([][]float64, len(v))
	for i, s := range v {
		updates[i] = s.Update
	}
	return Stability(updates, r, o, 0.5, repeats, progress)
}

// Write writes sketches of either kind to a folder or a .npz file, see [WriteSketches] and [WriteFeatures].
func Write(path string, s Sketches, trueGroups []int) error {
	switch s := s.(type) {
	case Vectors:
		return WriteSketches(path, s, trueGroups)
	case *Features:
		return WriteFeatures(path, s, trueGroups)
	}
	return fmt.Errorf("writing sketches to %s: the type %T cannot be written", path, s)
}
