package algorithm_test

import (
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/algorithm/cflgp"
	"feddag/federation/algorithm/fblg"
	"feddag/federation/algorithm/fedgwc"
	"feddag/federation/algorithm/fedrc"
	"feddag/federation/algorithm/fedsoft"
	"feddag/federation/algorithm/pacfl"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestDegenerateSettingsAreFedAvg checks settings with which a method equals FedAvg bit for bit, on the same cohorts and from
// the same initial model.
func TestDegenerateSettingsAreFedAvg(t *testing.T) {
	want, wantResult := federationtest.Finished(t, "fedavg", 2, nil)
	for _, c := range []struct {
		name   string
		change func(federation.Algorithm)
	}{
		{"fedprox", func(a federation.Algorithm) { a.(*algorithm.FedProx).Mu = 0 }},
		{"pacfl", func(a federation.Algorithm) { a.(*pacfl.PACFL).Choose = "fixed:10000" }},
		{"ifca", func(a federation.Algorithm) { a.(*algorithm.IFCA).K = 1 }},
		{"cfl-gp", func(a federation.Algorithm) { a.(*cflgp.CFLGP).K = 1 }},
		{"fedrc", func(a federation.Algorithm) { a.(*fedrc.FedRC).K = 1 }},
		{"fedgwc", func(a federation.Algorithm) { a.(*fedgwc.FedGWC).Epsilon = 0 }},
		{"fedmix", func(a federation.Algorithm) { a.(*algorithm.FedMix).Lambda = 0 }},
		{"fedbr", func(a federation.Algorithm) { a.(*algorithm.FedBR).Mu, a.(*algorithm.FedBR).Lambda = 0, 0 }},
	} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, c.name)
		c.change(a)
		r := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: c.name})
		models := a.Models()
		for client := range e.Clients {
			x, err := a.Model(client).State.Floats()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(x, want["global"]) {
				t.Fatalf("%s: client %d's model is not FedAvg's (%d models)", c.name, client, len(models))
			}
		}
		if !federationtest.EqualScores(r, wantResult) {
			t.Errorf("%s: scores differ from FedAvg's", c.name)
		}
	}
}

// TestDegenerateSettingsWithEveryone checks settings with which a method equals another method if every client trains in every
// round.
func TestDegenerateSettingsWithEveryone(t *testing.T) {
	everyone := func(e *federation.Env) { e.Rate = 1 }
	avg, _ := federationtest.Finished(t, "fedavg", 2, everyone)
	e, prox := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedprox").(*algorithm.FedProx)
	e.Rate, prox.Mu = 1, 0.3
	federationtest.MustRun(t, e, prox, federation.RunOptions{})
	for _, c := range []struct {
		what, name string
		change     func(federation.Algorithm)
		want       []float32
	}{
		{"FedAvg", "fblg", func(a federation.Algorithm) { a.(*fblg.FBLG).Candidates = 1 }, avg["global"]},
		{"FedAvg", "fedsoft", func(a federation.Algorithm) {
			s := a.(*fedsoft.FedSoft)
			s.K, s.Lambda, s.Everyone, s.Restart = 1, 0, true, true
		}, avg["global"]},
		{"FedProx", "fedsoft", func(a federation.Algorithm) {
			s := a.(*fedsoft.FedSoft)
			s.K, s.Lambda, s.Everyone, s.Restart = 1, 0.3, true, true
		}, federationtest.Models(t, prox)["global"]},
	} {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, c.name)
		e.Rate = 1
		c.change(a)
		federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: c.name})
		if x, err := a.Models()[0].State.Floats(); err != nil || !slices.Equal(x, c.want) {
			t.Errorf("%s is not %s (%v)", c.name, c.what, err)
		}
	}
}

// TestSameSamplesAndStart checks that all methods which train the uniform sample train the same sample as FedAvg, and that all
// methods start from the same model.
func TestSameSamplesAndStart(t *testing.T) {
	for _, name := range federation.Names() {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		recorder := &startRecorder{}
		e.Observers, e.Rounds = []federation.Observer{recorder}, 2
		federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
		net, _ := e.Net(false)
		if want := e.InitialState(net); len(recorder.initial) < len(want) || name != "feddag-dagger" && !slices.Equal(recorder.initial, want) {
			t.Errorf("%s starts from another model", name)
		}
		if name == "fblg" || name == "fedsoft" { // these select clients by their own rules
			continue
		}
		for round, got := range recorder.cohorts {
			var want []int
			for _, c := range e.Sample(round) {
				want = append(want, c.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: round %d trains %v, not %v", name, round, got, want)
			}
		}
	}
}

// startRecorder is an observer that keeps the initial weights and the cohorts.
type startRecorder struct {
	federationtest.Silent
	initial []float32
	cohorts [][]int
}

func (f *startRecorder) Weights(name string, tensors []torch.NamedTensor) error {
	if name == "initial" {
		for _, t := range tensors {
			f.initial = append(f.initial, t.Data...)
		}
	}
	return nil
}

func (f *startRecorder) Round(r federation.RoundResult) error {
	f.cohorts = append(f.cohorts, r.Cohort)
	return nil
}
