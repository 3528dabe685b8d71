package cfl

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"

	"github.com/spf13/pflag"
)

// TestCFLWithoutSplitsIsUniformFedAvg checks that CFL with ε1 = 0 never splits and is FedAvg with equal weights.
func TestCFLWithoutSplitsIsUniformFedAvg(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedavg").(*algorithm.FedAvg)
	a.Weigh = algorithm.EqualWeights
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	e, b := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "cfl").(*CFL)
	b.Eps1, b.From = 0, 0
	federationtest.MustRun(t, e, b, federation.RunOptions{})
	if !slices.Equal(federationtest.Models(t, a)["global"], federationtest.Models(t, b)["cluster-0"]) || len(b.States) != 1 {
		t.Errorf("%d models, or not FedAvg's", len(b.States))
	}
}

// TestCFLSplitsOppositeUpdates checks opposite updates, whose mean is 0 and whose lengths are 2. Both linkages separate them
// exactly. There is no split before round From, or as long as the mean is not below ε1.
func TestCFLSplitsOppositeUpdates(t *testing.T) {
	for _, linkage := range []string{"complete", "single"} {
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "cfl").(*CFL)
		a.Linkage, a.Calibrate, a.From = linkage, false, 3
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		fill := func() {
			for i := range a.last {
				a.last[i] = make([]float32, a.Net.Len())
				a.last[i][3] = []float32{2, -2}[i%2]
			}
		}
		fill()
		if _, err := a.split(2); err != nil || len(a.States) != 1 {
			t.Fatalf("split before its time: %v", err)
		}
		notes, err := a.split(3)
		if err != nil {
			t.Fatal(err)
		}
		if notes["cfl_mean_update"] != 0 || notes["cfl_longest_update"] != 2 {
			t.Errorf("noted %v", notes)
		}
		if x := federationtest.ARI(t, e, a); x != 1 || len(a.States) != 2 {
			t.Errorf("%s linkage: clusters %v", linkage, a.Clusters())
		}
		fill() // now the updates of each cluster are equal, and their mean has length 2
		if _, err := a.split(4); err != nil || len(a.States) != 2 {
			t.Errorf("%s linkage: split again, %v: %v", linkage, a.Clusters(), err)
		}
	}
}

// TestCFLSplitsAgain checks that repeated splits assign clients, not indices into a cluster: after every split each client is in
// exactly one cluster.
func TestCFLSplitsAgain(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "cfl").(*CFL)
	a.Calibrate, a.From, a.Eps1, a.Eps2 = false, 0, 10, 0
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		for i := range a.last { // four directions, of two clients each
			a.last[i] = make([]float32, a.Net.Len())
			a.last[i][i%4/2] = []float32{1, -1}[i%2]
		}
		if _, err := a.split(round); err != nil {
			t.Fatal(err)
		}
		var all []int
		for _, members := range a.Clusters() {
			all = append(all, members...)
		}
		slices.Sort(all)
		if !slices.Equal(all, []int{0, 1, 2, 3, 4, 5, 6, 7}) {
			t.Fatalf("round %d: clusters %v", round, a.Clusters())
		}
	}
	if c := a.Clusters(); len(c) != 4 || !slices.Equal(c[0], []int{0, 4}) {
		t.Errorf("clusters %v", c)
	}
}

// TestCFLKeepsUpdates checks that the next split waits for new updates of the clients, and that with Keep their older updates are
// used instead.
func TestCFLKeepsUpdates(t *testing.T) {
	for _, keep := range []bool{false, true} {
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "cfl").(*CFL)
		a.Calibrate, a.From, a.Eps1, a.Eps2, a.Keep = false, 0, 10, 0, keep
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		for i := range a.last { // four directions, of two clients each
			a.last[i] = make([]float32, a.Net.Len())
			a.last[i][i%4/2] = []float32{1, -1}[i%2]
		}
		for round := range 3 {
			if _, err := a.split(round); err != nil {
				t.Fatal(err)
			}
		}
		want := 2
		if keep {
			want = 4
		}
		if c := a.Clusters(); len(c) != want {
			t.Errorf("keep %v: clusters %v, want %d", keep, c, want)
		}
	}
}

// TestCFLCalibration checks that the thresholds are calibrated once, by the first updates that can be tested, that a checkpoint keeps
// them, and that the flags still have the values that were given.
func TestCFLCalibration(t *testing.T) {
	flags := func(a *CFL) string {
		f := pflag.NewFlagSet("", pflag.ContinueOnError)
		a.Flags(f)
		return fmt.Sprint(f.Lookup("cfl-eps1").Value, f.Lookup("cfl-eps2").Value, f.Lookup("cfl-calibrate").Value)
	}
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "cfl").(*CFL)
	a.From = 0
	given := flags(a)
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	for _, length := range []float32{2, 8} {
		for i := range a.last {
			a.last[i] = make([]float32, a.Net.Len())
			a.last[i][3] = length
		}
		if _, err := a.split(0); err != nil {
			t.Fatal(err)
		}
		if got, want := a.limits(), (thresholds{0.75, 1.5}); got != want || len(a.States) != 1 {
			t.Errorf("thresholds %v, want %v", got, want)
		}
	}
	if got := flags(a); got != given {
		t.Errorf("the flags are %s, but %s were given", got, given)
	}
	saved, err := a.Save()
	if err != nil {
		t.Fatal(err)
	}
	e, b := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "cfl").(*CFL)
	t.Cleanup(b.Close)
	b.From = 0
	if err := errors.Join(e.Start(context.Background()), b.Load(e, saved)); err != nil {
		t.Fatal(err)
	}
	if got := flags(b); b.limits() != a.limits() || got != given {
		t.Errorf("after a resume: thresholds %v, want %v; flags %s, want %s", b.limits(), a.limits(), got, given)
	}
}

// TestCFLGammaMax checks that a cluster of orthogonal updates, whose γ is sqrt(1/2), is split only if this is above GammaMax, and that
// γ is noted in both cases.
func TestCFLGammaMax(t *testing.T) {
	for _, x := range []struct {
		gammaMax float64
		clusters int
	}{{0, 2}, {0.70, 2}, {0.71, 1}} {
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "cfl").(*CFL)
		a.Calibrate, a.From, a.Eps1, a.Eps2, a.GammaMax = false, 0, 10, 0, x.gammaMax
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		for i := range a.last {
			a.last[i] = make([]float32, a.Net.Len())
			a.last[i][i%2] = 1
		}
		notes, err := a.split(0)
		if err != nil {
			t.Fatal(err)
		}
		if len(a.States) != x.clusters || math.Abs(notes["cfl_gamma"]-math.Sqrt(0.5)) > 1e-6 {
			t.Errorf("GammaMax %g: %d clusters, noted %v", x.gammaMax, len(a.States), notes)
		}
	}
}

// TestLengths checks lengths and cosine distances by hand.
func TestLengths(t *testing.T) {
	x := [][]float32{{3, 0}, {0, 4}, {-3, 0}}
	mean, longest := lengths(algorithm.Gram(x, 2))
	if math.Abs(mean-4./3) > 1e-12 || longest != 4 {
		t.Errorf("mean %g, longest %g", mean, longest)
	}
	d := algorithm.CosineDistances(algorithm.Gram(x, 1))
	if d.At(0, 1) != 1 || d.At(0, 2) != 2 || d.At(1, 1) != 0 {
		t.Errorf("distances %v", d)
	}
}
