package similarity

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Sketch is what one client sends, once (section 3, phase 1).
type Sketch struct {
	Counts []int        // n_i,c, samples of each class; length C
	Bases  []*mat.Dense // U_c^i, F x p, orthonormal columns; nil where the class is absent; length C
	Update []float64    // Δ~_i, the k kept coordinates of the warm-up update
}

// Result is everything that phases 2 to 4 computed, for N clients, C classes and Z clusters.
type Result struct {
	Gradient, Data             *mat.SymDense   // G and V (weighted mean over the classes), N x N, degrees
	GradientScaled, DataScaled *mat.SymDense   // G^ and V^, N x N, 0..1
	ClassAngles                []*mat.SymDense // V'_c, C matrices N x N, degrees

	Gates                       []float64 // w, N, 0..1: 1 is gradient only
	EntropyBefore, EntropyAfter float64   // mean over the rows of softmax(A), nats
	Proximity                   *mat.SymDense

	Dendrogram  *Dendrogram // nil for spectral
	Eigenvalues []float64   // nil for linkage
	Candidates  []Candidate // from few clusters to many
	Threshold   float64     // α* of the chosen cut; 0 for spectral
	Clusters    [][]int     // by first member, members ascending

	Complementarity *mat.Dense // H, Z x Z, -inf on the diagonal
	Graph           [][]int    // Graph[p]: the sources of learner p, by falling H
}

// Cluster runs phases 2 to 4 on the clients' sketches: angles (eq. 3-6), fusion (eq. 7, 8), the search for the clusters
// (eq. 9, 10) and the CC-graph (eq. 11-14).
//
// All sketches need the same number of classes and of kept coordinates. A client without samples is allowed: it is at
// 90 degrees (data) from every client in the classes that one holds, and at 0 from other such clients. One client gives
// one cluster and an empty graph. Every error names the client (and class) or the option at fault.
func Cluster(sketches []Sketch, o Options) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	r, err := cluster(sketches, o)
	if err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	return r, nil
}

func cluster(sketches []Sketch, o Options) (*Result, error) {
	counts, bases, updates, err := split(sketches)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	if r.Gradient, err = GradientAngles(updates); err != nil {
		return nil, err
	}
	if r.ClassAngles, err = ClassAngles(bases, o); err != nil {
		return nil, err
	}
	weights, err := NewWeights(counts, o)
	if err != nil {
		return nil, err
	}
	if r.Data, err = DataAngles(r.ClassAngles, weights, o); err != nil {
		return nil, err
	}
	if r.GradientScaled, err = MinMax(r.Gradient); err != nil {
		return nil, err
	}
	if r.DataScaled, err = MinMax(r.Data); err != nil {
		return nil, err
	}
	gates, err := LearnGates(r.GradientScaled, r.DataScaled, o)
	if err != nil {
		return nil, err
	}
	r.Gates, r.EntropyBefore, r.EntropyAfter = gates.W, gates.Before, gates.After
	if r.Proximity, err = Fuse(r.GradientScaled, r.DataScaled, r.Gates); err != nil {
		return nil, err
	}
	choice, err := Search(r.Proximity, o)
	if err != nil {
		return nil, err
	}
	r.Dendrogram, r.Eigenvalues, r.Candidates = choice.Dendrogram, choice.Eigenvalues, choice.Candidates
	r.Threshold, r.Clusters = choice.Threshold, choice.Clusters
	r.Complementarity, r.Graph, err = CCGraph(counts, r.ClassAngles, r.Clusters, o.TopK, o.Alignment)
	return r, err
}

// split checks the sketches against each other and takes them apart.
func split(sketches []Sketch) (counts [][]int, bases [][]*mat.Dense, updates [][]float64, err error) {
	if len(sketches) == 0 {
		return nil, nil, nil, fmt.Errorf("no client given")
	}
	classes := len(sketches[0].Counts)
	if classes == 0 {
		return nil, nil, nil, fmt.Errorf("client 0: counts for no class")
	}
	for i, s := range sketches {
		if len(s.Counts) != classes || len(s.Bases) != classes {
			return nil, nil, nil, fmt.Errorf("client %d: %d counts and %d bases for %d classes: need one of each per class", i, len(s.Counts), len(s.Bases), classes)
		}
		for c, n := range s.Counts {
			switch {
			case n < 0:
				return nil, nil, nil, fmt.Errorf("client %d: class %d has %d samples", i, c, n)
			case n > 0 && s.Bases[c] == nil:
				return nil, nil, nil, fmt.Errorf("client %d: class %d has %d samples but no principal vectors: send at least one", i, c, n)
			case n == 0 && s.Bases[c] != nil:
				return nil, nil, nil, fmt.Errorf("client %d: class %d has no sample but principal vectors: send nil", i, c)
			}
		}
		counts, bases, updates = append(counts, s.Counts), append(bases, s.Bases), append(updates, s.Update)
	}
	return counts, bases, updates, nil
}
