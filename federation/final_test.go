package federation_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestHeldOutClientsAreScored checks that held-out clients get scores after the last round, before and after one local training,
// and that this training changes neither the models nor the scores before training of any client.
func TestHeldOutClientsAreScored(t *testing.T) {
	for _, name := range []string{"fedavg", "feddag", "local"} {
		var models map[string][]float32
		var scores []federation.PrePost
		for _, post := range []bool{true, false} {
			e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
			e.Clients[3].HeldOut, e.Clients[6].HeldOut, e.FinalPost = true, true, post
			r := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
			if !slices.Equal(r.HeldOut, []int{3, 6}) {
				t.Errorf("%s: held out: %v", name, r.HeldOut)
			}
			for _, i := range r.HeldOut {
				s := r.Last[i]
				if math.IsNaN(s.Pre.Balanced) || math.IsNaN(s.Post.Balanced) == post {
					t.Errorf("%s: client %d has %+v", name, i, s)
				}
			}
			for i, s := range r.Last {
				if math.IsNaN(s.Pre.Balanced) {
					t.Errorf("%s: client %d has no score", name, i)
				}
			}
			if post {
				models, scores = federationtest.Models(t, a), r.Last
				continue
			}
			for model, x := range federationtest.Models(t, a) {
				if !slices.Equal(models[model], x) {
					t.Errorf("%s: the final training changed %s", name, model)
				}
			}
			for i := range scores {
				if !federationtest.SameScore(scores[i].Pre, r.Last[i].Pre) {
					t.Errorf("%s: client %d: the final training changed its score before it", name, i)
				}
			}
		}
	}
}

// The stages of a run are disjoint: FedDAG warms up the held-out clients within the stage of the newcomers.
func TestStagesAddUp(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag --feddag-clustering similarity")
	e.Clients[3].HeldOut = true
	start := time.Now()
	federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: "feddag"})
	whole := time.Since(start).Seconds()
	sum := 0.
	for _, stage := range []federation.Stage{
		federation.WarmUpStage, federation.ClusteringStage, federation.RoundsStage, federation.FinalStage, federation.NewcomersStage,
	} {
		if !(e.Seconds()[stage] > 0) {
			t.Errorf("no time for %s: %v", stage, e.Seconds())
		}
	}
	for _, s := range e.Seconds() {
		sum += s
	}
	if sum > whole {
		t.Errorf("stages %v, %v together, in a run of %v", e.Seconds(), sum, whole)
	}
	if err := e.Stage("outer", func() error {
		return e.Stage("inner", func() error { time.Sleep(20 * time.Millisecond); return nil })
	}); err != nil {
		t.Fatal(err)
	}
	if s := e.Seconds(); s["outer"] >= s["inner"] {
		t.Errorf("a stage counts the one within it: %v", s)
	}
}
