package federation

import (
	"errors"
	"slices"
	"testing"

	"feddag/torch"
)

// diverging holds every algorithm to this: with drop, a round in which a client diverges is the round of the others; with
// stop it is an error that names client and round, and nothing has changed.
func diverging(t *testing.T, name string) {
	e, a, r, x := sickEnv(t, name, RunOptions{Algorithm: name})
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
	e, a, r, x = sickEnv(t, name, RunOptions{Algorithm: name})
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

	other, b, _, _ := sickEnv(t, name, RunOptions{Algorithm: name})
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
