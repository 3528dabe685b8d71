package similarity

import (
	"fmt"
	"runtime"

	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// Sketch is what one client sends, once (section 3, phase 1).
type Sketch struct {
	Counts []int        // n_i,c, samples of each class; length C
	Bases  []*mat.Dense // U_c^i, F x p, orthonormal columns; nil where the class is absent; length C
	Update []float64    // Δ~_i, the k kept coordinates of the warm-up update
}

// Result is everything that phases 2 to 4 computed, for N clients, C classes and Z clusters. Of clusters that tests found it has
// FoundBy, Clusters, Test, Roster, Complementarity and Graph.
type Result struct {
	FoundBy string // FoundBySimilarity or FoundByTest; empty for the clusters of another method

	Gradient, Data             *mat.SymDense // G and V (weighted mean over the classes), N x N, degrees
	GradientScaled, DataScaled *mat.SymDense // G^ and V^, N x N, 0..1
	ClassAngles                []*HeldAngles // V'_c of each class between the N clients, degrees

	Gates                       []float64 // w, N, 0..1: 1 is gradient only
	EntropyBefore, EntropyAfter float64   // mean over the rows of softmax(A), nats
	Proximity                   *mat.SymDense

	Dendrogram  *Dendrogram // nil for spectral
	Eigenvalues []float64   // nil for linkage
	Candidates  []Candidate // from few clusters to many
	Threshold   float64     // α* of the chosen cut; 0 for spectral
	Clusters    [][]int     // by first member, members ascending

	Test   *groups.Result // what the tests found; nil if the clusters are not theirs
	Roster *groups.Roster // the clusters that tests found, with all that describes them and their clients; nil as above

	Complementarity *mat.Dense // H, Z x Z, -inf on the diagonal
	Graph           [][]int    // Graph[p]: the sources of learner p, by falling H
}

// Cluster runs phases 2 to 4 on the clients' sketches: angles (eq. 3-6), fusion (eq. 7, 8), the search for the clusters
// (eq. 9, 10; o.Concepts may make it coarser) and the CC-graph (eq. 11-14).
//
// All sketches need the same number of classes and of kept coordinates. A client without samples is allowed: it is at
// 90 degrees (data) from every client in the classes that one holds, and at 0 from other such clients. One client gives
// one cluster and an empty graph. Every error names the client (and class) or the option at fault. progress hears how far the
// clustering is and can end it; it may be nil.
func Cluster(sketches []Sketch, o Options, progress Progress) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	source, err := split(sketches)
	if err == nil {
		var r *Result
		if r, err = clusterSource(source, o, progress); err == nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("clustering: %w", err)
}

// source is where the clients' sketches come from: from memory, or a class at a time from a file.
type source interface {
	allCounts() [][]int
	allUpdates() [][]float64
	// stack returns all clients' vectors of class c as rows (P_c x F; nil where nobody holds it) and each row's client,
	// ascending. The next call may overwrite them.
	stack(c int) (*mat.Dense, []int, error)
}

// clusterSource runs phases 2 to 4.
func clusterSource(from source, o Options, progress Progress) (*Result, error) {
	counts := from.allCounts()
	r := &Result{FoundBy: FoundBySimilarity}
	var err error
	if r.Gradient, err = gradientAngles(from.allUpdates(), progress.step("gradient angles")); err != nil {
		return nil, err
	}
	weights, err := NewWeights(counts, o)
	if err != nil {
		return nil, err
	}
	if r.Data, r.ClassAngles, err = dataAngles(from, weights, o, progress.step("class angles")); err != nil {
		return nil, err
	}
	if r.GradientScaled, err = MinMax(r.Gradient); err != nil {
		return nil, err
	}
	if r.DataScaled, err = MinMax(r.Data); err != nil {
		return nil, err
	}
	gates, err := learnGates(r.GradientScaled, r.DataScaled, o, progress.step("gates"))
	if err != nil {
		return nil, err
	}
	r.Gates, r.EntropyBefore, r.EntropyAfter = gates.W, gates.Before, gates.After
	if r.Proximity, err = Fuse(r.GradientScaled, r.DataScaled, r.Gates); err != nil {
		return nil, err
	}
	choice, err := search(r.Proximity, r.ClassAngles, o, progress)
	if err != nil {
		return nil, err
	}
	r.Dendrogram, r.Eigenvalues, r.Candidates = choice.Dendrogram, choice.Eigenvalues, choice.Candidates
	r.Threshold, r.Clusters = choice.Threshold, choice.Clusters
	r.Complementarity, r.Graph, err = CCGraph(counts, r.ClassAngles, r.Clusters, o.TopK, o.Alignment)
	return r, err
}

// dataAngles returns V and V'_c, a class's vectors in memory at a time.
func dataAngles(from source, w *Weights, o Options, tell teller) (*mat.SymDense, []*HeldAngles, error) {
	counts := from.allCounts()
	n, classes := len(counts), len(counts[0])
	v := mat.NewSymDense(n, nil)
	angles := make([]*HeldAngles, classes)
	for c := range classes {
		if err := tell.tell(100*c, 100*classes); err != nil {
			return nil, nil, err
		}
		stack, owner, err := from.stack(c)
		if err != nil {
			return nil, nil, err
		}
		angles[c], err = classAngles(stack, owner, n, o, func(done, total int) error {
			return tell.tell(c*total+done, classes*total)
		})
		if err != nil {
			return nil, nil, err
		}
		addClass(v, angles[c], w, c, o)
		angles[c].shrink()
		if angles[c].narrow != nil { // what it was made from is large: better free before the next class than after it
			runtime.GC()
		}
	}
	return v, angles, nil
}

// memory is sketches as a source.
type memory struct {
	counts  [][]int
	bases   [][]*mat.Dense
	updates [][]float64
	f       int
}

func (m *memory) allCounts() [][]int      { return m.counts }
func (m *memory) allUpdates() [][]float64 { return m.updates }

func (m *memory) stack(c int) (*mat.Dense, []int, error) { return stackBases(m.bases, c, &m.f) }

// split checks the sketches against each other and takes them apart.
func split(sketches []Sketch) (*memory, error) {
	m := new(memory)
	if len(sketches) == 0 {
		return nil, fmt.Errorf("no client given")
	}
	classes := len(sketches[0].Counts)
	if classes == 0 {
		return nil, fmt.Errorf("client 0: counts for no class")
	}
	for i, s := range sketches {
		if len(s.Counts) != classes || len(s.Bases) != classes {
			return nil, fmt.Errorf("client %d: %d counts and %d bases for %d classes: need one of each per class", i, len(s.Counts), len(s.Bases), classes)
		}
		for c, n := range s.Counts {
			switch {
			case n < 0:
				return nil, fmt.Errorf("client %d: class %d has %d samples", i, c, n)
			case n > 0 && s.Bases[c] == nil:
				return nil, fmt.Errorf("client %d: class %d has %d samples but no principal vectors: send at least one", i, c, n)
			case n == 0 && s.Bases[c] != nil:
				return nil, fmt.Errorf("client %d: class %d has no sample but principal vectors: send nil", i, c)
			}
		}
		m.counts, m.bases, m.updates = append(m.counts, s.Counts), append(m.bases, s.Bases), append(m.updates, s.Update)
	}
	return m, nil
}
