package feddag

import (
	"fmt"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
)

// Values of FedDAG.ClustersBy. Their meanings are in clusterFinders.
const (
	ClustersBySimilarity = similarity.FoundBySimilarity
	ClustersByTest       = similarity.FoundByTest
)

// FoundBy implements [federation.SketchClusterer].
func (a *FedDAG) FoundBy() string { return a.ClustersBy }

// FoundByFlag implements [federation.SketchClusterer].
func (a *FedDAG) FoundByFlag() string { return "feddag-clustering" }

// trainsToCluster reports whether the clients warm up before they are clustered. The similarity compares their warm-up updates;
// the tests use only the images.
func (a *FedDAG) trainsToCluster() bool { return a.ClustersBy == ClustersBySimilarity }

// changedByTest returns the clients, by ascending id, whose present images and labels differ from those at their last assignment.
// Every client sends the means of its features again. A two-sample test compares the old and the new means, so a client that
// draws its images from the same distribution counts as changed with probability groups.Options.Alpha.
func (a *FedDAG) changedByTest(env *federation.Env, r *testRoster) ([]*federation.Client, error) {
	var clients, changed []*federation.Client
	for _, id := range a.rosterIDs {
		clients = append(clients, env.Clients[id])
	}
	now, err := algorithm.FeatureMeans(env, clients)
	if err != nil {
		return nil, fmt.Errorf("check for changed clients: %w", err)
	}
	level := a.SketchOptions(env.Seed).GroupOptions().Alpha
	for k, c := range clients {
		change, err := r.Changed(k, now.Sketches[k])
		if err != nil {
			return nil, fmt.Errorf("check for changed clients: client %d: %w", c.ID, err)
		}
		if change.P <= level {
			changed = append(changed, c)
		}
	}
	return federation.ByID(changed), nil
}
