package feddag

import (
	"slices"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"
)

// Search implements [Reassigner]: phases 2 to 4 once more, from the sketches that the server has, with scales and α* of
// their own.
func (a *FedDAG) Search(env *federation.Env, _ int) error {
	if err := a.requireRoster("search"); err != nil {
		return err
	}
	return a.search(env, a.roster.Sketches)
}

// search clusters anew by sketches in the order of the roster. A new cluster goes on from the model that most of its
// training samples were under until now, and has its number if no other one has more samples from there.
func (a *FedDAG) search(env *federation.Env, sketches []similarity.Sketch) error {
	var all []*federation.Client // by place
	for _, id := range a.rosterIDs {
		all = append(all, env.Clients[id])
	}
	next, o := a.clone(), a.SketchOptions(env.Seed)
	if err := env.NotifySketches(all, sketches, o); err != nil {
		return err
	}
	var result *similarity.Result
	err := env.Stage("clustering", func() (err error) {
		if result, err = similarity.ClusterProgress(sketches, o, env.ClusteringProgress); err != nil {
			return err
		}
		next.roster, err = similarity.NewRoster(sketches, result, o)
		return err
	})
	if err != nil {
		return err
	}
	numbers, from := a.matchClusters(env, a.clientIDs(result.Clusters))
	clusters := make([][]int, max(len(a.clusters), slices.Max(numbers)+1))
	var copies torch.Vectors
	for k, z := range numbers {
		clusters[z] = result.Clusters[k]
		if z >= len(a.clusters) {
			both, err := torch.Vectors{a.states[from[k]], a.classifiers[from[k]]}.Clone()
			if err != nil {
				copies.Close()
				return err
			}
			copies = append(copies, both...)
			next.states, next.classifiers = append(next.states, both[0]), append(next.classifiers, both[1])
		}
	}
	next.roster.Clusters = clusters
	if err := a.commit(env, next, nil, all); err != nil {
		copies.Close()
		return err
	}
	return env.NotifyClustered(result)
}

// succession returns for each new cluster (of client ids) its number, and the old cluster that most of its training
// samples were in, the first of equal ones. Of the new clusters with one such origin, that with the most samples from
// there keeps its number, the first of equal ones; the others are numbered after the last old one, in their order.
func (a *FedDAG) matchClusters(env *federation.Env, clusters [][]int) (numbers, from []int) {
	heir := slices.Repeat([]int{-1}, len(a.clusters)) // of each old cluster, a new one
	most := make([]int, len(a.clusters))              // samples that the heir has from there
	for k, members := range clusters {
		shares := make([]int, len(a.clusters))
		for _, i := range members {
			shares[a.clusterOf[i]] += env.Clients[i].Size()
		}
		origin := slices.Index(shares, slices.Max(shares))
		from = append(from, origin)
		if shares[origin] > most[origin] {
			heir[origin], most[origin] = k, shares[origin]
		}
	}
	next := len(a.clusters)
	for k, origin := range from {
		if heir[origin] == k {
			numbers = append(numbers, origin)
		} else {
			numbers = append(numbers, next)
			next++
		}
	}
	return numbers, from
}
