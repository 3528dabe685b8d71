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

// A run whose every client diverges ends in an error. What was written before stays: the last checkpoint, from which the
// run goes on without such clients.
func TestStopKeepsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	o := federation.RunOptions{Algorithm: "fedavg", Config: "c", Checkpoint: path}
	e, a, r, x := federationtest.DivergingEnv(t, "fedavg", o)
	if err := r.Round(0); err != nil {
		t.Fatal(err)
	}
	x.Client, x.Healthy = e.Sample(1)[0].ID, false
	if err := r.Round(1); err == nil || !strings.Contains(err.Error(), "round 1") {
		t.Fatal(err)
	}
	after := federationtest.Models(t, a)
	c, err := federation.ReadCheckpoint(path)
	if err != nil || c.Rounds != 1 {
		t.Fatalf("%v, after %d rounds", err, c.Rounds)
	}
	o.Resume = c
	again, b := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedavg")
	again.Rounds, again.OnDivergence = 2, federation.DropOnDivergence
	again.Executor = &federationtest.DivergingEngine{Engine: again.Executor.(*torch.Engine), Client: x.Client}
	if err := again.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	var told federation.RoundResult
	again.Observers = []federation.Observer{federationtest.LastRound{Result: &told}}
	result := federationtest.MustRun(t, again, b, o)
	if !slices.Equal(told.Dropped, []int{x.Client}) || federationtest.EqualModels(federationtest.Models(t, b), after) {
		t.Errorf("dropped %v", told.Dropped)
	}
	// The last local training, for the scores alone, goes without it too.
	if post := result.Last[x.Client].Post; !math.IsNaN(post.Accuracy) {
		t.Errorf("a client that diverges has the score %v after its training", post)
	}

	alone, _, r, x := federationtest.DivergingEnv(t, "fedavg", federation.RunOptions{Algorithm: "fedavg"})
	alone.Rate, alone.OnDivergence = 0.01, federation.DropOnDivergence
	x.Client, x.Healthy = alone.Sample(0)[0].ID, false
	if err := r.Round(0); err == nil || !strings.Contains(err.Error(), "no client of round 0 is left") {
		t.Errorf("everyone diverges: %v", err)
	}
}

// A warm-up that diverges is an error under either policy: the clustering needs every client.
func TestDivergenceInTheWarmUp(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag")
	e.Executor = &federationtest.DivergingEngine{Engine: e.Executor.(*torch.Engine), Client: 5}
	e.OnDivergence = federation.DropOnDivergence
	_, err := federation.Run(context.Background(), e, a, federation.RunOptions{Algorithm: "feddag"})
	if err == nil || !strings.Contains(err.Error(), "warm-up: client 5, round 0, warm-up") || !strings.Contains(err.Error(), "needs every client") {
		t.Error(err)
	}
}
