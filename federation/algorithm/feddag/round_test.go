package feddag

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestStarWithOneClusterIsFedAvg checks that FedDAG* with one cluster and a common start is FedAvg bit for bit.
func TestStarWithOneClusterIsFedAvg(t *testing.T) {
	want, _ := federationtest.Finished(t, "fedavg", 2, nil)
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag-star").(*FedDAG)
	a.ClustersBy, a.Clustering.Choose, a.PrimaryInit = ClustersBySimilarity, "count:1", PrimaryInitCommon
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	if !slices.Equal(federationtest.Models(t, a)["cluster-0"], want["global"]) {
		t.Error("FedDAG* with one cluster differs from FedAvg")
	}
}

// TestPrimaryPhaseLeavesTheSecondaryAlone checks that a client's secondary encoder does not change in its primary phase: it is
// the encoder at the start of the round or, with the secondary phase first, the result of that phase.
func TestPrimaryPhaseLeavesTheSecondaryAlone(t *testing.T) {
	for _, order := range []string{OrderParallel, OrderSecondaryFirst} {
		e, a := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.Order = order })
		r := a.net.Range(torch.Secondary)
		before := federationtest.Models(t, a)
		report, err := a.Round(e, 0, e.Sample(0))
		if err != nil {
			t.Fatal(err)
		}
		after := federationtest.Models(t, a)
		received := before
		if order == OrderSecondaryFirst {
			received = after
		}
		for _, l := range report.Trained {
			x, err := l.State.Floats()
			if err != nil {
				t.Fatal(err)
			}
			cluster := a.Models()[a.clusterOf[l.Client.ID]].Name
			if !slices.Equal(x[r.Begin:r.End], received[cluster][r.Begin:r.End]) {
				t.Errorf("%s, client %d: the primary phase moved the secondary encoder", order, l.Client.ID)
			}
			if slices.Equal(x[:r.Begin], before[cluster][:r.Begin]) {
				t.Errorf("%s, client %d: the primary phase did not change the primary encoder", order, l.Client.ID)
			}
			l.State.Close()
		}
		for name, x := range after {
			if slices.Equal(x[r.Begin:r.End], before[name][r.Begin:r.End]) {
				t.Errorf("%s, %s: the secondary phase moved nothing", order, name)
			}
		}
	}
}

// TestSchedule checks that the schedule K:1 has a secondary phase in every K-th round only.
func TestSchedule(t *testing.T) {
	e, a := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.Schedule = "2:1" })
	r := a.net.Range(torch.Secondary)
	for round, moves := range []bool{false, true, false, true} {
		before := federationtest.Models(t, a)["cluster-0"][r.Begin:r.End]
		report, err := a.Round(e, round, e.Sample(round))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.State.Close()
		}
		if after := federationtest.Models(t, a)["cluster-0"][r.Begin:r.End]; slices.Equal(before, after) == moves {
			t.Errorf("round %d: moved %v", round, !moves)
		}
	}
}

// TestLedger checks the bytes of a run of FedDAG*: the messages of phase 1 for the similarity, and one model in each direction
// per sampled client and round.
func TestLedger(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag-star --feddag-clustering similarity").(*FedDAG)
	e.Rounds = 2
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	p := int64(4 * a.net.Len())
	total := e.Ledger.Total
	for kind, want := range map[string]int64{
		"initial": 8 * p, "primary and head": 2 * 4 * p, "cluster": 8 * 4,
	} {
		if got := total.Down[kind]; got != want {
			t.Errorf("down, %s: %d bytes, want %d", kind, got, want)
		}
	}
	for kind, want := range map[string]int64{
		"update": 8 * 4 * max(1, int64(math.Round(0.02*float64(a.net.Len())))), "warm-up weights": 8 * p,
		"counts": 8 * 4 * federationtest.Classes, "principal vectors": 8 * 2 * 4 * federationtest.Side * federationtest.Side, "primary and head": 2 * 4 * p,
	} {
		if got := total.Up[kind]; got != want {
			t.Errorf("up, %s: %d bytes, want %d", kind, got, want)
		}
	}
	var up, down int64
	for _, c := range e.Ledger.Clients {
		up, down = up+c[0], down+c[1]
	}
	if u, d := total.Totals(); u != up || d != down {
		t.Errorf("clients sent %d and received %d bytes, kinds say %d and %d", up, down, u, d)
	}
}
