package federation_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestDivergenceKeepsTheCheckpoint checks that a run under the policy "stop" ends with an error and leaves the last checkpoint,
// and that a run resumed from it under the policy "drop" leaves the client out. A round in which every client diverges is also an
// error under "drop".
func TestDivergenceKeepsTheCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	o := federation.RunOptions{Algorithm: "fedavg", Config: "c", Checkpoint: path}
	e, a, r, x := federationtest.DivergingEnv(t, "fedavg", o)
	if err := r.Round(0); err != nil {
		t.Fatal(err)
	}
	x.Client, x.Healthy = e.Sample(1)[0].ID, false
	if err := r.Round(1); err == nil || !strings.Contains(err.Error(), "round 2") {
		t.Fatal(err)
	}
	after := federationtest.Models(t, a)
	c, err := federation.ReadCheckpoint(path)
	if err != nil || c.Rounds != 1 {
		t.Fatalf("%v, after %d rounds", err, c.Rounds)
	}
	o.Resume = c
	resumed, b := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedavg")
	resumed.Rounds, resumed.OnDivergence = 2, federation.DropOnDivergence
	resumed.Executor = &federationtest.DivergingEngine{Engine: resumed.Executor.(*torch.Engine), Client: x.Client}
	if err := resumed.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	var last federation.RoundResult
	resumed.Observers = []federation.Observer{federationtest.LastRound{Result: &last}}
	result := federationtest.MustRun(t, resumed, b, o)
	if !slices.Equal(last.Dropped, []int{x.Client}) || federationtest.EqualModels(federationtest.Models(t, b), after) {
		t.Errorf("dropped %v", last.Dropped)
	}
	// The final local training, which is only for the scores, also leaves the client out.
	if post := result.Last[x.Client].Post; !math.IsNaN(post.Accuracy) {
		t.Errorf("a client that diverges has the score %v after its training", post)
	}

	alone, _, r, x := federationtest.DivergingEnv(t, "fedavg", federation.RunOptions{Algorithm: "fedavg"})
	alone.Rate, alone.OnDivergence = 0.01, federation.DropOnDivergence
	x.Client, x.Healthy = alone.Sample(0)[0].ID, false
	if err := r.Round(0); err == nil || !strings.Contains(err.Error(), "no client of round 1 is left") {
		t.Errorf("every client diverges: %v", err)
	}
}

// TestDivergenceInTheWarmUp checks that a warm-up that diverges is also an error under the policy "drop", because the clustering
// needs every client.
func TestDivergenceInTheWarmUp(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag --feddag-clustering similarity")
	e.Executor = &federationtest.DivergingEngine{Engine: e.Executor.(*torch.Engine), Client: 5}
	e.OnDivergence = federation.DropOnDivergence
	_, err := federation.Run(context.Background(), e, a, federation.RunOptions{Algorithm: "feddag"})
	if err == nil || !strings.Contains(err.Error(), "warm-up: client 5, round 1 of the warm-up") || !strings.Contains(err.Error(), "needs every client") {
		t.Error(err)
	}
}
