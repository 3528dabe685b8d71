package similarity

import (
	"fmt"

	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// Values of Result.FoundBy, which says how the clusters were found.
const (
	FoundBySimilarity = "similarity" // the search in the proximity matrix A, phases 2 and 3 of the paper
	FoundByTest       = "test"       // the tests of package groups
)

// Features are what the clients send if tests find the clusters. Unlike a [Sketch] they have no principal vectors and no
// updates.
type Features struct {
	Shape    groups.Shape     // shape of the images
	Sketches []*groups.Sketch // by client
	Scatter  *mat.SymDense    // sum of the clients' scatter matrices, d x d
}

// ClassCounts implements [Sketches].
func (f *Features) ClassCounts() [][]int {
	counts := make([][]int, len(f.Sketches))
	for i, s := range f.Sketches {
		counts[i] = make([]int, len(s.Counts[0]))
		for h := range s.Counts {
			for c, n := range s.Counts[h] {
				counts[i][c] += n
			}
		}
	}
	return counts
}

// GroupOptions returns the options of the tests. They use only o.Seed.
func (o Options) GroupOptions() groups.Options {
	g := groups.DefaultOptions()
	g.Seed = o.Seed
	return g
}

// Cluster implements [Sketches]: the tests find the clusters, and the CC-graph is computed from the same sketches. It uses only
// the options Seed and TopK, and computes no matrix between clients.
func (f *Features) Cluster(o Options, progress Progress) (*Result, error) {
	r, err := f.cluster(o, progress)
	if err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	return r, nil
}

func (f *Features) cluster(o Options, progress Progress) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := progress.step("tests").tell(0, 2); err != nil {
		return nil, err
	}
	found, err := groups.Find(f.Sketches, f.Scatter, o.GroupOptions())
	if err != nil {
		return nil, err
	}
	if err := progress.step("CC-graph").tell(1, 2); err != nil {
		return nil, err
	}
	r := &Result{FoundBy: FoundByTest, Clusters: found.Clusters, Test: found}
	if r.Roster, err = groups.NewRoster(f.Shape, f.Sketches, f.Scatter, found, o.GroupOptions()); err != nil {
		return nil, err
	}
	r.Complementarity, r.Graph, err = r.Roster.CCGraph(o.TopK)
	return r, err
}

// Stability implements [Sketches]. The clients have sent sketches of two halves of their images, so there are two repetitions,
// each of which clusters by one half. It reads only the roster of the result.
func (f *Features) Stability(r *Result, _ Options, repeats int, progress Progress) (*Steadiness, error) {
	if repeats != groups.Halves {
		return nil, fmt.Errorf("stability: there are %d repetitions, but the clients have sent sketches of %d halves of their images: use %d", repeats, groups.Halves, groups.Halves)
	}
	if r.Roster == nil {
		return nil, fmt.Errorf("stability: the clusters were not found by tests")
	}
	if err := progress.step("stability").tell(0, 1); err != nil {
		return nil, err
	}
	s, err := r.Roster.Stability()
	if err != nil {
		return nil, fmt.Errorf("stability: %w", err)
	}
	return &Steadiness{ARI: s.Found[:], Count: s.Clusters[:], Clusters: s.Jaccard, Between: &s.ARI}, nil
}
