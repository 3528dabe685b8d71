package algorithm_test

import (
	"math"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// progressObserver is an observer that keeps and checks the progress within each round.
type progressObserver struct {
	federationtest.Silent
	t       *testing.T
	shares  []float64 // shares of the current round
	phases  []string  // phases of the current round that trained, in their order
	whole   []bool    // for each round, whether all of its training was done at its end
	all     [][]string
	dropped []int
}

// trains lists the phases whose training counts in the progress of a round.
var trains = map[string]bool{
	federation.PrimaryPhase.String(): true, federation.SecondaryPhase.String(): true, federation.HeadPhase.String(): true,
}

func (o *progressObserver) Phase(p federation.Progress) {
	if !p.InRound {
		if p.Share != 0 {
			o.t.Errorf("%s, not in a round: share %v", p.Phase, p.Share)
		}
		return
	}
	if p.Round != len(o.whole) {
		o.t.Errorf("%s: round %d, expected %d", p.Phase, p.Round, len(o.whole))
	}
	if n := len(o.shares); !(p.Share >= 0 && p.Share <= 1) || n > 0 && p.Share < o.shares[n-1] {
		o.t.Errorf("round %d, %s: share %v after %v", p.Round, p.Phase, p.Share, o.shares)
	}
	o.shares = append(o.shares, p.Share)
	if n := len(o.phases); p.Total > 0 && (n == 0 || o.phases[n-1] != p.Phase) {
		if trains[p.Phase] && p.Share == 1 {
			o.t.Errorf("round %d: all is done when the phase %s begins, after %q", p.Round, p.Phase, o.phases)
		}
		o.phases = append(o.phases, p.Phase)
	}
}

func (o *progressObserver) Round(r federation.RoundResult) error {
	o.dropped = append(o.dropped, r.Dropped...)
	o.whole = append(o.whole, len(o.shares) > 0 && math.Abs(o.shares[len(o.shares)-1]-1) < 1e-12)
	o.all = append(o.all, o.phases)
	o.shares, o.phases = nil, nil
	return nil
}

// TestRoundProgress checks that the progress of a round never falls, and is complete when the training of the round is done, for
// every algorithm, and for FedDAG in every order of its phases.
func TestRoundProgress(t *testing.T) {
	names := federation.Names()
	for _, order := range []string{"parallel", "primary-first", "secondary-first"} {
		names = append(names, "feddag --feddag-encoders=2 --feddag-order="+order,
			"feddag --feddag-encoders=2 --feddag-schedule=2:1 --feddag-head-epochs=2 --feddag-order="+order,
			"feddag --feddag-encoders=2 --feddag-secondary-head=full --feddag-own-source=false --feddag-order="+order)
	}
	names = append(names, "fedrc --fedrc-top=2", "per-fedavg --per-fedavg-steps=3", "per-fedavg --per-fedavg-steps=0")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
			o := &progressObserver{t: t}
			e.Observers = []federation.Observer{o}
			federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
			if len(o.whole) != e.Rounds {
				t.Errorf("%d rounds", len(o.whole))
			}
			for round, whole := range o.whole {
				if !whole {
					t.Errorf("round %d, of the phases %q, ends before its progress does", round, o.all[round])
				}
			}
		})
	}
}

// TestRoundProgressWithoutDiverged checks that the progress does not fall when a round is repeated without a client whose
// training diverged.
func TestRoundProgressWithoutDiverged(t *testing.T) {
	e, a, r, x := federationtest.DivergingEnv(t, "fedavg", federation.RunOptions{Algorithm: "fedavg"})
	cohort, err := e.Participants(a, 0)
	if err != nil {
		t.Fatal(err)
	}
	x.Client = cohort[0].ID
	o := &progressObserver{t: t}
	e.Observers = []federation.Observer{o}
	x.Healthy, e.OnDivergence = false, federation.DropOnDivergence
	if err := r.Round(0); err != nil {
		t.Fatal(err)
	}
	if len(o.whole) != 1 || !o.whole[0] || len(o.dropped) != 1 {
		t.Errorf("rounds %v, whole %v, dropped %v", o.all, o.whole, o.dropped)
	}
}
