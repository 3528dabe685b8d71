package similarity

import (
	"feddag/similarity/agreement"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// Roster is the state of a clustering that the server keeps, so that clients can join (algorithm 4), leave and change (appendix
// A.9) without another search. All scales remain those of the search: the range of the weights of eq. 5, the ranges of G and V
// from which G^ and V^ are scaled, and α*. A value outside a range counts as the end of the range. So no entry between two other
// clients changes, and no other client moves.
//
// A cluster never changes its number, even if its last client leaves; new clusters come after the last one. Clients are numbered
// 0..N-1. A method that returns an error has changed nothing.
type Roster struct {
	Sketches []Sketch
	Clusters [][]int   // members of each cluster, ascending; empty for a cluster that all clients have left
	Gates    []float64 // w, N

	Gradient, Data             *mat.SymDense // G and V, N x N, degrees
	GradientScaled, DataScaled *mat.SymDense // G^ and V^, N x N, 0..1
	Proximity                  *mat.SymDense // A, N x N, 0..1

	Threshold float64 // α* for newcomers (onScale); 0 for spectral clustering, which uses the smallest mean A
	Changes   int     // number of clients that have joined or changed since the search; if it is large, search again

	options                Options
	weights                *Weights
	gradientEnds, dataEnds ends
	angles                 []*HeldAngles
	share                  []float64 // share of each client in the mean distances of its cluster: 1/|C_z|, except for weighted linkage
}

// NewRoster returns a roster with the result of Cluster for these sketches and options. Later changes do not affect result.
func NewRoster(sketches []Sketch, result *Result, o Options) (*Roster, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	m, err := split(sketches)
	if err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	n := len(sketches)
	if result.Proximity == nil || result.Proximity.SymmetricDim() != n || len(result.ClassAngles) != len(m.counts[0]) {
		return nil, fmt.Errorf("roster: the %d sketches do not match the clustering", n)
	}
	if err := checkPartition(result.Clusters, n); err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	r := &Roster{
		Sketches: slices.Clone(sketches), Gates: slices.Clone(result.Gates),
		Gradient: result.Gradient, Data: result.Data,
		GradientScaled: result.GradientScaled, DataScaled: result.DataScaled, Proximity: result.Proximity,
		Threshold: result.Threshold, options: o, angles: result.ClassAngles,
		gradientEnds: endsOf(result.Gradient), dataEnds: endsOf(result.Data), share: make([]float64, n),
	}
	for _, members := range result.Clusters {
		r.Clusters = append(r.Clusters, slices.Clone(members))
		for _, i := range members {
			r.share[i] = 1 / float64(len(members))
		}
	}
	if o.Method == "linkage" && o.Linkage == "weighted" {
		r.share = result.Dendrogram.shares(n - len(result.Clusters))
	}
	if o.Method == "linkage" && o.Linkage == "ward" && !strings.HasPrefix(o.Choose, "fixed") {
		r.Threshold = r.onScale(result.Dendrogram)
	}
	r.weights, err = NewWeights(m.counts, o)
	return r, err
}

// onScale returns the α* for newcomers under Ward's linkage. Ward's heights grow with the sizes of the merging clusters. The next
// merge is of two large clusters, so halfway between the last and the next merge is above any distance of a single client, and
// an outlier would join whatever cluster is nearest. Every α from the last merge up to the next one gives the same clusters.
// Among these, onScale returns the α that is closest to
//
//	halfway between the largest distance of a client to the rest of its own cluster and the smallest to another cluster
//
// Both are distances of one client, like those of a newcomer. If there is one cluster, every newcomer joins it.
func (r *Roster) onScale(tree *Dendrogram) float64 {
	n := len(r.Sketches)
	if len(r.Clusters) == 1 {
		return math.Inf(1)
	}
	labels := agreement.Labels(r.Clusters, n)
	sums := make([][]float64, n) // Σ_j A_ij^2 over the clients j of each cluster
	for i := range sums {
		sums[i] = make([]float64, len(r.Clusters))
	}
	inner := make([]float64, len(r.Clusters)) // Σ_{j<k} A_jk^2 within each cluster
	for i := range n {
		for k, x := range upper(r.Proximity, i) {
			j := i + 1 + k
			sums[i][labels[j]] += x * x
			sums[j][labels[i]] += x * x
			if labels[i] == labels[j] {
				inner[labels[i]] += x * x
			}
		}
	}
	own, other := 0.0, math.Inf(1)
	for i, z := range labels {
		for y, members := range r.Clusters {
			switch size := float64(len(members)); {
			case y != z:
				other = min(other, wardDistance(size, sums[i][y], inner[y]))
			case size > 1:
				own = max(own, wardDistance(size-1, sums[i][y], inner[y]-sums[i][y]))
			}
		}
	}
	last := h0(tree.Heights(), n-len(r.Clusters)-1)
	return min(max((own+other)/2, last), r.Threshold)
}

// shares returns the share of each client in the distances of its cluster after m merges of weighted linkage. In every merge
// both sides have the weight 1/2.
func (t *Dendrogram) shares(m int) []float64 {
	share := make([]float64, t.N+m)
	for k := range share {
		share[k] = 1
	}
	for k := m - 1; k >= 0; k-- {
		share[t.Merges[k].A], share[t.Merges[k].B] = share[t.N+k]/2, share[t.N+k]/2
	}
	return share[:t.N]
}

// Add adds newcomers (algorithm 4) and returns the numbers of their clusters. Afterwards they are the clients N, N+1, ...
//
// In eq. 7 a pair uses the gate of the smaller number, so the gate of the last client would have no effect. A newcomer comes
// last, but algorithm 4 learns its gate. Here the pairs of a newcomer with all earlier clients use the newcomer's gate. A pair
// of two newcomers uses the gate of the smaller number, as in eq. 7. The newcomers' gates minimise the entropy of eq. 8 by the
// direct solver, starting from 1/2, even if the search used the network, whose size depends on N. With fixed:x they are x, and
// with shared they are the gate of the other clients.
//
// Then follows one pass of the linkage with α*, in which no two old clusters merge. A newcomer joins the nearest cluster or
// newcomer that is within α*, and newcomers without such a neighbour form new clusters. Under Ward's linkage, α* is on the
// scale of single clients (onScale); an α that was given by fixed:α is not changed.
func (r *Roster) Add(newcomers []Sketch) ([]int, error) {
	if len(newcomers) == 0 {
		return nil, nil
	}
	n := len(r.Sketches)
	next := r.resized(n+len(newcomers), func(i int) int { return i })
	next.Sketches = slices.Concat(r.Sketches, newcomers)
	movers := make([]int, len(newcomers))
	for k := range movers {
		movers[k] = n + k
	}
	placed, err := next.settle(movers)
	if err != nil {
		return nil, fmt.Errorf("newcomers: %w", err)
	}
	*r = *next
	return placed, nil
}

// Replace replaces the sketches of some clients (ascending), for example after a shift of their data (appendix A.9), and returns
// the numbers of their clusters. Their rows of G^, V^ and A are computed again, with new gates, and the clients are assigned
// like newcomers, in one pass. Replacing all clients is an error, because no client would be left to compare with.
func (r *Roster) Replace(clients []int, sketches []Sketch) ([]int, error) {
	n := len(r.Sketches)
	if len(clients) == 0 && len(sketches) == 0 {
		return nil, nil
	}
	if len(clients) != len(sketches) {
		return nil, fmt.Errorf("shifted clients: there are %d sketches for %d clients", len(sketches), len(clients))
	}
	if len(clients) >= n {
		return nil, fmt.Errorf("shifted clients: all %d clients are replaced: at least one must stay unchanged", n)
	}
	next := r.resized(n, func(i int) int { return i })
	next.Sketches = slices.Clone(r.Sketches)
	gone := map[int]bool{}
	for k, i := range clients {
		if i < 0 || i >= n {
			return nil, fmt.Errorf("shifted clients: client %d is unknown: the clients are 0..%d", i, n-1)
		}
		if k > 0 && i <= clients[k-1] {
			return nil, fmt.Errorf("shifted clients: client %d follows client %d: they must be in ascending order", i, clients[k-1])
		}
		next.Sketches[i], gone[i] = sketches[k], true
	}
	next.leave(gone)
	placed, err := next.settle(clients)
	if err != nil {
		return nil, fmt.Errorf("shifted clients: %w", err)
	}
	*r = *next
	return placed, nil
}

// Remove removes clients. The others keep their order and their clusters, and are renumbered from 0. At least one client must
// stay.
func (r *Roster) Remove(clients ...int) error {
	n := len(r.Sketches)
	gone := map[int]bool{}
	for _, i := range clients {
		if i < 0 || i >= n {
			return fmt.Errorf("removal: client %d is unknown: the clients are 0..%d", i, n-1)
		}
		gone[i] = true
	}
	if len(gone) == n {
		return fmt.Errorf("removal: client %d is the last one: at least one must stay", clients[0])
	}
	var stay []int // old numbers of the clients that stay
	number := make([]int, n)
	for i := range n {
		number[i] = len(stay)
		if !gone[i] {
			stay = append(stay, i)
		}
	}
	next := r.resized(n, func(i int) int { return i })
	next.leave(gone)
	for z, members := range next.Clusters {
		for k, i := range members {
			next.Clusters[z][k] = number[i]
		}
	}
	clusters, share := next.Clusters, next.share
	next = r.resized(len(stay), func(i int) int { return stay[i] })
	next.Clusters, next.Sketches = clusters, nil
	for k, i := range stay {
		next.share[k] = share[i]
		next.Sketches = append(next.Sketches, r.Sketches[i])
	}
	*r = *next
	return nil
}

// CCGraph returns H (Z x Z) and the CC-graph of the present clusters (eq. 11-14). A cluster that all clients have left has no
// edges, and its scores are -inf.
func (r *Roster) CCGraph() (*mat.Dense, [][]int, error) {
	m, err := split(r.Sketches)
	if err != nil {
		return nil, nil, err
	}
	var clusters [][]int
	var number []int // number of each non-empty cluster
	for z, members := range r.Clusters {
		if len(members) > 0 {
			clusters, number = append(clusters, members), append(number, z)
		}
	}
	h, graph, err := CCGraph(m.counts, r.angles, clusters, r.options.TopK, r.options.Alignment)
	if err != nil {
		return nil, nil, err
	}
	all := mat.NewDense(len(r.Clusters), len(r.Clusters), nil)
	for k := range all.RawMatrix().Data {
		all.RawMatrix().Data[k] = math.Inf(-1)
	}
	sources := make([][]int, len(r.Clusters))
	for p, z := range number {
		for q, y := range number {
			all.Set(z, y, h.At(p, q))
		}
		for _, q := range graph[p] {
			sources[z] = append(sources[z], number[q])
		}
	}
	return all, sources, nil
}

// resized returns a copy for n clients. Client i is the old client from(i), or a new client if from(i) is N or more.
func (r *Roster) resized(n int, from func(int) int) *Roster {
	old := len(r.Sketches)
	c := *r
	c.Clusters = make([][]int, len(r.Clusters))
	for z, members := range r.Clusters {
		c.Clusters[z] = slices.Clone(members)
	}
	c.Gates, c.share = make([]float64, n), make([]float64, n)
	for _, m := range []**mat.SymDense{&c.Gradient, &c.Data, &c.GradientScaled, &c.DataScaled, &c.Proximity} {
		resized := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i + 1; j < n; j++ {
				if from(i) < old && from(j) < old {
					resized.SetSym(i, j, (*m).At(from(i), from(j)))
				}
			}
		}
		*m = resized
	}
	weights := *r.weights
	weights.size = make([][]float64, n)
	for i := range n {
		if k := from(i); k < old {
			c.Gates[i], c.share[i], weights.size[i] = r.Gates[k], r.share[k], r.weights.size[k]
		}
	}
	c.weights = &weights
	c.angles = make([]*HeldAngles, len(r.angles))
	for k, h := range r.angles {
		var owner []int
		for i := range n {
			if j := from(i); j < old && h.place[j] >= 0 {
				owner = append(owner, i)
			}
		}
		c.angles[k] = newHeldAngles(owner, n, h.missing)
		c.angles[k].fill(func(i, j int) float64 { return h.At(from(i), from(j)) })
		c.angles[k].shrink()
	}
	return &c
}

// leave removes clients from their clusters.
func (r *Roster) leave(gone map[int]bool) {
	for z, members := range r.Clusters {
		r.Clusters[z] = slices.DeleteFunc(members, func(i int) bool { return gone[i] })
		total := 0.0
		for _, i := range r.Clusters[z] {
			total += r.share[i]
		}
		for _, i := range r.Clusters[z] {
			r.share[i] /= total
		}
	}
}

// ends are the smallest and the largest off-diagonal entry of G or V.
type ends struct{ least, most float64 }

func endsOf(m *mat.SymDense) ends {
	e := ends{math.Inf(1), math.Inf(-1)}
	for i := range m.SymmetricDim() {
		for _, x := range upper(m, i) {
			e.least, e.most = min(e.least, x), max(e.most, x)
		}
	}
	return e
}

// scaled scales another entry like MinMax. It returns 0 if all entries were equal.
func (e ends) scaled(x float64) float64 {
	if !(e.most-e.least > 1e-9) {
		return 0
	}
	return min(max((x-e.least)/(e.most-e.least), 0), 1)
}
