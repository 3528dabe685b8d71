package feddag

import (
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
	"feddag/torch"
)

// Cluster implements [federation.Clusterer]: phases 1 to 4.
func (a *FedDAG) Cluster(env *federation.Env) (*similarity.Result, error) {
	if a.trainsToCluster() {
		if err := a.notifyInitial(env); err != nil {
			return nil, err
		}
	}
	result, _, err := a.cluster(env)
	return result, err
}

// cluster runs phases 1 to 4 on the present clients. It sets the clusters and the CC-graph, and the roster if the clients
// may change during the run. It returns the result of the clustering and the warm-up of the present clients. The warm-up is
// nil if the clustering does not need it.
func (a *FedDAG) cluster(env *federation.Env) (*similarity.Result, *warmUpResult, error) {
	clients := env.Present()
	warm, sketches, err := a.sketchClients(env, clients)
	if err != nil {
		return nil, nil, err
	}
	o := a.SketchOptions(env.Seed)
	if sketches != nil {
		if err := env.NotifySketches(clients, sketches, o); err != nil {
			return nil, nil, err
		}
	}
	var result *similarity.Result
	err = env.Stage(federation.ClusteringStage, func() (err error) {
		if result, err = a.clusterOnce(env, sketches, o); err != nil {
			return err
		}
		a.sharing = result.Sharing
		a.rosterIDs = nil
		for _, c := range clients {
			a.rosterIDs = append(a.rosterIDs, c.ID)
		}
		if env.ClientsMayChange() {
			if a.roster, err = newRoster(sketches, result, o); err != nil {
				return err
			}
		}
		scores := edgeScores(result.Complementarity, result.Graph)
		if err := a.setClustering(len(env.Clients), a.clientIDs(result.Clusters), result.Graph, scores); err != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return result, warm, env.NotifyClustered(result)
}

// sketchClients runs phase 1 for some clients. It returns the sketches that they send, and their warm-up if the sketches come
// from it, both in the order of the clients. In a run of several processes whose clients do not change, only the leading process
// has the features, and with many clients each process has the principal vectors of some of them.
func (a *FedDAG) sketchClients(env *federation.Env, clients []*federation.Client) (warm *warmUpResult, sketches similarity.Sketches, err error) {
	if a.ClustersBy == ClustersByTest {
		err = env.Stage(federation.ClusteringStage, func() error {
			sketch := algorithm.FeatureSketches
			if !env.ClientsMayChange() {
				sketch = algorithm.LeadFeatureSketches
			}
			features, err := sketch(env, clients)
			if features != nil {
				sketches = features
			}
			return err
		})
		if err != nil {
			return nil, nil, fmt.Errorf("--feddag-clustering %s: %w", ClustersByTest, err)
		}
		return nil, sketches, nil
	}
	err = env.Stage(federation.WarmUpStage, func() (err error) {
		warm, err = a.warmUp(env, clients)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = env.Stage(federation.ClusteringStage, func() error {
		if env.Peers != nil && !env.ClientsMayChange() && len(clients) > similarity.BandRows {
			shared, err := a.shareSketches(env, clients, warm.updates)
			sketches = shared
			return err
		}
		vectors, err := a.makeSketches(env, clients, warm.updates)
		sketches = similarity.Vectors(vectors)
		return err
	})
	return warm, sketches, err
}

// clusterOnce runs phases 2 to 4 on sketches, and decides which clusters share parts of their networks. In a run of several
// processes, only one process does it, or all of them share the work of comparing many clients. Then the others get the clusters, the
// CC-graph and what the clusters share, which is all that a run needs whose clients stay the same.
func (a *FedDAG) clusterOnce(env *federation.Env, sketches similarity.Sketches, o similarity.Options) (result *similarity.Result, err error) {
	setSharing := func() {
		result.Sharing = a.extend(similarity.Sharing{}, result.Clusters, sketches, result.Roster)
	}
	if env.ClientsMayChange() {
		if result, err = sketches.Cluster(o, env.ClusteringProgress); err == nil {
			setSharing()
		}
		return result, err
	}
	do := func() error {
		result, err = sketches.Cluster(o, env.ClusteringProgress)
		return err
	}
	if shared, ok := sketches.(*similarity.Shared); ok {
		var problem error
		if result, problem = shared.Cluster(o, env.ClusteringProgress); problem != nil && !env.Leads() {
			return nil, problem
		}
		do = func() error { return problem }
	}
	err = env.Once("the clusters", func() ([]byte, error) {
		if err := do(); err != nil {
			return nil, err
		}
		setSharing()
		if env.Peers == nil {
			return nil, nil
		}
		return packClusters(result)
	}, func(raw []byte) (err error) {
		result, err = unpackClusters(raw)
		return err
	})
	return result, err
}

// SketchOptions implements [federation.SketchClusterer]: the options of phases 2 to 4.
func (a *FedDAG) SketchOptions(seed uint64) similarity.Options {
	o := a.Clustering
	o.Seed = seed
	return o
}

// clientIDs converts clusters of positions in the roster to clusters of client ids, each in ascending order.
func (a *FedDAG) clientIDs(clusters [][]int) [][]int {
	byID := make([][]int, len(clusters))
	for z, places := range clusters {
		for _, k := range places {
			byID[z] = append(byID[z], a.rosterIDs[k])
		}
		slices.Sort(byID[z])
	}
	return byID
}

// notifyInitial passes θ^0 and the random secondary encoder to the observers. Another program needs them to start from the same
// weights.
func (a *FedDAG) notifyInitial(env *federation.Env) error {
	single, err := env.Net(false)
	if err != nil {
		return err
	}
	tensors := federation.TensorsOf(single, env.InitialState(single), torch.All)
	if a.dual() {
		net, err := env.Net(true)
		if err != nil {
			return err
		}
		tensors = append(tensors, federation.TensorsOf(net, randomSecondary(env, net), torch.Secondary)...)
	}
	return env.NotifyWeights("initial", tensors)
}
