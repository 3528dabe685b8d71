package algorithm_test

import (
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/algorithm/cfl"
	"feddag/federation/algorithm/cflgp"
	"feddag/federation/algorithm/fblg"
	"feddag/federation/algorithm/fedgwc"
	"feddag/federation/algorithm/fedrc"
	"feddag/federation/algorithm/fedsoft"
	"feddag/federation/algorithm/pacfl"
	"feddag/federation/federationtest"
)

// TestPlantedGroups checks that the clustered methods find the fixture's two groups, which share no class, if the number of
// groups is given. A method that is made for another problem is tested on that problem.
func TestPlantedGroups(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*federation.Env, federation.Algorithm)
	}{
		{"oracle", nil},
		{"pacfl", func(_ *federation.Env, a federation.Algorithm) { a.(*pacfl.PACFL).Choose = "count:2" }},
		{"ifca", func(_ *federation.Env, a federation.Algorithm) { a.(*algorithm.IFCA).K = 2 }},
		{"cfl-gp", func(_ *federation.Env, a federation.Algorithm) { a.(*cflgp.CFLGP).K = 2 }},
		{"fedsoft", func(e *federation.Env, a federation.Algorithm) { a.(*fedsoft.FedSoft).K, e.Rounds = 2, 8 }},
		// FedGWC compares losses, so the groups have two levels of loss.
		{"fedgwc", func(e *federation.Env, a federation.Algorithm) {
			federationtest.TwoDifficulties(e)
			e.Rounds, e.Seed, e.LearningRate = 30, 1, 0.02 // one of four seeds splits too early
		}},
		// FedRC's prior removes label skew, so the groups have two concepts.
		{"fedrc", func(e *federation.Env, a federation.Algorithm) {
			federationtest.TwoConcepts(e)
			e.Rounds, e.Rate, e.Seed, a.(*fedrc.FedRC).K = 40, 1, 1, 2 // from some initial states one model gets all clients
		}},
		// No model serves two concepts, so the mean update vanishes while the updates of the clients do not.
		{"cfl", func(e *federation.Env, a federation.Algorithm) {
			federationtest.TwoConcepts(e)
			e.Rounds, a.(*cfl.CFL).From, a.(*cfl.CFL).Full = 20, 10, true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, c.name)
			if c.change != nil {
				c.change(e, a)
			}
			federationtest.MustRun(t, e, a, federation.RunOptions{})
			if x := federationtest.ARI(t, e, a); x != 1 {
				t.Errorf("adjusted Rand index %.3f: %v", x, a.(federation.Clustered).Clusters())
			}
		})
	}
}

// TestKnownFailures checks the cases in which a method is known to fail; the texts say why.
func TestKnownFailures(t *testing.T) {
	for _, c := range []struct {
		name, why string
		change    func(*federation.Env, federation.Algorithm)
	}{
		{"pacfl", "it compares images and not labels, so two concepts of the same images look alike", func(e *federation.Env, a federation.Algorithm) {
			federationtest.TwoConcepts(e)
			a.(*pacfl.PACFL).Choose = "count:2"
		}},
		{"cfl", "the authors' thresholds are lengths, which no client's update ever reaches at this learning rate", func(e *federation.Env, a federation.Algorithm) {
			c := a.(*cfl.CFL)
			e.Rounds, c.From, c.Full, c.Calibrate = 20, 10, true, false
		}},
		{"cfl", "it waits for round From, so that a run which ends there has a single cluster", func(e *federation.Env, a federation.Algorithm) {
			e.Rounds = a.(*cfl.CFL).From
		}},
		{"fedgwc", "both groups have the same losses, and it sees only the losses of a client", func(e *federation.Env, a federation.Algorithm) {
			e.Rounds, a.(*fedgwc.FedGWC).Epsilon = 30, 1
		}},
		{"cfl-gp", "it takes K as given, so that two groups become four clusters if K is four", func(_ *federation.Env, a federation.Algorithm) {
			a.(*cflgp.CFLGP).K = 4
		}},
		{"cfl-gp", "without scaling, as in the authors' code, a client with a far longer gradient gets a cluster of its own", func(e *federation.Env, a federation.Algorithm) {
			a.(*cflgp.CFLGP).K, a.(*cflgp.CFLGP).Normalise = 2, false
			c := e.Clients[0]
			c.LabelMap = []uint8{3, 3, 3, 3} // images that are bright in the first rows, with the label 3
			c.Train = []int32{0, 0, 0, 0}
		}},
		{"fedrc", "the class prior removes the labels from the weights on purpose, so label skew alone gives no clusters", func(e *federation.Env, a federation.Algorithm) {
			e.Rounds, e.Rate, a.(*fedrc.FedRC).K = 40, 1, 2
		}},
	} {
		t.Run(c.name, func(t *testing.T) { federationtest.FindsNoGroups(t, c.name, c.why, c.change) })
	}
}

