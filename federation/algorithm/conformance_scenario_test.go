package algorithm_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm/feddag"
	"feddag/federation/federationtest"
)

// scenarioFor returns a scenario with every kind of event that an algorithm handles: clients join, one client returns, one
// leaves, two swap their data, and the data of one shift, with checks and searches in between.
func scenarioFor(t *testing.T, a federation.Algorithm) *federation.Scenario {
	t.Helper()
	s := &federation.Scenario{Seed: 5, Reserve: 0.3}
	number := 0
	for _, ev := range []federation.Event{
		{Round: 1, Join: []int{6, 7}},
		{Round: 2, Leave: []int{0}},
		{Round: 2, Swap: []int{1, 2}},
		{Round: 3, Shift: []int{4}, Labels: []int{2, 3}, Share: 1},
		{Round: 4, JoinNext: 1},
		{Round: 5, Join: []int{0}},
	} {
		if federation.Handles(a, ev.Kind()) {
			number++
			ev.Number = number
			s.Events = append(s.Events, ev)
		}
	}
	if federation.Handles(a, "check_every") {
		s.CheckEvery, s.SearchAfter = 2, 4
	}
	if number == 0 {
		t.Skip("the algorithm handles no event")
	}
	return s
}

// scenarioEnv returns an environment and an algorithm with that scenario, and a recorder of what the observers see.
func scenarioEnv(t *testing.T, name string, workers int, change ...func(*federation.Env)) (*federation.Env, federation.Algorithm, *federationtest.Recorder) {
	t.Helper()
	e, a := federationtest.TinyEnv(t, workers), federationtest.Algorithm(t, name)
	e.Scenario, e.Rounds = scenarioFor(t, a), 7
	e.Clients[5].HeldOut = true
	for _, f := range change {
		f(e)
	}
	o := &federationtest.Recorder{Cancel: func() {}, StopAfter: -2}
	e.Observers = []federation.Observer{o}
	return e, a, o
}

// TestScenarioConformance checks that a scenario has the same results for any number of workers and after a stop at any round.
func TestScenarioConformance(t *testing.T) {
	for _, name := range append(federation.Names(), variants...) {
		t.Run(name, func(t *testing.T) {
			e, a, recorder := scenarioEnv(t, name, 1)
			wantResult := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
			want, wantMoves := federationtest.Models(t, a), recorder.Moves()

			e, a, recorder = scenarioEnv(t, name, 3)
			r := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
			if !federationtest.EqualModels(federationtest.Models(t, a), want) || !federationtest.EqualResults(r, wantResult) || !slices.Equal(recorder.Moves(), wantMoves) {
				t.Error("1 and 3 workers differ")
			}
			for stop := -1; stop < 7; stop++ {
				resumed(t, name, fmt.Sprintf("stopped after round %d", stop), func(o *federationtest.Recorder) { o.StopAfter = stop }, want, wantResult, wantMoves)
			}
			if x, ok := a.(*feddag.FedDAG); ok && x.ClustersBy == feddag.ClustersBySimilarity { // With tests, newcomers seldom warm up.
				resumed(t, name, "stopped as newcomers warm up", func(o *federationtest.Recorder) { o.StopInWarmUp = 1 }, want, wantResult, wantMoves)
			}
		})
	}
}

// resumed stops a run with a scenario, resumes it in another environment, and compares weights, scores and moves.
func resumed(t *testing.T, name, what string, stop func(*federationtest.Recorder), want map[string][]float32, wantResult *federation.Result, wantMoves []string, change ...func(*federation.Env)) {
	t.Helper()
	o := federation.RunOptions{Algorithm: name, Config: "c", Checkpoint: filepath.Join(t.TempDir(), "checkpoint", "last.safetensors")}
	e, a, first := scenarioEnv(t, name, 2, change...)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first.Cancel = cancel
	stop(first)
	if _, err := federation.Run(ctx, e, a, o); !errors.Is(err, context.Canceled) && len(first.Rounds) < 7 {
		t.Fatalf("%s: %v", what, err)
	}
	var err error
	if o.Resume, err = federation.ReadCheckpoint(o.Checkpoint); err != nil {
		t.Fatal(err)
	}
	first.Rounds = first.Rounds[:o.Resume.Rounds]
	e, a, second := scenarioEnv(t, name, 2, change...)
	r := federationtest.MustRun(t, e, a, o)
	if !federationtest.EqualModels(federationtest.Models(t, a), want) {
		t.Errorf("%s: the weights differ", what)
	}
	if !federationtest.EqualResults(r, wantResult) {
		t.Errorf("%s: the scores differ", what)
	}
	if got := slices.Concat(first.Moves(), second.Moves()); !slices.Equal(got, wantMoves) {
		t.Errorf("%s: moves\n%q\nwant\n%q", what, got, wantMoves)
	}
}
