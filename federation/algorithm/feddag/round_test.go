package feddag

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// With one cluster and a common start, FedDAG* is FedAvg bit for bit.
func TestStarWithOneClusterIsFedAvg(t *testing.T) {
	want, _ := federationtest.Finished(t, "fedavg", 2, nil)
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag-star").(*FedDAG)
	a.Clustering.Choose, a.PrimaryInit = "count:1", "common"
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	if !slices.Equal(federationtest.Models(t, a)["cluster-0"], want["global"]) {
		t.Error("FedDAG* with one cluster differs from FedAvg")
	}
}

func TestPlantedGroupsAreFound(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag-star").(*FedDAG)
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	if c := a.Clusters(); len(c) != 2 || !slices.Equal(c[0], []int{0, 2, 4, 6}) || !slices.Equal(c[1], []int{1, 3, 5, 7}) {
		t.Errorf("clusters %v", c)
	}
}

// readied is FedDAG before round 0 on two clusters that learn from each other.
func twoClusters(t *testing.T, change func(*federation.Env, *FedDAG)) (*federation.Env, *FedDAG) {
	t.Helper()
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag").(*FedDAG)
	a.Clustering.Choose = "count:2"
	e.Rate = 1
	if change != nil {
		change(e, a)
	}
	if err := errors.Join(a.Validate(), e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	return e, a
}

// A client's secondary encoder is, after its primary phase, that of the round's start, or, with the secondary phase first,
// that which came of it.
func TestPrimaryPhaseLeavesTheSecondaryAlone(t *testing.T) {
	for _, order := range []string{"parallel", "secondary-first"} {
		e, a := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.Order = order })
		r := a.net.Range(torch.Secondary)
		before := federationtest.Models(t, a)
		report, err := a.Round(e, 0, e.Sample(0))
		if err != nil {
			t.Fatal(err)
		}
		after := federationtest.Models(t, a)
		received := before
		if order == "secondary-first" {
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
				t.Errorf("%s, client %d: the primary phase left the primary encoder alone", order, l.Client.ID)
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

// The warm head makes a cluster's model predict what the mean of the warm-up's single-encoder models predicts.
func TestWarmHeadStartsAtTheSingleEncoder(t *testing.T) {
	e, dual := twoClusters(t, nil)
	_, copied := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.HeadInit, a.SecondaryInit = "both", "primary" })
	_, star := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.Variant = StarVariant })
	x, err := e.Evaluate(dual, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	z, err := e.Evaluate(copied, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	y, err := e.Evaluate(star, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, y) || !slices.Equal(z, y) {
		t.Errorf("scores %v, with a copied secondary %v, single encoder %v", x, z, y)
	}
}

// The global secondary is the n_i-weighted mean of all clients' encoders after warm-up, the same in every cluster.
func TestGlobalSecondary(t *testing.T) {
	e, a := twoClusters(t, func(_ *federation.Env, a *FedDAG) { a.SecondaryInit = "global" })
	primary, secondary := a.net.Range(torch.Primary), a.net.Range(torch.Secondary)
	want, total := make([]float64, primary.Len()), 0.
	for z, members := range a.clusters { // a cluster's primary is the mean over its clients (eq. 22)
		n := 0.
		for _, i := range members {
			n += float64(e.Clients[i].Size())
		}
		for k, x := range federationtest.Models(t, a)[clusterName(z)][primary.Begin:primary.End] {
			want[k] += n * float64(x)
		}
		total += n
	}
	for name, x := range federationtest.Models(t, a) {
		for k, got := range x[secondary.Begin:secondary.End] {
			if math.Abs(float64(got)-want[k]/total) > 1e-6 {
				t.Fatalf("%s: weight %d of the secondary is %g, want %g", name, k, got, want[k]/total)
			}
		}
	}
}

// K:1 runs the secondary phase in every K-th round only.
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
