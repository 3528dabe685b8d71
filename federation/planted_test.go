package federation

import (
	"slices"
	"strings"
	"testing"
)

// The fixture's two groups share no class. Told that there are two, the clustered methods find them; where another
// problem stands here, that is the one the method is made for.
func TestPlantedGroups(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Env, Algorithm)
	}{
		{"oracle", nil},
		{"pacfl", func(_ *Env, a Algorithm) { a.(*PACFL).Choose = "count:2" }},
		{"ifca", func(_ *Env, a Algorithm) { a.(*IFCA).K = 2 }},
		{"cfl-gp", func(_ *Env, a Algorithm) { a.(*CFLGP).K = 2 }},
		{"fedsoft", func(e *Env, a Algorithm) { a.(*FedSoft).K, e.Rounds = 2, 8 }},
		// Two levels of loss, which is what it looks at.
		{"fedgwc", func(e *Env, a Algorithm) {
			difficulties(e)
			e.Rounds, e.Seed, e.LearningRate = 30, 1, 0.02 // of four seeds one splits too early
		}},
		// Two concepts, which its prior does not take away.
		{"fedrc", func(e *Env, a Algorithm) {
			concepts(e)
			e.Rounds, e.Rate, e.Seed, a.(*FedRC).K = 40, 1, 1, 2 // from some starts one model takes all
		}},
		// Two concepts: no model serves both, so its mean update vanishes while the clients' own do not.
		{"cfl", func(e *Env, a Algorithm) {
			concepts(e)
			e.Rounds, a.(*CFL).From, a.(*CFL).Full = 20, 10, true
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, a := tinyEnv(t, 2), algorithm(t, c.name)
			if c.change != nil {
				c.change(e, a)
			}
			mustRun(t, e, a, RunOptions{})
			if x := ari(t, e, a); x != 1 {
				t.Errorf("adjusted Rand index %.3f: %v", x, a.(Clustered).Clusters())
			}
		})
	}
}

// Where a method is known to fail, and why.
func TestKnownFailures(t *testing.T) {
	for _, c := range []struct {
		name, why string
		change    func(*Env, Algorithm)
	}{
		{"pacfl", "it looks at images and not at labels, so two concepts of the same images look alike", func(e *Env, a Algorithm) {
			concepts(e)
			a.(*PACFL).Choose = "count:2"
		}},
		{"cfl", "the authors' thresholds are lengths: at this rate no client's update is ever as long", func(e *Env, a Algorithm) {
			c := a.(*CFL)
			e.Rounds, c.From, c.Full, c.Calibrate = 20, 10, true, false
		}},
		{"cfl", "it waits: in a run that ends when the splits begin all are one cluster", func(e *Env, a Algorithm) {
			e.Rounds = a.(*CFL).From
		}},
		{"fedgwc", "both groups have the same losses, and a loss is all it sees of a client", func(e *Env, a Algorithm) {
			e.Rounds, a.(*FedGWC).Epsilon = 30, 1
		}},
		{"cfl-gp", "it takes K as given: two groups, said to be four, are cut in four", func(_ *Env, a Algorithm) {
			a.(*CFLGP).K = 4
		}},
		{"cfl-gp", "not scaled, as in the authors' code: a client with a far longer gradient takes a cluster for itself", func(e *Env, a Algorithm) {
			a.(*CFLGP).K, a.(*CFLGP).Normalise = 2, false
			c := e.Clients[0]
			c.LabelMap = []uint8{3, 3, 3, 3} // bright in the first rows, and called class 3
			c.Train = []int32{0, 0, 0, 0}
		}},
		{"fedrc", "the class prior takes labels out of the weights, on purpose: label skew alone gives no clusters", func(e *Env, a Algorithm) {
			e.Rounds, e.Rate, a.(*FedRC).K = 40, 1, 2
		}},
	} {
		t.Run(c.name, func(t *testing.T) { findsNoGroups(t, c.name, c.why, c.change) })
	}
}

