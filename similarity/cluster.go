package similarity

import (
	"fmt"
	"runtime"

	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// Sketch is the data that a client sends, once (section 3, phase 1).
type Sketch struct {
	Counts []int        // n_i,c, number of samples of each class; length C
	Bases  []*mat.Dense // U_c^i, F x p, orthonormal columns; nil if the client lacks the class; length C
	Update []float64    // Δ~_i, the k kept coordinates of the warm-up update
}

// Result is the result of phases 2 to 4, for N clients, C classes and Z clusters. If tests found the clusters, it has only
// FoundBy, Clusters, Test, Roster, Complementarity and Graph.
type Result struct {
	FoundBy string // FoundBySimilarity or FoundByTest; empty if another method found the clusters

	Gradient, Data             *mat.SymDense // G and V (weighted mean over the classes), N x N, degrees
	GradientScaled, DataScaled *mat.SymDense // G^ and V^, N x N, 0..1
	ClassAngles                []*HeldAngles // V'_c between the N clients for each class, degrees

	Gates                       []float64 // w, N, 0..1; 1 is gradient only
	EntropyBefore, EntropyAfter float64   // mean over the rows of softmax(A), nats
	Proximity                   *mat.SymDense

	Dendrogram  *Dendrogram // nil for spectral
	Eigenvalues []float64   // nil for linkage
	Candidates  []Candidate // in ascending order of the number of clusters
	Rule        string      // rule that chose one of the candidates: Options.Choose
	Threshold   float64     // α* of the chosen cut; 0 for spectral
	Clusters    [][]int     // in the order of their first members; members are ascending

	Test   *groups.Result // result of the tests; nil if another method found the clusters
	Roster *groups.Roster // clusters that tests found, with the sketches of their clients; nil if another method found the clusters

	Complementarity *mat.Dense // H, Z x Z, -inf on the diagonal
	Graph           [][]int    // Graph[p]: the sources of learner p, by falling H

	Sharing Sharing // clusters that train parts of their networks together, which the caller decides
}

// Sharing lists, for each part of a cluster's network, the clusters that train this part together. Lists are ascending. A cluster
// that is in no list of a part trains the part alone.
type Sharing struct {
	FirstLayers [][]int // first layer of the primary encoder
	Encoders    [][]int // the other layers of the primary encoder
	Heads       [][]int
}

// Cluster runs phases 2 to 4 on the clients' sketches: angles (eq. 3-6), fusion (eq. 7, 8), the search for the clusters
// (eq. 9, 10; with o.Concepts it may merge some of them) and the CC-graph (eq. 11-14).
//
// All sketches must have the same number of classes and of kept coordinates. A client without samples is allowed. Its data
// angle to another client is 90 degrees in the classes that the other client holds, and 0 to a client that has no samples
// either. One client gives one cluster and an empty graph. Every error names the client (and class) or the option that caused
// it. progress receives the progress of the clustering and can end it; it may be nil.
func Cluster(sketches []Sketch, o Options, progress Progress) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("clustering: %w", err)
	}
	source, err := split(sketches)
	if err == nil {
		var r *Result
		if r, err = clusterSource(source, nil, o, progress); err == nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("clustering: %w", err)
}

// source provides the clients' sketches, from memory, from a file that is read one class at a time, or from several processes.
type source interface {
	allCounts() [][]int
	// gradients sets the rows of g that this process has to the rows of G, see [GradientAngles].
	gradients(share *bands, g triangle, tell teller) error
	// stack returns the vectors of all clients in class c as rows (P_c x F; nil if no client holds it), and the client of
	// each row, ascending. The next call may overwrite them.
	stack(c int) (*mat.Dense, []int, error)
}

