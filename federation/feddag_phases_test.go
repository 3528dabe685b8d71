package federation

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"feddag/torch"
)

// With one cluster and a common start, FedDAG* is FedAvg bit for bit.
func TestStarWithOneClusterIsFedAvg(t *testing.T) {
	want, _ := finished(t, "fedavg", 2, nil)
	e, a := tinyEnv(t, 2), algorithm(t, "feddag-star").(*FedDAG)
	a.Clustering.Choose, a.PrimaryInit = "count:1", "common"
	mustRun(t, e, a, RunOptions{})
	if !slices.Equal(weights(t, a)["cluster-0"], want["global"]) {
		t.Error("FedDAG* with one cluster differs from FedAvg")
	}
}

func TestPlantedGroupsAreFound(t *testing.T) {
	e, a := tinyEnv(t, 2), algorithm(t, "feddag-star").(*FedDAG)
	mustRun(t, e, a, RunOptions{})
	if c := a.Clusters(); len(c) != 2 || !slices.Equal(c[0], []int{0, 2, 4, 6}) || !slices.Equal(c[1], []int{1, 3, 5, 7}) {
		t.Errorf("clusters %v", c)
	}
}

// readied is FedDAG before round 0 on two clusters that learn from each other.
func readied(t *testing.T, change func(*Env, *FedDAG)) (*Env, *FedDAG) {
	t.Helper()
	e, a := tinyEnv(t, 2), algorithm(t, "feddag").(*FedDAG)
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
		e, a := readied(t, func(_ *Env, a *FedDAG) { a.Order = order })
		r := a.net.Range(torch.Secondary)
		before := weights(t, a)
		report, err := a.Round(e, 0, e.cohort(0))
		if err != nil {
			t.Fatal(err)
		}
		after := weights(t, a)
		received := before
		if order == "secondary-first" {
			received = after
		}
		for _, l := range report.Trained {
			x, err := l.State.Floats()
			if err != nil {
				t.Fatal(err)
			}
			cluster := a.Models()[a.of[l.Client.ID]].Name
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
	e, dual := readied(t, nil)
	_, copied := readied(t, func(_ *Env, a *FedDAG) { a.HeadInit, a.SecondaryInit = "both", "primary" })
	_, star := readied(t, func(_ *Env, a *FedDAG) { a.Variant = StarVariant })
	x, err := e.evaluate(dual, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	z, err := e.evaluate(copied, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	y, err := e.evaluate(star, e.Clients)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, y) || !slices.Equal(z, y) {
		t.Errorf("scores %v, with a copied secondary %v, single encoder %v", x, z, y)
	}
}

// The global secondary is the n_i-weighted mean of all clients' encoders after warm-up, the same in every cluster.
func TestGlobalSecondary(t *testing.T) {
	e, a := readied(t, func(_ *Env, a *FedDAG) { a.SecondaryInit = "global" })
	primary, secondary := a.net.Range(torch.Primary), a.net.Range(torch.Secondary)
	want, total := make([]float64, primary.Len()), 0.
	for z, members := range a.clusters { // a cluster's primary is the mean over its clients (eq. 22)
		n := 0.
		for _, i := range members {
			n += float64(e.Clients[i].Size())
		}
		for k, x := range weights(t, a)[clusterName(z)][primary.Begin:primary.End] {
			want[k] += n * float64(x)
		}
		total += n
	}
	for name, x := range weights(t, a) {
		for k, got := range x[secondary.Begin:secondary.End] {
			if math.Abs(float64(got)-want[k]/total) > 1e-6 {
				t.Fatalf("%s: weight %d of the secondary is %g, want %g", name, k, got, want[k]/total)
			}
		}
	}
}

// K:1 runs the secondary phase in every K-th round only.
func TestSchedule(t *testing.T) {
	e, a := readied(t, func(_ *Env, a *FedDAG) { a.Schedule = "2:1" })
	r := a.net.Range(torch.Secondary)
	for round, moves := range []bool{false, true, false, true} {
		before := weights(t, a)["cluster-0"][r.Begin:r.End]
		report, err := a.Round(e, round, e.cohort(round))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range report.Trained {
			l.State.Close()
		}
		if after := weights(t, a)["cluster-0"][r.Begin:r.End]; slices.Equal(before, after) == moves {
			t.Errorf("round %d: moved %v", round, !moves)
		}
	}
}
