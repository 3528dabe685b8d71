package feddag

import (
	"fmt"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity/groups"
)

// Values of FedDAG.ClustersBy. Their meanings are in clusterFinders.
const (
	ClustersBySimilarity = "similarity"
	ClustersByTest       = "test"
)

// findGroups returns the groups of the clients that tests of their feature sketches find, before any training. With
// ClustersBySimilarity it returns nil.
//
// The server keeps no feature sketches for later, so the clients of the run must not change.
func (a *FedDAG) findGroups(env *federation.Env, clients []*federation.Client) (found *groups.Result, err error) {
	if a.ClustersBy != ClustersByTest {
		return nil, nil
	}
	if env.ClientsMayChange() {
		return nil, fmt.Errorf("--feddag-clustering %s cannot assign clients that join, leave or change during the run: leave out --scenario and --holdout, or use --feddag-clustering %s",
			ClustersByTest, ClustersBySimilarity)
	}
	err = env.Stage(federation.ClusteringStage, func() error {
		sketches, scatter, err := algorithm.FeatureSketches(env, clients)
		if err != nil {
			return err
		}
		o := groups.DefaultOptions()
		o.Seed = env.Seed
		found, err = groups.Find(sketches, scatter, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("--feddag-clustering %s: %w", ClustersByTest, err)
	}
	return found, nil
}
