package feddag

import (
	"slices"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"
)

// Cluster implements [federation.Clusterer]: phases 1 to 4.
func (a *FedDAG) Cluster(env *federation.Env) (*similarity.Result, error) {
	result, _, err := a.cluster(env)
	return result, err
}

// cluster runs phases 1 to 4 on the present clients. It sets the clusters and the CC-graph, and the roster if the clients
// may change during the run. It returns what was clustered, and the warm-up of the present clients.
func (a *FedDAG) cluster(env *federation.Env) (*similarity.Result, *warmUpResult, error) {
	if err := a.notifyInitial(env); err != nil {
		return nil, nil, err
	}
	clients := env.Present()
	found, err := a.findGroups(env, clients)
	if err != nil {
		return nil, nil, err
	}
	warm, sketches, err := a.sketchClients(env, clients)
	if err != nil {
		return nil, nil, err
	}
	o := a.SketchOptions(env.Seed)
	if err := env.NotifySketches(clients, sketches, o); err != nil {
		return nil, nil, err
	}
	var result *similarity.Result
	err = env.Stage(federation.ClusteringStage, func() (err error) {
		if found != nil {
			result, err = similarity.ClusterByTest(sketches, found, o, env.ClusteringProgress)
		} else {
			result, err = similarity.Cluster(sketches, o, env.ClusteringProgress)
		}
		if err != nil {
			return err
		}
		a.rosterIDs = nil
		for _, c := range clients {
			a.rosterIDs = append(a.rosterIDs, c.ID)
		}
		if env.ClientsMayChange() {
			if a.roster, err = similarity.NewRoster(sketches, result, o); err != nil {
				return err
			}
		}
		scores := edgeScores(result.Complementarity, result.Graph)
		return a.setClustering(len(env.Clients), a.clientIDs(result.Clusters), result.Graph, scores)
	})
	if err != nil {
		return nil, nil, err
	}
	return result, warm, env.NotifyClustered(result)
}

// sketchClients runs phase 1 for some clients. It returns their warm-up and the sketches that they send, both in the order
// of the clients.
func (a *FedDAG) sketchClients(env *federation.Env, clients []*federation.Client) (warm *warmUpResult, sketches []similarity.Sketch, err error) {
	err = env.Stage(federation.WarmUpStage, func() (err error) {
		warm, err = a.warmUp(env, clients)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = env.Stage(federation.ClusteringStage, func() (err error) {
		sketches, err = a.makeSketches(env, clients, warm.updates)
		return err
	})
	return warm, sketches, err
}

// SketchOptions implements [federation.SketchClusterer]: the options of phases 2 to 4.
func (a *FedDAG) SketchOptions(seed uint64) similarity.Options {
	o := a.Clustering
	o.Seed = seed
	return o
}

// clientIDs returns clusters of places in the roster as clusters of client ids, each in ascending order.
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

// notifyInitial hands θ^0 and the random secondary encoder to the observers. Another program needs them to start alike.
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
