package feddag

import (
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestDivergenceInSecondaryPhase checks that infinite or NaN weights are detected in the secondary phase, like an infinite or NaN
// loss in the primary phase, and that the client is then left out of both phases.
func TestDivergenceInSecondaryPhase(t *testing.T) {
	t.Run("full head", func(t *testing.T) {
		testSecondaryDivergence(t, twoEncoders+" --feddag-secondary-head full", torch.Secondary)
	})
	t.Run("own head", func(t *testing.T) { testSecondaryDivergence(t, twoEncoders, torch.All) })
}

// testSecondaryDivergence makes one client diverge in the trainings of the given parts. It checks that the client is dropped
// under the policy "drop", and that otherwise the run stops with an error that names the phase.
func testSecondaryDivergence(t *testing.T, name string, parts torch.Part) {
	e, a, r, x := federationtest.DivergingEnv(t, name, federation.RunOptions{Algorithm: name})
	f := a.(*FedDAG)
	graph, scores := make([][]int, len(f.clusters)), make([][]float64, len(f.clusters)) // Every cluster learns from all.
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
			if text := err.Error(); !strings.Contains(text, "secondary: some weights are infinite or NaN") || !strings.Contains(text, "--on-divergence drop") {
				t.Error(text)
			}
			return
		}
	}
	t.Error("the client was in no round")
}
