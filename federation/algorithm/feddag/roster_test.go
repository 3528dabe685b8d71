package feddag

import (
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestNoRosterWithoutNeed checks that a run in which the clients cannot change keeps no roster.
func TestNoRosterWithoutNeed(t *testing.T) {
	e, a := twoClusters(t, nil)
	if a.roster != nil {
		t.Error("the roster was kept")
	}
	if _, err := a.Check(e, 1); err == nil {
		t.Error("Check without a roster returns no error")
	}
	s, err := a.Save()
	if err != nil || len(s.Blobs) != 0 {
		t.Errorf("blobs %v (%v)", s.Blobs, err)
	}
}

// TestClusterDissolves checks that a cluster is dissolved when all clients have left it: it is removed from the graph, its model
// is passed to the observers and freed, and its number is not used again, not even when its clients return.
func TestClusterDissolves(t *testing.T) {
	for _, name := range []string{"feddag", twoEncoders, "feddag-star", "feddag-dagger"} {
		name += " --feddag-clustering similarity" // Tests cannot reject the only other cluster, of four clients, by labels alone.
		handed := &weightCounter{weights: map[string]int{}}
		_, a, rounds := runScenario(t, name, `{"version": 2, "events": [{"round": 2, "leave": [0, 2, 4, 6]}, {"round": 4, "join": [2, 6]}]}`,
			func(e *federation.Env, _ *FedDAG) { e.Observers = append(e.Observers, handed) })
		wantMoves(t, rounds, map[int][]string{
			1: {"0:0>-1 leave", "2:0>-1 leave", "4:0>-1 leave", "6:0>-1 leave"},
			3: {"2:-1>2 join", "6:-1>2 join"},
		})
		if want := [][]int{nil, {1, 3, 5, 7}, {2, 6}}; !equalClusters(a.Clusters(), want) {
			t.Errorf("%s: clusters %v, want %v", name, a.Clusters(), want)
		}
		if a.states[0] != nil || len(a.graph[0]) > 0 || slices.Contains(slices.Concat(a.graph...), 0) {
			t.Errorf("%s: the dissolved cluster still takes part: %v, graph %v", name, a.states[0], a.graph)
		}
		for _, m := range a.Models() {
			if m.Name == "cluster-0" {
				t.Errorf("%s: the dissolved cluster has a model", name)
			}
		}
		if handed.weights["cluster-0"] != 1 || handed.weights["cluster-1"] != 1 || handed.weights["cluster-2"] != 1 {
			t.Errorf("%s: weights handed over: %v", name, handed.weights)
		}
	}
}

// weightCounter counts how often it receives the weights of each name.
type weightCounter struct {
	federationtest.Silent
	weights map[string]int
}

func (w *weightCounter) Weights(name string, _ []torch.NamedTensor) error {
	w.weights[name]++
	return nil
}
