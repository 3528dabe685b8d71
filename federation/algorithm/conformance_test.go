package algorithm_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// variants are settings of FedDAG that work otherwise than its defaults: two encoders, under each head of the secondary phase,
// clusters by similarity, a warm-up for the models alone, and one primary encoder for all clusters.
var variants = []string{
	"feddag --feddag-encoders 2", "feddag --feddag-encoders 2 --feddag-secondary-head full --feddag-body own",
	"feddag --feddag-encoders 2 --feddag-clustering similarity", "feddag --feddag-encoders 2 --feddag-warmup-rounds 1",
	"feddag --feddag-encoders 2 --feddag-body all", "feddag --feddag-clustering similarity",
}

// TestConformance checks the promises that every registered algorithm keeps, so that a new one is tested without a new test.
// FedDAG is also tested as in variants.
func TestConformance(t *testing.T) {
	for _, name := range append(federation.Names(), variants...) {
		t.Run(name, func(t *testing.T) { conform(t, name) })
	}
}

// conform runs the suite on an algorithm.
func conform(t *testing.T, name string) {
	for _, promise := range []struct {
		what string
		test func(*testing.T, string)
	}{
		{"same seed, any workers, same bits", sameBits},
		{"another seed, other bits", otherBits},
		{"stop and resume", stopAndResume},
		{"interrupted in a round", interrupted},
		{"order of the cohort", cohortOrder},
		{"rate 0 changes nothing", rateZero},
		{"newcomers", newcomers},
		{"models and clusters", modelsAndClusters},
		{"a client that diverges", diverging},
		{"no look at test samples", ignoresTestSamples},
		{"nothing leaks", leaks},
	} {
		t.Run(promise.what, func(t *testing.T) { promise.test(t, name) })
	}
}

// sameBits checks that the number of workers changes neither weights nor scores.
func sameBits(t *testing.T, name string) {
	w1, r1 := federationtest.Finished(t, name, 1, nil)
	w2, r2 := federationtest.Finished(t, name, 3, nil)
	if !federationtest.EqualModels(w1, w2) {
		t.Error("weights differ between 1 and 3 workers")
	}
	if !federationtest.EqualResults(r1, r2) {
		t.Error("scores differ between 1 and 3 workers")
	}
}

// otherBits checks that another seed gives different weights.
func otherBits(t *testing.T, name string) {
	w1, _ := federationtest.Finished(t, name, 2, nil)
	w2, _ := federationtest.Finished(t, name, 2, func(e *federation.Env) { e.Seed++ })
	if federationtest.EqualModels(w1, w2) {
		t.Error("another seed gives the same weights")
	}
}

// stopAndResume checks that a run which is stopped after any number of rounds and resumed ends like an uninterrupted one. After
// one round, models that no client has trained yet are still equal.
func stopAndResume(t *testing.T, name string) {
	stopAndResumeWith(t, name, []int{0, 1, 2, 3, 4}, func(*federation.Env) {})
	stopAndResumeWith(t, name, []int{0, 1}, func(e *federation.Env) { e.Rounds = 1 })
}

// stopAndResumeWith checks that a run in the environment that change makes can be stopped after some numbers of rounds and
// resumed, with another number of workers. It returns the models of a run that was not stopped.
func stopAndResumeWith(t *testing.T, name string, stops []int, change func(*federation.Env)) (models map[string][]float32) {
	t.Helper()
	want, wantResult := federationtest.Finished(t, name, 2, change)
	for _, stop := range stops {
		path := filepath.Join(t.TempDir(), "checkpoint", "last.safetensors")
		o := federation.RunOptions{Algorithm: name, Config: "c", Checkpoint: path}
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		change(e)
		e.Rounds, e.FinalPost = stop, false
		federationtest.MustRun(t, e, a, o)

		c, err := federation.ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		o.Resume = c
		e, a = federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, name)
		change(e)
		r := federationtest.MustRun(t, e, a, o)
		if !federationtest.EqualModels(federationtest.Models(t, a), want) {
			t.Errorf("resumed after round %d: the weights differ", stop)
		}
		if !federationtest.EqualResults(r, wantResult) {
			t.Errorf("resumed after round %d: the scores differ", stop)
		}
	}
	return want
}

// interrupted checks that a run which is cancelled inside a round leaves a checkpoint, that the resumed run ends with the same
// weights, and that no round without a checkpoint is lost.
func interrupted(t *testing.T, name string) {
	want, _ := federationtest.Finished(t, name, 2, nil)
	for _, every := range []int{1, 10} {
		path := filepath.Join(t.TempDir(), "last.safetensors")
		o := federation.RunOptions{Algorithm: name, Config: "c", Checkpoint: path}
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		e.CheckpointEvery = every
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		e.Observers = []federation.Observer{federationtest.Canceller{Cancel: cancel}}
		if _, err := federation.Run(ctx, e, a, o); !errors.Is(err, context.Canceled) {
			t.Fatalf("a checkpoint every %d rounds: interrupted run: %v", every, err)
		}
		c, err := federation.ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		// A round whose training is complete may finish, and a round after rounds without a checkpoint must finish.
		if c.Rounds < 2 || c.Rounds > 3 || every > 1 && c.Rounds != 3 {
			t.Errorf("a checkpoint every %d rounds: checkpoint after %d rounds", every, c.Rounds)
		}
		o.Resume = c
		e, a = federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		federationtest.MustRun(t, e, a, o)
		if !federationtest.EqualModels(federationtest.Models(t, a), want) {
			t.Errorf("a checkpoint every %d rounds: the weights differ after an interrupt", every)
		}
	}
}

