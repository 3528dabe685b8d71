package feddag

import (
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// Weights that are no numbers are found as a loss is, in the second phase as in the first; the client is then out of both.
func TestDivergenceInTheSecondPhase(t *testing.T) {
	t.Run("full head", func(t *testing.T) { secondPhaseDiverges(t, "feddag --feddag-secondary-head full", torch.Secondary) })
	t.Run("own head", func(t *testing.T) { secondPhaseDiverges(t, "feddag", torch.All) })
}

func secondPhaseDiverges(t *testing.T, name string, parts torch.Part) {
	e, a, r, x := federationtest.DivergingEnv(t, name, federation.RunOptions{Algorithm: name})
	f := a.(*FedDAG)
	graph, scores := make([][]int, len(f.clusters)), make([][]float64, len(f.clusters)) // every cluster learns from all
	for z := range graph {
		for s := range graph {
			graph[z], scores[z] = append(graph[z], s), append(scores[z], 1)
		}
	}
	if err := f.setClustering(len(e.Clients), f.clusters, graph, scores); err != nil {
		t.Fatal(err)
	}
	x.Client, x.Healthy, x.Weights, x.Parts = e.Sample(0)[1].ID, false, true, parts
	e.OnDivergence = federation.DropOnDivergence
	var told federation.RoundResult
	e.Observers = []federation.Observer{federationtest.LastRound{Result: &told}}
	if err := r.Round(0); err != nil || !slices.Equal(told.Dropped, []int{x.Client}) {
		t.Errorf("dropped %v, %v", told.Dropped, err)
	}
	e.OnDivergence = federation.StopOnDivergence
	for round := 1; round < 4; round++ {
		if err := r.Round(round); err != nil {
			if text := err.Error(); !strings.Contains(text, "secondary: weights are no longer numbers") || !strings.Contains(text, "--on-divergence drop") {
				t.Error(text)
			}
			return
		}
	}
	t.Error("the client was in no round")
}
