package pacfl

import (
	"fmt"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"

	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/mat"
)

func init() {
	federation.Register("pacfl", "clusters by the smallest angle between the clients' principal vectors, FedAvg in each", func() federation.Algorithm {
		return &PACFL{Vectors: "3", Linkage: "weighted", Choose: "count:5"}
	})
}

// PACFL clusters once, before the rounds, by the principal angles between client data subspaces (Vahidian et al., AAAI
// 2023). A client sends the first p left singular vectors of the raw images of each of its labels, side by side: U_i.
//
//	A_ij = min over columns u of U_i, v of U_j of arccos|u.v|  in degrees, A_ii = 0
//
// Agglomerative clustering of A gives the clusters; all start at θ^0 and average within. The sign of a singular vector is
// arbitrary, so the absolute value stands here where the authors' code has none.
//
// p = 3 and the linkage (the authors' "average" is the plain mean of two rows, WPGMA) are of the authors' two-label script
// (github.com/MMorafah/PACFL, scripts/pacfl.sh), which cuts at 4.9 degrees: --pacfl-choose=fixed:4.9. That threshold
// depends on the data set and on p; the default takes the threshold that gives 5 clusters, the number of groups of the
// paper's label skew.
type PACFL struct {
	algorithm.ClusterBank
	Vectors string // p, of each label: a count, or a fraction of its samples
	Linkage string // of similarity.LinkageNames
	Choose  string // of similarity.ChoiceNames

	threshold float64 // of the cut, degrees
}

// Flags implements [Flagger].
func (a *PACFL) Flags(fs *pflag.FlagSet) {
	fs.StringVar(&a.Vectors, "pacfl-vectors", a.Vectors, "p, principal vectors of each label: a count (3) or a fraction of its samples (0.01)")
	fs.StringVar(&a.Linkage, "pacfl-linkage", a.Linkage, "linkage: weighted (the authors' average), average, complete, single")
	fs.StringVar(&a.Choose, "pacfl-choose", a.Choose, "which cut: count:Z (clusters), fixed:α (degrees), silhouette, ratio, bend")
}

// Validate implements [Validator].
func (a *PACFL) Validate() error {
	if _, err := similarity.ParseCount(a.Vectors); err != nil {
		return fmt.Errorf("--pacfl-vectors: %w", err)
	}
	if err := a.options().Validate(); err != nil {
		return fmt.Errorf("--pacfl-...: %w", err)
	}
	return nil
}

func (a *PACFL) options() similarity.Options {
	o := similarity.DefaultOptions()
	o.Linkage, o.Choose = a.Linkage, a.Choose
	return o
}

// Cluster implements [Clusterer].
func (a *PACFL) Cluster(env *federation.Env) (*similarity.Result, error) {
	clients := env.Present()
	var r *similarity.Result
	err := env.Stage("clustering", func() error {
		angles, sketches, err := a.angles(env, clients)
		if err != nil {
			return err
		}
		for i, c := range clients {
			algorithm.BookVectors(env, c, &sketches[i])
		}
		if err := env.NotifySketches(clients, sketches, a.options()); err != nil {
			return err
		}
		choice, err := similarity.Search(angles, a.options())
		if err != nil {
			return err
		}
		r = &similarity.Result{
			Data: angles, Proximity: angles, Dendrogram: choice.Dendrogram, Candidates: choice.Candidates,
			Threshold: choice.Threshold, Clusters: choice.Clusters,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.threshold = r.Threshold
	switch n := len(r.Clusters); {
	case n == 1:
		env.Warn("pacfl: --pacfl-choose %s gives one cluster: this is FedAvg", a.Choose)
	case n == len(clients):
		env.Warn("pacfl: --pacfl-choose %s gives a cluster for every client: nobody shares anything", a.Choose)
	}
	return r, env.NotifyClustered(r)
}

// angles returns A and what it comes from.
func (a *PACFL) angles(env *federation.Env, clients []*federation.Client) (*mat.SymDense, []similarity.Sketch, error) {
	p, err := similarity.ParseCount(a.Vectors)
	if err != nil {
		return nil, nil, err
	}
	sketches, err := algorithm.Subspaces(env, clients, p, 0)
	if err != nil {
		return nil, nil, err
	}
	bases := make([][]*mat.Dense, len(clients)) // of one class: all labels' vectors
	for i, s := range sketches {
		bases[i] = []*mat.Dense{sideBySide(s.Bases)}
	}
	held, err := similarity.ClassAngles(bases, a.options())
	if err != nil {
		return nil, nil, err
	}
	angles := mat.NewSymDense(len(clients), nil)
	for i := range clients {
		for j := range i {
			angles.SetSym(i, j, held[0].At(i, j))
		}
	}
	return angles, sketches, nil
}

// sideBySide joins a client's bases, F x p each or nil, to U_i.
func sideBySide(bases []*mat.Dense) *mat.Dense {
	var all *mat.Dense
	for _, b := range bases {
		switch {
		case b == nil:
		case all == nil:
			all = b
		default:
			var both mat.Dense
			both.Augment(all, b)
			all = &both
		}
	}
	return all
}

// Init implements [Algorithm].
func (a *PACFL) Init(env *federation.Env) error {
	r, err := a.Cluster(env)
	if err != nil {
		return err
	}
	of := map[*federation.Client]int{}
	for z, members := range r.Clusters {
		for _, k := range members {
			of[env.Present()[k]] = z
		}
	}
	return a.Begin(env, len(r.Clusters), func(c *federation.Client) int { return of[c] })
}
