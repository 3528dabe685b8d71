package federation

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/torch"
)

// sick is an engine one of whose clients diverges: its weights, or its loss alone, are no numbers.
type sick struct {
	*torch.Engine
	client  int
	weights bool       // not the loss
	parts   torch.Part // only in trainings of these; 0: in all
	well    bool       // for now
}

func (s *sick) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	trained, err := s.Engine.Train(net, images, jobs, parts, sgd)
	for i := range trained {
		if s.well || jobs[i].Client != s.client || s.parts != 0 && s.parts != parts {
			continue
		}
		if s.weights {
			trained[i].Finite = false
		} else {
			trained[i].Loss[len(trained[i].Loss)-1] = math.NaN()
		}
	}
	return trained, err
}

// sickEnv is tinyEnv where the first client of round 0 diverges once the rounds have begun.
func sickEnv(t *testing.T, name string) (*Env, Algorithm, *run, *sick) {
	t.Helper()
	e, a := tinyEnv(t, 2), algorithm(t, name)
	x := &sick{Engine: e.Executor.(*torch.Engine), well: true}
	e.Executor = x
	if err := e.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	r := newRun(e, a, RunOptions{Algorithm: name})
	if _, err := r.begin(); err != nil {
		t.Fatal(err)
	}
	return e, a, r, x
}

// diverging holds every algorithm to this: with drop, a round in which a client diverges is the round of the others; with
// stop it is an error that names client and round, and nothing has changed.
func diverging(t *testing.T, name string) {
	e, a, r, x := sickEnv(t, name)
	cohort, err := e.participants(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	x.client, x.well = cohort[0].ID, false
	before := weights(t, a)
	live, _ := torch.Live()
	var d *Diverged
	if err := r.round(0); !errors.As(err, &d) || !slices.Equal(d.Clients, []int{x.client}) || d.Round != 0 {
		t.Fatalf("stop: %v", err)
	}
	if !equalWeights(weights(t, a), before) {
		t.Error("stop: the models changed")
	}
	if now, _ := torch.Live(); now > live {
		t.Errorf("stop: %d live handles, %d before", now, live)
	}

	if name == "cfl-gp" {
		t.Skip("asks every client for a gradient in a round: one that cannot answer ends the run under either policy")
	}
	e, a, r, x = sickEnv(t, name)
	x.client, x.well, e.OnDivergence = cohort[0].ID, false, DropOnDivergence
	var told RoundResult
	e.Observers = []Observer{lastRound{told: &told}}
	if err := r.round(0); err != nil {
		t.Fatalf("drop: %v", err)
	}
	if !slices.Equal(told.Dropped, []int{x.client}) || slices.Contains(told.Cohort, x.client) || len(told.Pre) != len(told.Cohort) || len(told.Cohort) != len(cohort)-1 {
		t.Errorf("drop: cohort %v, dropped %v, %d scores", told.Cohort, told.Dropped, len(told.Pre))
	}
	if told.Traffic.Down["dropped"] == 0 || told.Traffic.Up["dropped"] != 0 || e.Ledger.Work[x.client].Training == 0 {
		t.Errorf("drop: the ledger has %v, work %v", told.Traffic, e.Ledger.Work[x.client])
	}

	other, b, _, _ := sickEnv(t, name)
	if cohort, err = other.participants(b, 0); err != nil {
		t.Fatal(err)
	}
	report, err := b.Round(other, 0, cohort[1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Trained {
		l.close()
	}
	if !equalWeights(weights(t, a), weights(t, b)) {
		t.Error("drop: not the models of a round without the client")
	}
}

// lastRound keeps the last round's result.
type lastRound struct {
	silent
	told *RoundResult
}

func (l lastRound) Round(r RoundResult) error { *l.told = r; return nil }

// Weights that are no numbers are found as a loss is, in the second phase as in the first; the client is then out of both.
func TestDivergenceInTheSecondPhase(t *testing.T) {
	t.Run("full head", func(t *testing.T) { secondPhaseDiverges(t, "feddag --feddag-secondary-head full", torch.Secondary) })
	t.Run("own head", func(t *testing.T) { secondPhaseDiverges(t, "feddag", torch.All) })
}

func secondPhaseDiverges(t *testing.T, name string, parts torch.Part) {
	e, a, r, x := sickEnv(t, name)
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

// A run whose every client diverges ends in an error. What was written before stays: the last checkpoint, from which the
// run goes on without such clients.
func TestStopKeepsWhatWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	o := RunOptions{Algorithm: "fedavg", Config: "c", Checkpoint: path}
	e, a, r, x := sickEnv(t, "fedavg")
	r.o = o
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

	alone, _, r, x := sickEnv(t, "fedavg")
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