// TestBadCounts checks that every method with K rejects 0 and more models than clients, and warns if there are more models than
// classes.
func TestBadCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(a federation.Algorithm, k int)
	}{
		{"ifca", func(a federation.Algorithm, k int) { a.(*algorithm.IFCA).K = k }},
		{"cfl-gp", func(a federation.Algorithm, k int) { a.(*cflgp.CFLGP).K = k }},
		{"fedsoft", func(a federation.Algorithm, k int) { a.(*fedsoft.FedSoft).K = k }},
		{"fedrc", func(a federation.Algorithm, k int) { a.(*fedrc.FedRC).K = k }},
	} {
		for _, k := range []int{0, 9} {
			e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, c.name)
			c.set(a, k)
			if err := federationtest.Initialise(t, e, a); err == nil {
				t.Errorf("%s: %d models for 8 clients: no error", c.name, k)
			}
		}
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, c.name)
		var w federationtest.Warnings
		e.Observers = []federation.Observer{&w}
		c.set(a, 5)
		if err := federationtest.Initialise(t, e, a); err != nil || len(w.Texts) == 0 {
			t.Errorf("%s: 5 models for 4 classes: %v, warnings %q", c.name, err, w.Texts)
		}
	}
}

// TestDegenerateClusteringsWarn checks that PACFL warns if it finds a single cluster or one cluster per client.
func TestDegenerateClusteringsWarn(t *testing.T) {
	for choose, want := range map[string]int{"fixed:10000": 1, "fixed:0": 8, "count:2": 2} {
		e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "pacfl")
		var w federationtest.Warnings
		e.Observers = []federation.Observer{&w}
		a.(*pacfl.PACFL).Choose = choose
		if err := federationtest.Initialise(t, e, a); err != nil {
			t.Fatal(err)
		}
		if n := len(a.(federation.Clustered).Clusters()); n != want {
			t.Errorf("%s: %d clusters, want %d", choose, n, want)
		}
		if warned := len(w.Texts) > 0; warned != (want == 1 || want == 8) {
			t.Errorf("%s: warnings %q", choose, w.Texts)
		}
	}
}

// TestDegenerateOptionsWarn checks that an option which disables the method gives a warning, and that its default does not.
func TestDegenerateOptionsWarn(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(federation.Algorithm)
	}{
		{"fedprox", func(a federation.Algorithm) { a.(*algorithm.FedProx).Mu = 0 }},
		{"fedmix", func(a federation.Algorithm) { a.(*algorithm.FedMix).Lambda = 0 }},
		{"fedbr", func(a federation.Algorithm) { a.(*algorithm.FedBR).Mu, a.(*algorithm.FedBR).Lambda = 0, 0 }},
		{"per-fedavg", func(a federation.Algorithm) { a.(*algorithm.PerFedAvg).Outer = 0 }},
		{"per-fedavg", func(a federation.Algorithm) { a.(*algorithm.PerFedAvg).Inner = 0 }},
		{"cfl", func(a federation.Algorithm) { a.(*cfl.CFL).Eps1 = 0 }},
		{"fedgwc", func(a federation.Algorithm) { a.(*fedgwc.FedGWC).Epsilon = 0 }},
		{"fedgwc", func(a federation.Algorithm) { a.(*fedgwc.FedGWC).Epsilon = 1e-6 }}, // the first split is possible in round 66, the run has 30
		{"fblg", func(a federation.Algorithm) { a.(*fblg.FBLG).Candidates = 0.1 }},
		{"ifca", func(a federation.Algorithm) { a.(*algorithm.IFCA).K = 1 }},
		{"cfl-gp", func(a federation.Algorithm) { a.(*cflgp.CFLGP).K = 1 }},
		{"fedsoft", func(a federation.Algorithm) { a.(*fedsoft.FedSoft).K = 1 }},
		{"fedrc", func(a federation.Algorithm) { a.(*fedrc.FedRC).K = 1 }},
	} {
		for _, degenerate := range []bool{false, true} {
			e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, c.name)
			var w federationtest.Warnings
			e.Observers, e.Rounds, e.Rate = []federation.Observer{&w}, 30, 0.25
			if degenerate {
				c.change(a)
			}
			if err := federationtest.Initialise(t, e, a); err != nil {
				t.Fatal(err)
			}
			texts := slices.DeleteFunc(w.Texts, func(text string) bool { return strings.Contains(text, "classes") || strings.Contains(text, "draws") })
			if warned := len(texts) > 0; warned != degenerate {
				t.Errorf("%s: degenerate %v, warnings %q", c.name, degenerate, texts)
			}
		}
	}
}
