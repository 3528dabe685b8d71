package federation

import (
	"slices"
	"strings"
	"testing"

	"feddag/torch"
)

// Weights that are no numbers are found as a loss is, in the second phase as in the first; the client is then out of both.
func TestDivergenceInTheSecondPhase(t *testing.T) {
	t.Run("full head", func(t *testing.T) { secondPhaseDiverges(t, "feddag --feddag-secondary-head full", torch.Secondary) })
	t.Run("own head", func(t *testing.T) { secondPhaseDiverges(t, "feddag", torch.All) })
}

func secondPhaseDiverges(t *testing.T, name string, parts torch.Part) {
	e, a, r, x := sickEnv(t, name, RunOptions{Algorithm: name})
	f := a.(*FedDAG)
	graph, scores := make([][]int, len(f.clusters)), make([][]float64, len(f.clusters)) // every cluster learns from all
	for z := range graph {
		for s := range graph {
			graph[z], scores[z] = append(graph[z], s), append(scores[z], 1)
		}
	}
	if err := f.assign(len(e.Clients), f.clusters, graph, scores); err != nil {
		t.Fatal(err)
	}
	x.client, x.well, x.weights, x.parts = e.cohort(0)[1].ID, false, true, parts
	e.OnDivergence = DropOnDivergence
	var told RoundResult
	e.Observers = []Observer{lastRound{told: &told}}
	if err := r.round(0); err != nil || !slices.Equal(told.Dropped, []int{x.client}) {
		t.Errorf("dropped %v, %v", told.Dropped, err)
	}
	e.OnDivergence = StopOnDivergence
	for round := 1; round < 4; round++ {
		if err := r.round(round); err != nil {
			if text := err.Error(); !strings.Contains(text, "secondary: weights are no longer numbers") || !strings.Contains(text, "--on-divergence drop") {
				t.Error(text)
			}
			return
		}
	}
	t.Error("the client was in no round")
}
