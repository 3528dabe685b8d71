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

// diverging checks a round in which the training of one client diverges. With the policy stop, the round is an error that names
// the client and the round, and nothing has changed. With the policy drop, the round has the same result as with the other
// clients alone.
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
		t.Skip("the algorithm asks every client for a gradient in a round: a client that cannot answer ends the run under either policy")
	}
	e, a, r, x = federationtest.DivergingEnv(t, name, federation.RunOptions{Algorithm: name})
	x.Client, x.Healthy, e.OnDivergence = cohort[0].ID, false, federation.DropOnDivergence
	var result federation.RoundResult
	e.Observers = []federation.Observer{federationtest.LastRound{Result: &result}}
	if err := r.Round(0); err != nil {
		t.Fatalf("drop: %v", err)
	}
	if !slices.Equal(result.Dropped, []int{x.Client}) || slices.Contains(result.Cohort, x.Client) || len(result.Pre) != len(result.Cohort) || len(result.Cohort) != len(cohort)-1 {
		t.Errorf("drop: cohort %v, dropped %v, %d scores", result.Cohort, result.Dropped, len(result.Pre))
	}
	if result.Traffic.Down["dropped"] == 0 || result.Traffic.Up["dropped"] != 0 || e.Ledger.Work[x.Client].Training == 0 {
		t.Errorf("drop: the ledger has %v, work %v", result.Traffic, e.Ledger.Work[x.Client])
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
		t.Error("drop: the models differ from those of a round without the client")
	}
}

// TestLossThatIsNoNumber checks that a learning rate at which every training diverges gives an error that names the client and
// the flag.
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
