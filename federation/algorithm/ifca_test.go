package algorithm

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestIFCAChoosesTheLowestLoss checks that the chosen model has the lowest loss of all on the client's own labels, and that it is
// the same model if the models are in another order.
func TestIFCAChoosesTheLowestLoss(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "ifca").(*IFCA)
	a.K = 4
	federationtest.TwoConcepts(e)
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	chosen, err := LowestLoss(e, a.Net, a.States, e.Clients, true)
	if err != nil {
		t.Fatal(err)
	}
	losses, err := TrainingLosses(e, a.Net, a.States, e.Clients, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range e.Clients {
		least := math.Inf(1)
		for k := range a.States {
			least = min(least, losses[k][i].Loss)
		}
		if losses[chosen[i]][i].Loss != least {
			t.Errorf("client %d chose a loss of %g, there is %g", i, losses[chosen[i]][i].Loss, least)
		}
	}
	reversed := slices.Clone(a.States)
	slices.Reverse(reversed)
	again, err := LowestLoss(e, a.Net, reversed, e.Clients, false)
	if err != nil {
		t.Fatal(err)
	}
	for i := range again {
		if again[i] != 3-chosen[i] {
			t.Errorf("client %d chose model %d, of the reversed %d", i, chosen[i], again[i])
		}
	}
}

// TestIFCAWithEqualModelsIsFedAvg checks models that start equal: every client chooses the first one, which then equals FedAvg's
// model, and the others never change.
func TestIFCAWithEqualModelsIsFedAvg(t *testing.T) {
	want, _ := federationtest.Finished(t, "fedavg", 2, nil)
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "ifca").(*IFCA)
	a.K, a.equalStart = 3, true
	net, _ := e.Net(false)
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	got := federationtest.Models(t, a)
	if !slices.Equal(got["cluster-0"], want["global"]) {
		t.Error("the first model is not FedAvg's")
	}
	for _, name := range []string{"cluster-1", "cluster-2"} {
		if !slices.Equal(got[name], e.InitialState(net)) {
			t.Errorf("%s moved", name)
		}
	}
}

// TestIFCARedraws checks that every model is some client's choice after the redraw.
func TestIFCARedraws(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "ifca").(*IFCA)
	a.K, e.Rate = 2, 1
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	chosen, err := LowestLoss(e, a.Net, a.States, e.Clients, false)
	if err != nil {
		t.Fatal(err)
	}
	if slices.Min(chosen) == slices.Max(chosen) {
		t.Errorf("choices %v", chosen)
	}
}

// TestIFCADoesNotRedrawForASmallCohort checks that a cohort smaller than K, which cannot choose every model, does not draw again:
// the models are the first ones.
func TestIFCADoesNotRedrawForASmallCohort(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "ifca").(*IFCA)
	a.K, e.Rate = 3, 0.25
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	if n := len(e.Sample(0)); n >= a.K {
		t.Fatalf("the cohort has %d clients", n)
	}
	first, err := IndependentStates(e, a.Net, a.K)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	for k := range first {
		want, err := first[k].Floats()
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.States[k].Floats()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("model %d was drawn again", k)
		}
	}
}

// TestIFCAWithEqualModelsFindsNothing checks that equal models never separate.
func TestIFCAWithEqualModelsFindsNothing(t *testing.T) {
	federationtest.FindsNoGroups(t, "ifca", "where the models start equal, one of them is everybody's choice, and the others never train", func(_ *federation.Env, a federation.Algorithm) {
		a.(*IFCA).K, a.(*IFCA).equalStart = 2, true
	})
}