// clusterSource runs phases 2 to 4. Several processes compute the angles, the gates and A together; each computes its own rows.
// Only process 0 gets the result, without G, V, G^ and V^, because no process has all rows of these.
func clusterSource(from source, team Team, o Options, progress Progress) (*Result, error) {
	counts := from.allCounts()
	r := &Result{FoundBy: FoundBySimilarity}
	share := newBands(team, len(counts))
	matrix := func(m **mat.SymDense) triangle {
		*m = mat.NewSymDense(len(counts), nil)
		return triangleOf(*m)
	}
	var g, v, a triangle
	var scaled scaledAngles
	if team == nil {
		g, v = matrix(&r.Gradient), matrix(&r.Data)
		scaled = scaledAngles{matrix(&r.GradientScaled), matrix(&r.DataScaled), share}
	} else {
		g, v = newTriangle(share), newTriangle(share)
		scaled, a = scaledAngles{g, v, share}, v
	}
	if err := from.gradients(share, g, progress.step("gradient angles")); err != nil {
		return nil, err
	}
	weights, err := NewWeights(counts, o)
	if err != nil {
		return nil, err
	}
	if r.ClassAngles, err = dataAngles(from, weights, o, team, v, progress.step("class angles")); err != nil {
		return nil, err
	}
	if err := minMax(g, scaled.g, share); err != nil {
		return nil, err
	}
	if err := minMax(v, scaled.v, share); err != nil {
		return nil, err
	}
	gates, err := learnGates(&scaled, o, progress.step("gates"))
	if err != nil {
		return nil, err
	}
	r.Gates, r.EntropyBefore, r.EntropyAfter = gates.W, gates.Before, gates.After
	if team == nil {
		a = matrix(&r.Proximity)
	}
	if err := fuse(scaled.g, scaled.v, a, r.Gates); err != nil {
		return nil, err
	}
	if team != nil {
		g, scaled.g = nil, nil // to free its memory
		if r.Proximity, err = bring(a, share); err != nil || team.Rank() > 0 {
			return nil, err
		}
		runtime.GC() // frees the rows before the linkage copies A
	}
	choice, err := search(r.Proximity, r.ClassAngles, o, progress)
	if err != nil {
		return nil, err
	}
	r.Dendrogram, r.Eigenvalues, r.Candidates = choice.Dendrogram, choice.Eigenvalues, choice.Candidates
	r.Rule, r.Threshold, r.Clusters = o.Choose, choice.Threshold, choice.Clusters
	r.Complementarity, r.Graph, err = CCGraph(counts, r.ClassAngles, r.Clusters, o.TopK, o.Alignment)
	return r, err
}

// dataAngles adds V to the rows of v that this process has, and returns V'_c. In a team, only process 0 keeps V'_c. Only the
// vectors of one class are in memory at a time.
func dataAngles(from source, w *Weights, o Options, team Team, v triangle, tell teller) ([]*HeldAngles, error) {
	n, classes := len(v), len(from.allCounts()[0])
	angles := make([]*HeldAngles, classes)
	for c := range classes {
		if err := tell.tell(100*c, 100*classes); err != nil {
			return nil, err
		}
		stack, owner, err := from.stack(c)
		if err != nil {
			return nil, err
		}
		held, err := classAngles(stack, owner, n, o, team, func(done, total int) error {
			return tell.tell(c*total+done, classes*total)
		})
		if err != nil {
			return nil, err
		}
		addClass(v, held, w, c, o)
		large := len(held.holders) > narrowHolders
		if team == nil || team.Rank() == 0 {
			held.shrink()
			angles[c] = held
		}
		if large { // to free its float64 angles before the next class
			runtime.GC()
		}
	}
	return angles, nil
}

// memory is a source of sketches that are in memory.
type memory struct {
	counts  [][]int
	bases   [][]*mat.Dense
	updates [][]float64
	f       int
}

func (m *memory) allCounts() [][]int { return m.counts }
func (m *memory) gradients(share *bands, g triangle, tell teller) error {
	return gradientAngles(m.updates, share, g, tell)
}

func (m *memory) stack(c int) (*mat.Dense, []int, error) { return stackBases(m.bases, c, &m.f) }

// split checks that the sketches fit together, and separates their parts.
func split(sketches []Sketch) (*memory, error) {
	m := new(memory)
	if len(sketches) == 0 {
		return nil, fmt.Errorf("there are no clients")
	}
	classes := len(sketches[0].Counts)
	if classes == 0 {
		return nil, fmt.Errorf("client 0 has no class counts")
	}
	for i, s := range sketches {
		if len(s.Counts) != classes || len(s.Bases) != classes {
			return nil, fmt.Errorf("client %d has %d counts and %d bases for %d classes: it needs one of each per class", i, len(s.Counts), len(s.Bases), classes)
		}
		for c, n := range s.Counts {
			switch {
			case n < 0:
				return nil, fmt.Errorf("client %d: class %d has %d samples", i, c, n)
			case n > 0 && s.Bases[c] == nil:
				return nil, fmt.Errorf("client %d: class %d has %d samples but no principal vectors: send at least one", i, c, n)
			case n == 0 && s.Bases[c] != nil:
				return nil, fmt.Errorf("client %d: class %d has principal vectors but no samples: send nil", i, c)
			}
		}
		m.counts, m.bases, m.updates = append(m.counts, s.Counts), append(m.bases, s.Bases), append(m.updates, s.Update)
	}
	return m, nil
}
