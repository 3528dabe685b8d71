package groups

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Roster is the state of a clustering that the server keeps, so that clients can join, leave and change without another search.
// The metric remains that of the search, so no other client moves. A cluster never changes its number, even if its last client
// leaves; new clusters come after the last one. Clients are numbered 0..N-1.
//
// A method that returns an error has changed nothing. A Roster is not safe for concurrent use.
type Roster struct {
	Shape    Shape     // shape of the images; zero if unknown
	Sketches []*Sketch // N
	// Scatter is the sum of the scatter matrices of all sketches so far, d x d. Clients that leave are not subtracted, see
	// ScatterNow.
	Scatter  *mat.SymDense
	Clusters [][]int // members of each cluster, ascending; empty for a cluster that all clients have left
	Changes  int     // number of clients that have joined or changed since the search; if it is large, search again

	options Options
	metric  *whitening
	freedom float64 // degrees of freedom of Scatter: the number of images of all sketches so far minus the number of class means
	labelOf []int   // label cluster of each cluster
	cached  *finder // the clients' means in the metric; nil after a change
}

// NewRoster returns a roster with the result of Find for these sketches and options. shape is the shape of the images; the zero
// Shape is not checked.
func NewRoster(shape Shape, sketches []*Sketch, scatter mat.Symmetric, found *Result, o Options) (*Roster, error) {
	r, err := newRoster(shape, sketches, scatter, found, o)
	if err != nil {
		return nil, fmt.Errorf("roster: %w", err)
	}
	return r, nil
}

func newRoster(shape Shape, sketches []*Sketch, scatter mat.Symmetric, found *Result, o Options) (*Roster, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	classes, d, err := checkSketches(sketches, scatter)
	if err != nil {
		return nil, err
	}
	if err := checkShape(shape, d); err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("no clusters were found")
	}
	r := &Roster{Shape: shape, Sketches: slices.Clone(sketches), Scatter: mat.NewSymDense(d, nil), options: o}
	r.Scatter.CopySym(scatter)
	r.freedom = freedomOf(sketches)
	for _, members := range found.Clusters {
		r.Clusters = append(r.Clusters, slices.Clone(members))
	}
	if err := checkMembers(r.Clusters, len(sketches)); err != nil {
		return nil, err
	}
	label := map[int]int{} // label cluster of each client that has one
	for z, members := range found.LabelClusters {
		for _, i := range members {
			label[i] = z
		}
	}
	for _, members := range r.Clusters {
		z := 0
		for _, i := range members {
			if l, ok := label[i]; ok {
				z = l
				break
			}
		}
		r.labelOf = append(r.labelOf, z)
	}
	f := newFinder(sketches, sequence(len(sketches)), classes, d, scatter, o)
	if r.metric, err = newWhitening(f.allMeans(), scatter, r.Clusters); err != nil {
		return nil, err
	}
	return r, nil
}

// Clone returns a copy that can change without changing r. The two share the sketches, which are never modified.
func (r *Roster) Clone() *Roster {
	c := *r
	c.Sketches, c.labelOf, c.cached = slices.Clone(r.Sketches), slices.Clone(r.labelOf), nil
	c.Scatter = mat.NewSymDense(r.Scatter.SymmetricDim(), nil)
	c.Scatter.CopySym(r.Scatter)
	c.Clusters = make([][]int, len(r.Clusters))
	for z, members := range r.Clusters {
		c.Clusters[z] = slices.Clone(members)
	}
	return &c
}

// with returns a clone with the sketches of newcomers, which are in no cluster yet, and the newcomers' numbers.
func (r *Roster) with(newcomers []*Sketch) (next *Roster, movers []int) {
	next = r.Clone()
	for _, s := range newcomers {
		movers = append(movers, len(next.Sketches))
		next.Sketches = append(next.Sketches, s)
	}
	return next, movers
}

