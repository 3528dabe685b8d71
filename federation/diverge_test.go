package federation

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/torch"
)

// A run whose every client diverges ends in an error. What was written before stays: the last checkpoint, from which the
// run goes on without such clients.
func TestStopKeepsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	o := RunOptions{Algorithm: "fedavg", Config: "c", Checkpoint: path}
	e, a, r, x := sickEnv(t, "fedavg", o)
	if err := r.round(0); err != nil {
		t.Fatal(err)
	}
	x.client, x.well = e.cohort(1)[0].ID, false
	if err := r.round(1); err == nil || !strings.Contains(err.Error(), "round 1") {
		t.Fatal(err)
	}
	after := weights(t, a)
	c, err := ReadCheckpoint(path)
	if err != nil || c.Rounds != 1 {
		t.Fatalf("%v, after %d rounds", err, c.Rounds)
	}
	o.Resume = c
	again, b := tinyEnv(t, 2), algorithm(t, "fedavg")
	again.Rounds, again.OnDivergence = 2, DropOnDivergence
	again.Executor = &sick{Engine: again.Executor.(*torch.Engine), client: x.client}
	if err := again.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	var told RoundResult
	again.Observers = []Observer{lastRound{told: &told}}
	result := mustRun(t, again, b, o)
	if !slices.Equal(told.Dropped, []int{x.client}) || equalWeights(weights(t, b), after) {
		t.Errorf("dropped %v", told.Dropped)
	}
	// The last local training, for the scores alone, goes without it too.
	if post := result.Last[x.client].Post; !math.IsNaN(post.Accuracy) {
		t.Errorf("a client that diverges has the score %v after its training", post)
	}

	alone, _, r, x := sickEnv(t, "fedavg", RunOptions{Algorithm: "fedavg"})
	alone.Rate, alone.OnDivergence = 0.01, DropOnDivergence
	x.client, x.well = alone.cohort(0)[0].ID, false
	if err := r.round(0); err == nil || !strings.Contains(err.Error(), "no client of round 0 is left") {
		t.Errorf("everyone diverges: %v", err)
	}
}

// A warm-up that diverges is an error under either policy: the clustering needs every client.
func TestDivergenceInTheWarmUp(t *testing.T) {
	e, a := tinyEnv(t, 2), algorithm(t, "feddag")
	e.Executor = &sick{Engine: e.Executor.(*torch.Engine), client: 5}
	e.OnDivergence = DropOnDivergence
	_, err := Run(context.Background(), e, a, RunOptions{Algorithm: "feddag"})
	if err == nil || !strings.Contains(err.Error(), "warm-up: client 5, round 0, warm-up") || !strings.Contains(err.Error(), "needs every client") {
		t.Error(err)
	}
}
