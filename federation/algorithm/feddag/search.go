package feddag

import (
	"slices"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"
)

// Search implements [federation.Reassigner]. It runs phases 2 to 4 again on the sketches that the server has, with new
// scales and a new α*.
func (a *FedDAG) Search(env *federation.Env, _ int) error {
	if err := a.requireRoster("new search for the clusters"); err != nil {
		return err
	}
	return a.search(env, a.roster.sketches())
}

// search runs phases 2 to 4 on sketches in the order of the roster. A new cluster starts from the model of the old cluster
// that had most of its training samples, and may keep its number, see matchClusters.
func (a *FedDAG) search(env *federation.Env, sketches similarity.Sketches) error {
	var all []*federation.Client // in the order of the roster
	for _, id := range a.rosterIDs {
		all = append(all, env.Clients[id])
	}
	next, o := a.clone(), a.SketchOptions(env.Seed)
	if err := env.NotifySketches(all, sketches, o); err != nil {
		return err
	}
	var result *similarity.Result
	err := env.Stage(federation.ClusteringStage, func() (err error) {
		if result, err = sketches.Cluster(o, env.ClusteringProgress); err != nil {
			return err
		}
		next.roster, err = newRoster(sketches, result, o)
		return err
	})
	if err != nil {
		return err
	}
	numbers, origins := a.matchClusters(env, a.clientIDs(result.Clusters))
	var copies torch.Vectors
	for k, z := range numbers {
		if z < len(a.clusters) {
			continue // it keeps the model of its origin
		}
		model, err := torch.Vectors{a.states[origins[k]], a.classifiers[origins[k]]}.Clone()
		if err != nil {
			copies.Close()
			return err
		}
		copies = append(copies, model...)
		next.states, next.classifiers = append(next.states, model[0]), append(next.classifiers, model[1])
		if next.serverStates != nil {
			next.serverStates = append(next.serverStates, a.serverStates[origins[k]])
		}
	}
	if err := next.roster.renumber(numbers, max(len(a.clusters), slices.Max(numbers)+1)); err != nil {
		copies.Close()
		return err
	}
	if err := a.commit(env, next, nil, all); err != nil {
		copies.Close()
		return err
	}
	result.Sharing = sharingIn(a.sharing, numbers)
	return env.NotifyClustered(result)
}

// sharingIn returns the lists of a sharing with the numbers of the clusters in a new search. numbers has the run's number of each of
// these clusters. Every cluster that has members is among them.
func sharingIn(s similarity.Sharing, numbers []int) similarity.Sharing {
	convert := func(lists [][]int) [][]int {
		converted := make([][]int, len(lists))
		for i, list := range lists {
			for _, z := range list {
				converted[i] = append(converted[i], slices.Index(numbers, z))
			}
			slices.Sort(converted[i])
		}
		slices.SortFunc(converted, slices.Compare[[]int])
		return converted
	}
	return similarity.Sharing{FirstLayers: convert(s.FirstLayers), Encoders: convert(s.Encoders), Heads: convert(s.Heads)}
}

// matchClusters returns the number and the origin of each new cluster, given as a list of client ids. The origin is the old
// cluster that had most of the new cluster's training samples, or the first of several such clusters. Among the new clusters
// with the same origin, the one with the most samples from it keeps its number, or the first of several such clusters. The
// others are numbered after the last old cluster, in their order.
func (a *FedDAG) matchClusters(env *federation.Env, clusters [][]int) (numbers, origins []int) {
	successor := slices.Repeat([]int{-1}, len(a.clusters)) // the new cluster that keeps each old cluster's number
	most := make([]int, len(a.clusters))                   // training samples that the successor has from each old cluster
	for k, members := range clusters {
		samples := make([]int, len(a.clusters)) // number of samples of the new cluster, by old cluster
		for _, i := range members {
			samples[a.clusterOf[i]] += env.Clients[i].Size()
		}
		origin := slices.Index(samples, slices.Max(samples))
		origins = append(origins, origin)
		if samples[origin] > most[origin] {
			successor[origin], most[origin] = k, samples[origin]
		}
	}
	next := len(a.clusters)
	for k, origin := range origins {
		if successor[origin] == k {
			numbers = append(numbers, origin)
		} else {
			numbers = append(numbers, next)
			next++
		}
	}
	return numbers, origins
}
