package federation

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"feddag/torch"
)

// Every registered algorithm keeps these promises. A new one is tested without a new test. So does FedDAG with the other
// head of its secondary phase.
func TestConformance(t *testing.T) {
	for _, name := range append(Names(), "feddag --feddag-secondary-head full") {
		t.Run(name, func(t *testing.T) {
			t.Run("same seed, any workers, same bits", func(t *testing.T) { sameBits(t, name) })
			t.Run("another seed, other bits", func(t *testing.T) { otherBits(t, name) })
			t.Run("stop and resume", func(t *testing.T) { stopAndResume(t, name) })
			t.Run("interrupted in a round", func(t *testing.T) { interrupted(t, name) })
			t.Run("order of the cohort", func(t *testing.T) { cohortOrder(t, name) })
			t.Run("rate 0 changes nothing", func(t *testing.T) { rateZero(t, name) })
			t.Run("newcomers", func(t *testing.T) { newcomers(t, name) })
			t.Run("models and clusters", func(t *testing.T) { modelsAndClusters(t, name) })
			t.Run("a client that diverges", func(t *testing.T) { diverging(t, name) })
			t.Run("nothing leaks", func(t *testing.T) { leaks(t, name) })
		})
	}
}

func sameBits(t *testing.T, name string) {
	w1, r1 := finished(t, name, 1, nil)
	w2, r2 := finished(t, name, 3, nil)
	if !equalWeights(w1, w2) {
		t.Error("weights differ between 1 and 3 workers")
	}
	if !equalResults(r1, r2) {
		t.Error("scores differ between 1 and 3 workers")
	}
}

func otherBits(t *testing.T, name string) {
	w1, _ := finished(t, name, 2, nil)
	w2, _ := finished(t, name, 2, func(e *Env) { e.Seed++ })
	if equalWeights(w1, w2) {
		t.Error("the seed changes nothing")
	}
}

func stopAndResume(t *testing.T, name string) {
	want, wantResult := finished(t, name, 2, nil)
	for stop := range 5 {
		path := filepath.Join(t.TempDir(), "checkpoint", "last.safetensors")
		o := RunOptions{Algorithm: name, Config: "c", Checkpoint: path}
		e, a := tinyEnv(t, 2), algorithm(t, name)
		e.Rounds, e.FinalPost = stop, false
		mustRun(t, e, a, o)

		c, err := ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		o.Resume = c
		e, a = tinyEnv(t, 1), algorithm(t, name)
		r := mustRun(t, e, a, o)
		if !equalWeights(weights(t, a), want) {
			t.Errorf("resumed after round %d: other weights", stop)
		}
		if !equalResults(r, wantResult) {
			t.Errorf("resumed after round %d: other scores", stop)
		}
	}
}

func interrupted(t *testing.T, name string) {
	want, _ := finished(t, name, 2, nil)
	path := filepath.Join(t.TempDir(), "last.safetensors")
	o := RunOptions{Algorithm: name, Config: "c", Checkpoint: path}
	e, a := tinyEnv(t, 2), algorithm(t, name)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e.Observers = []Observer{canceller{cancel: cancel}}
	if _, err := Run(ctx, e, a, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted run: %v", err)
	}
	c, err := ReadCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	if c.Rounds < 2 || c.Rounds > 3 { // a round that was as good as done may finish
		t.Errorf("checkpoint after %d rounds, want 2", c.Rounds)
	}
	o.Resume = c
	e, a = tinyEnv(t, 2), algorithm(t, name)
	mustRun(t, e, a, o)
	if !equalWeights(weights(t, a), want) {
		t.Error("other weights after an interrupt")
	}
}

func cohortOrder(t *testing.T, name string) {
	var first map[string][]float32
	for _, reverse := range []bool{false, true} {
		e, a := tinyEnv(t, 2), algorithm(t, name)
		if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
			t.Fatal(err)
		}
		for round := range 2 {
			cohort, err := e.participants(a, round)
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
				l.close()
			}
		}
		if got := weights(t, a); first == nil {
			first = got
		} else if !equalWeights(got, first) {
			t.Error("the order of the cohort changes the weights")
		}
	}
}

func rateZero(t *testing.T, name string) {
	if name == "fedsoft" {
		t.Skip("a centre is the mean of its clients' own models, which begin as mixtures of all centres")
	}
	e, a := tinyEnv(t, 2), algorithm(t, name)
	e.LearningRate = 0
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	before := weights(t, a)
	for round := range 2 {
		cohort, err := e.participants(a, round)
		if err != nil {
			t.Fatal(err)
		}
		report, err := a.Round(e, round, cohort)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.close()
		}
	}
	if !equalWeights(weights(t, a), before) {
		t.Error("training with learning rate 0 moved the weights")
	}
}

func modelsAndClusters(t *testing.T, name string) {
	e, a := tinyEnv(t, 2), algorithm(t, name)
	r := mustRun(t, e, a, RunOptions{Algorithm: name})
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
	x, ok := a.(Clustered)
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
			t.Fatalf("the clusters are no partition: %v", x.Clusters())
		}
	}
	if len(members) != len(e.Clients) {
		t.Fatalf("the clusters are no partition: %v", x.Clusters())
	}
}

// newcomers come after some rounds: they have models, nobody else's changes, they can train, and the number of workers
// does not matter.
func newcomers(t *testing.T, name string) {
	var first map[string][]float32
	for _, workers := range []int{1, 3} {
		e, a := tinyEnv(t, workers), algorithm(t, name)
		n, ok := a.(Newcomer)
		if !ok {
			t.Skip("takes no newcomers")
		}
		for _, i := range []int{3, 6} {
			e.Clients[i].HeldOut = true
		}
		if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
			t.Fatal(err)
		}
		r := newRun(e, a, RunOptions{Algorithm: name})
		for round := range e.Rounds {
			if err := r.round(round); err != nil {
				t.Fatal(err)
			}
		}
		before, models := weights(t, a), map[int]Model{}
		for _, c := range e.Present() {
			models[c.ID] = a.Model(c.ID)
		}
		up, down := e.Ledger.Total.Totals()
		if err := n.Join(e, e.Rounds, []*Client{e.Clients[6], e.Clients[3]}); err != nil {
			t.Fatal(err)
		}
		for i, m := range models {
			if a.Model(i) != m {
				t.Errorf("client %d's model changed", i)
			}
		}
		after := weights(t, a)
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
		report, err := a.Round(e, e.Rounds, []*Client{e.Clients[2], e.Clients[3], e.Clients[6]})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.close()
		}
		if trained := weights(t, a); first == nil {
			first = trained
		} else if !equalWeights(trained, first) {
			t.Error("weights differ between 1 and 3 workers")
		}
	}
}

func leaks(t *testing.T, name string) {
	e, a := tinyEnv(t, 2), algorithm(t, name)
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	r := newRun(e, a, RunOptions{})
	var before int64
	for round := range 6 {
		if err := r.round(round); err != nil {
			t.Fatal(err)
		}
		live, _ := torch.Live()
		states := map[*torch.Vector]bool{} // a method may have more of them from round to round
		for _, m := range a.Models() {
			states[m.State] = true
		}
		if live -= int64(len(states)); round == 0 {
			before = live
		} else if live > before { // fewer: the collector freed what earlier tests left
			t.Fatalf("%d live handles beside the models after round %d, %d after the first", live, round, before)
		}
	}
}