// Replace replaces the sketches of some clients (ascending), for example after a change of their data, and assigns them to
// clusters like newcomers. scatter is the sum of the scatter matrices of the new sketches, or nil if the clients sent none. It is
// an error to replace all clients, because no client would be left to compare with; call Find instead.
func (r *Roster) Replace(clients []int, sketches []*Sketch, scatter mat.Symmetric) ([]Assignment, error) {
	if len(clients) == 0 && len(sketches) == 0 {
		return nil, nil
	}
	err := r.checkClients(clients, true)
	switch {
	case err != nil:
	case len(clients) != len(sketches):
		err = fmt.Errorf("there are %d sketches for %d clients", len(sketches), len(clients))
	case len(clients) == len(r.Sketches):
		err = fmt.Errorf("all %d clients changed: at least one must stay unchanged; otherwise search again", len(clients))
	default:
		if err = r.checkNewcomers(sketches); err == nil {
			err = r.checkScatter(scatter)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("changed clients: %w", err)
	}
	next := r.Clone()
	for k, i := range clients {
		next.Sketches[i] = sketches[k]
	}
	next.takeOut(clients)
	return r.take(next, clients, sketches, scatter), nil
}

// take settles the movers of next, a changed clone, and replaces r with it.
func (r *Roster) take(next *Roster, movers []int, sketches []*Sketch, scatter mat.Symmetric) []Assignment {
	placed := next.settle(movers)
	if scatter != nil {
		next.Scatter.AddSym(next.Scatter, scatter)
		next.freedom += freedomOf(sketches)
	}
	next.Changes += len(movers)
	*r = *next
	return placed
}

// Remove removes clients. The others keep their order and their clusters, and are renumbered from 0. At least one client must
// stay.
func (r *Roster) Remove(clients ...int) error {
	clients = slices.Clone(clients)
	slices.Sort(clients)
	clients = slices.Compact(clients)
	if err := r.checkClients(clients, false); err != nil {
		return fmt.Errorf("removal: %w", err)
	}
	if len(clients) == len(r.Sketches) {
		return fmt.Errorf("removal: all %d clients are removed: at least one must stay", len(clients))
	}
	next := r.Clone()
	next.takeOut(clients)
	number := make([]int, len(r.Sketches))
	next.Sketches = nil
	for i, s := range r.Sketches {
		number[i] = len(next.Sketches)
		if _, gone := slices.BinarySearch(clients, i); !gone {
			next.Sketches = append(next.Sketches, s)
		}
	}
	for _, members := range next.Clusters {
		for k, i := range members {
			members[k] = number[i]
		}
	}
	*r = *next
	return nil
}

// ScatterNow returns an estimate of the scatter matrix of the present clients: Scatter in proportion to their degrees of freedom,
// which is the number of images minus the number of class means.
func (r *Roster) ScatterNow() *mat.SymDense {
	s := mat.NewSymDense(r.Scatter.SymmetricDim(), nil)
	s.CopySym(r.Scatter)
	if now := freedomOf(r.Sketches); now != r.freedom {
		s.ScaleSym(now/max(r.freedom, 1), s)
	}
	return s
}

// finder returns the clients' class means in the metric, and the other data that the tests of the search need.
func (r *Roster) finder() *finder {
	if r.cached == nil {
		r.cached = r.finderOf(r.Sketches)
	}
	return r.cached
}

// finderOf returns the class means of some sketches in the metric of the roster.
func (r *Roster) finderOf(sketches []*Sketch) *finder {
	classes, d := r.Sketches[0].Means[0].Dims()
	f := newFinder(sketches, sequence(len(sketches)), classes, d, r.Scatter, r.options)
	f.metric = r.metric
	f.enter(f.allMeans())
	return f
}

// takeOut removes clients, ascending, from their clusters.
func (r *Roster) takeOut(clients []int) {
	for z, members := range r.Clusters {
		r.Clusters[z] = slices.DeleteFunc(members, func(i int) bool {
			_, gone := slices.BinarySearch(clients, i)
			return gone
		})
	}
}

// largest returns the number of the largest cluster, or the first of several such clusters.
func (r *Roster) largest() int {
	most := 0
	for z, members := range r.Clusters {
		if len(members) > len(r.Clusters[most]) {
			most = z
		}
	}
	return most
}

// freedomOf returns the degrees of freedom of the scatter matrix of some clients: the number of images minus the number of class
// means.
func freedomOf(sketches []*Sketch) float64 {
	free := 0
	for _, s := range sketches {
		for c := range s.Counts[0] {
			free += max(s.Counts[0][c]+s.Counts[1][c]-1, 0)
		}
	}
	return float64(free)
}