// Every method that takes K refuses none and too many, and warns of more than there are classes.
func TestBadCounts(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(a Algorithm, k int)
	}{
		{"ifca", func(a Algorithm, k int) { a.(*IFCA).K = k }},
		{"cfl-gp", func(a Algorithm, k int) { a.(*CFLGP).K = k }},
		{"fedsoft", func(a Algorithm, k int) { a.(*FedSoft).K = k }},
		{"fedrc", func(a Algorithm, k int) { a.(*FedRC).K = k }},
	} {
		for _, k := range []int{0, 9} {
			e, a := tinyEnv(t, 1), algorithm(t, c.name)
			c.set(a, k)
			if err := initialised(t, e, a); err == nil {
				t.Errorf("%s: %d models for 8 clients: no error", c.name, k)
			}
		}
		e, a := tinyEnv(t, 1), algorithm(t, c.name)
		var w warnings
		e.Observers = []Observer{&w}
		c.set(a, 5)
		if err := initialised(t, e, a); err != nil || len(w.texts) == 0 {
			t.Errorf("%s: 5 models for 4 classes: %v, warnings %q", c.name, err, w.texts)
		}
	}
}

func TestDegenerateClusteringsWarn(t *testing.T) {
	for choose, want := range map[string]int{"fixed:180": 1, "fixed:0": 8, "count:2": 2} {
		e, a := tinyEnv(t, 1), algorithm(t, "pacfl")
		var w warnings
		e.Observers = []Observer{&w}
		a.(*PACFL).Choose = choose
		if err := initialised(t, e, a); err != nil {
			t.Fatal(err)
		}
		if n := len(a.(Clustered).Clusters()); n != want {
			t.Errorf("%s: %d clusters, want %d", choose, n, want)
		}
		if warned := len(w.texts) > 0; warned != (want == 1 || want == 8) {
			t.Errorf("%s: warnings %q", choose, w.texts)
		}
	}
}

// An option that leaves nothing of the method is worth a warning, and its default is not.
func TestDegenerateOptionsWarn(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(Algorithm)
	}{
		{"fedprox", func(a Algorithm) { a.(*FedProx).Mu = 0 }},
		{"fedmix", func(a Algorithm) { a.(*FedMix).Lambda = 0 }},
		{"fedbr", func(a Algorithm) { a.(*FedBR).Mu, a.(*FedBR).Lambda = 0, 0 }},
		{"per-fedavg", func(a Algorithm) { a.(*PerFedAvg).Outer = 0 }},
		{"per-fedavg", func(a Algorithm) { a.(*PerFedAvg).Inner = 0 }},
		{"cfl", func(a Algorithm) { a.(*CFL).Eps1 = 0 }},
		{"fedgwc", func(a Algorithm) { a.(*FedGWC).Epsilon = 0 }},
		{"fedgwc", func(a Algorithm) { a.(*FedGWC).Epsilon = 1e-6 }}, // not before round 66 of 30
		{"fblg", func(a Algorithm) { a.(*FBLG).Candidates = 0.1 }},
		{"ifca", func(a Algorithm) { a.(*IFCA).K = 1 }},
		{"cfl-gp", func(a Algorithm) { a.(*CFLGP).K = 1 }},
		{"fedsoft", func(a Algorithm) { a.(*FedSoft).K = 1 }},
		{"fedrc", func(a Algorithm) { a.(*FedRC).K = 1 }},
	} {
		for _, degenerate := range []bool{false, true} {
			e, a := tinyEnv(t, 1), algorithm(t, c.name)
			var w warnings
			e.Observers, e.Rounds, e.Rate = []Observer{&w}, 30, 0.25
			if degenerate {
				c.change(a)
			}
			if err := initialised(t, e, a); err != nil {
				t.Fatal(err)
			}
			texts := slices.DeleteFunc(w.texts, func(text string) bool { return strings.Contains(text, "classes") || strings.Contains(text, "draws") })
			if warned := len(texts) > 0; warned != degenerate {
				t.Errorf("%s: degenerate %v, warnings %q", c.name, degenerate, texts)
			}
		}
	}
}
