package federation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

// story is a scenario with whatever an algorithm has an answer to: clients come, one comes back, one leaves, two swap,
// one shifts, with checks and searches in between.
func story(t *testing.T, a Algorithm) *Scenario {
	t.Helper()
	s := &Scenario{Seed: 5, Reserve: 0.3}
	number := 0
	for _, ev := range []Event{
		{Round: 1, Join: []int{6, 7}},
		{Round: 2, Leave: []int{0}},
		{Round: 2, Swap: []int{1, 2}},
		{Round: 3, Shift: []int{4}, Labels: []int{2, 3}, Share: 1},
		{Round: 4, JoinNext: 1},
		{Round: 5, Join: []int{0}},
	} {
		if answers(a, ev.kind()) {
			number++
			ev.number = number
			s.Events = append(s.Events, ev)
		}
	}
	if answers(a, "check_every") {
		s.CheckEvery, s.SearchAfter = 2, 4
	}
	if number == 0 {
		t.Skip("the algorithm answers to no event")
	}
	return s
}

// storied is an environment and an algorithm in the middle of a story.
func storied(t *testing.T, name string, workers int) (*Env, Algorithm, *teller) {
	t.Helper()
	e, a := tinyEnv(t, workers), algorithm(t, name)
	e.Scenario, e.Rounds = story(t, a), 7
	e.Clients[5].HeldOut = true
	o := &teller{cancel: func() {}, after: -2}
	e.Observers = []Observer{o}
	return e, a, o
}

// What happens to the clients happens alike whatever the number of workers and wherever the run is stopped.
func TestScenarioConformance(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			e, a, told := storied(t, name, 1)
			wantResult := mustRun(t, e, a, RunOptions{Algorithm: name})
			want, wantMoves := weights(t, a), told.moves()

			e, a, told = storied(t, name, 3)
			r := mustRun(t, e, a, RunOptions{Algorithm: name})
			if !equalWeights(weights(t, a), want) || !equalResults(r, wantResult) || !slices.Equal(told.moves(), wantMoves) {
				t.Error("1 and 3 workers differ")
			}
			for stop := -1; stop < 7; stop++ {
				resumed(t, name, fmt.Sprintf("stopped after round %d", stop), func(o *teller) { o.after = stop }, want, wantResult, wantMoves)
			}
			if _, warms := a.(*FedDAG); warms {
				resumed(t, name, "stopped as newcomers warm up", func(o *teller) { o.within = 1 }, want, wantResult, wantMoves)
			}
		})
	}
}

// resumed stops a story, goes on with it in another environment, and compares.
func resumed(t *testing.T, name, what string, stop func(*teller), want map[string][]float32, wantResult *Result, wantMoves []string) {
	t.Helper()
	o := RunOptions{Algorithm: name, Config: "c", Checkpoint: filepath.Join(t.TempDir(), "checkpoint", "last.safetensors")}
	e, a, first := storied(t, name, 2)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first.cancel = cancel
	stop(first)
	if _, err := Run(ctx, e, a, o); !errors.Is(err, context.Canceled) && len(first.rounds) < 7 {
		t.Fatalf("%s: %v", what, err)
	}
	var err error
	if o.Resume, err = ReadCheckpoint(o.Checkpoint); err != nil {
		t.Fatal(err)
	}
	first.rounds = first.rounds[:o.Resume.Rounds]
	e, a, second := storied(t, name, 2)
	r := mustRun(t, e, a, o)
	if !equalWeights(weights(t, a), want) {
		t.Errorf("%s: other weights", what)
	}
	if !equalResults(r, wantResult) {
		t.Errorf("%s: other scores", what)
	}
	if got := slices.Concat(first.moves(), second.moves()); !slices.Equal(got, wantMoves) {
		t.Errorf("%s: moves\n%q\nwant\n%q", what, got, wantMoves)
	}
}