// cohortOrder checks that the order of the cohort does not change the weights.
func cohortOrder(t *testing.T, name string) {
	var first map[string][]float32
	for _, reverse := range []bool{false, true} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			cohort, err := e.Participants(a, round)
			if err != nil {
				t.Fatal(err)
			}
			if reverse {
				slices.Reverse(cohort)
			}
			report, err := a.Round(e, round, cohort)
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range report.Trained {
				l.Close()
			}
		}
		if got := federationtest.Models(t, a); first == nil {
			first = got
		} else if !federationtest.EqualModels(got, first) {
			t.Error("the order of the cohort changes the weights")
		}
	}
}

// rateZero checks that training with a learning rate of 0 changes no model.
func rateZero(t *testing.T, name string) {
	if name == "fedsoft" {
		t.Skip("a centre is the mean of its clients' own models, which start as mixtures of all centres")
	}
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
	e.LearningRate = 0
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	before := federationtest.Models(t, a)
	for round := range 2 {
		cohort, err := e.Participants(a, round)
		if err != nil {
			t.Fatal(err)
		}
		report, err := a.Round(e, round, cohort)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.Close()
		}
	}
	if !federationtest.EqualModels(federationtest.Models(t, a), before) {
		t.Error("training with learning rate 0 moved the weights")
	}
}

// modelsAndClusters checks that every client has a complete model and scores in 0..1, that the ledger has traffic and work, and
// that the clusters partition the clients.
func modelsAndClusters(t *testing.T, name string) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
	r := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
	for _, c := range e.Clients {
		m := a.Model(c.ID)
		if m.Net == nil || m.State == nil || m.State.Len() != m.Net.Len() {
			t.Errorf("client %d has no whole model", c.ID)
		}
		if s := r.Last[c.ID]; !(s.Pre.Balanced >= 0 && s.Pre.Balanced <= 1 && s.Post.Accuracy >= 0 && s.Post.Accuracy <= 1) {
			t.Errorf("client %d scores %+v", c.ID, s)
		}
	}
	if up, down := e.Ledger.Total.Totals(); up <= 0 && name != "local" || down <= 0 {
		t.Errorf("%d bytes up, %d down", up, down)
	}
	var trained int64
	for _, c := range e.Clients {
		trained += e.Ledger.Work[c.ID].Training
	}
	if w := e.Ledger.AllWork(); w.Training <= 0 || w.Training != trained {
		t.Errorf("work %+v, of the clients %d", w, trained)
	}
	x, ok := a.(federation.Clustered)
	if !ok {
		return
	}
	var members []int
	for _, cluster := range x.Clusters() {
		members = append(members, cluster...)
	}
	slices.Sort(members)
	for i, m := range members {
		if i != m {
			t.Fatalf("the clusters do not partition the clients: %v", x.Clusters())
		}
	}
	if len(members) != len(e.Clients) {
		t.Fatalf("the clusters do not partition the clients: %v", x.Clusters())
	}
}

// newcomers checks clients that join after some rounds: they get models, no other client's model changes, they can train, and
// the number of workers does not matter.
func newcomers(t *testing.T, name string) {
	var first map[string][]float32
	for _, workers := range []int{1, 3} {
		e, a := federationtest.TinyEnv(t, workers), federationtest.Algorithm(t, name)
		n, ok := a.(federation.Newcomer)
		if !ok {
			t.Skip("the algorithm takes no newcomers")
		}
		for _, i := range []int{3, 6} {
			e.Clients[i].HeldOut = true
		}
		if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
			t.Fatal(err)
		}
		r := federation.NewRunner(e, a, federation.RunOptions{Algorithm: name})
		for round := range e.Rounds {
			if err := r.Round(round); err != nil {
				t.Fatal(err)
			}
		}
		before, models := federationtest.Models(t, a), map[int]federation.Model{}
		for _, c := range e.Present() {
			models[c.ID] = a.Model(c.ID)
		}
		up, down := e.Ledger.Total.Totals()
		if err := n.Join(e, e.Rounds, []*federation.Client{e.Clients[6], e.Clients[3]}); err != nil {
			t.Fatal(err)
		}
		for i, m := range models {
			if a.Model(i) != m {
				t.Errorf("client %d's model changed", i)
			}
		}
		after := federationtest.Models(t, a)
		for model, x := range before {
			if !slices.Equal(after[model], x) {
				t.Errorf("%s moved", model)
			}
		}
		for _, i := range []int{3, 6} {
			if m := a.Model(i); m.Net == nil || m.State == nil || m.State.Len() != m.Net.Len() {
				t.Errorf("newcomer %d has no whole model", i)
			}
		}
		if u, d := e.Ledger.Total.Totals(); u < up || d < down {
			t.Errorf("bytes went from %d, %d to %d, %d", up, down, u, d)
		}
		report, err := a.Round(e, e.Rounds, []*federation.Client{e.Clients[2], e.Clients[3], e.Clients[6]})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.Close()
		}
		if trained := federationtest.Models(t, a); first == nil {
			first = trained
		} else if !federationtest.EqualModels(trained, first) {
			t.Error("weights differ between 1 and 3 workers")
		}
	}
}

// leaks checks that the number of libtorch's live handles, without those of the models, does not grow from round to round.
func leaks(t *testing.T, name string) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	r := federation.NewRunner(e, a, federation.RunOptions{})
	var before int64
	for round := range 6 {
		if err := r.Round(round); err != nil {
			t.Fatal(err)
		}
		live, _ := torch.Live()
		states := map[*torch.Vector]bool{} // a method may have more models from round to round
		for _, m := range a.Models() {
			states[m.State] = true
		}
		if live -= int64(len(states)); round == 0 {
			before = live
		} else if live > before { // there may be fewer, because the collector frees the handles of earlier tests
			t.Fatalf("%d live handles beside the models after round %d, %d after the first", live, round, before)
		}
	}
}
