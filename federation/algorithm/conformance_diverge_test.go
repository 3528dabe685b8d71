package algorithm_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// diverging holds every algorithm to this: with drop, a round in which a client diverges is the round of the others; with
// stop it is an error that names client and round, and nothing has changed.
func diverging(t *testing.T, name string) {
	e, a, r, x := federationtest.DivergingEnv(t, name, federation.RunOptions{Algorithm: name})
	cohort, err := e.Participants(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	x.Client, x.Healthy = cohort[0].ID, false
	before := federationtest.Models(t, a)
	live, _ := torch.Live()
	var d *federation.Diverged
	if err := r.Round(0); !errors.As(err, &d) || !slices.Equal(d.Clients, []int{x.Client}) || d.Round != 0 {
		t.Fatalf("stop: %v", err)
	}
	if !federationtest.EqualModels(federationtest.Models(t, a), before) {
		t.Error("stop: the models changed")
	}
	if now, _ := torch.Live(); now > live {
		t.Errorf("stop: %d live handles, %d before", now, live)
	}

	if name == "cfl-gp" {
		t.Skip("asks every client for a gradient in a round: one that cannot answer ends the run under either policy")
	}
	e, a, r, x = federationtest.DivergingEnv(t, name, federation.RunOptions{Algorithm: name})
	x.Client, x.Healthy, e.OnDivergence = cohort[0].ID, false, federation.DropOnDivergence
	var told federation.RoundResult
	e.Observers = []federation.Observer{federationtest.LastRound{Result: &told}}
	if err := r.Round(0); err != nil {
		t.Fatalf("drop: %v", err)
	}
	if !slices.Equal(told.Dropped, []int{x.Client}) || slices.Contains(told.Cohort, x.Client) || len(told.Pre) != len(told.Cohort) || len(told.Cohort) != len(cohort)-1 {
		t.Errorf("drop: cohort %v, dropped %v, %d scores", told.Cohort, told.Dropped, len(told.Pre))
	}
	if told.Traffic.Down["dropped"] == 0 || told.Traffic.Up["dropped"] != 0 || e.Ledger.Work[x.Client].Training == 0 {
		t.Errorf("drop: the ledger has %v, work %v", told.Traffic, e.Ledger.Work[x.Client])
	}

	other, b, _, _ := federationtest.DivergingEnv(t, name, federation.RunOptions{Algorithm: name})
	if cohort, err = other.Participants(b, 0); err != nil {
		t.Fatal(err)
	}
	report, err := b.Round(other, 0, cohort[1:])
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Trained {
		l.Close()
	}
	if !federationtest.EqualModels(federationtest.Models(t, a), federationtest.Models(t, b)) {
		t.Error("drop: not the models of a round without the client")
	}
}

func TestLossThatIsNoNumber(t *testing.T) {
	for _, name := range federation.Names() {
		e := federationtest.TinyEnv(t, 2)
		e.LearningRate = 1e30
		_, err := federation.Run(context.Background(), e, federationtest.Algorithm(t, name), federation.RunOptions{Algorithm: name})
		if err == nil || !strings.Contains(err.Error(), "client ") || !strings.Contains(err.Error(), "--lr") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
