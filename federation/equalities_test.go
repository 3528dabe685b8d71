package federation

import (
	"slices"
	"testing"

	"feddag/torch"
)

// Settings under which a method is FedAvg, bit for bit, on the same cohorts and from the same initialisation.
func TestDegenerateSettingsAreFedAvg(t *testing.T) {
	want, wantResult := finished(t, "fedavg", 2, nil)
	for _, c := range []struct {
		name   string
		change func(Algorithm)
	}{
		{"fedprox", func(a Algorithm) { a.(*FedProx).Mu = 0 }},
		{"pacfl", func(a Algorithm) { a.(*PACFL).Choose = "fixed:180" }},
		{"ifca", func(a Algorithm) { a.(*IFCA).K = 1 }},
		{"cfl-gp", func(a Algorithm) { a.(*CFLGP).K = 1 }},
		{"fedrc", func(a Algorithm) { a.(*FedRC).K = 1 }},
		{"fedgwc", func(a Algorithm) { a.(*FedGWC).Epsilon = 0 }},
		{"fedmix", func(a Algorithm) { a.(*FedMix).Lambda = 0 }},
		{"fedbr", func(a Algorithm) { a.(*FedBR).Mu, a.(*FedBR).Lambda = 0, 0 }},
	} {
		e, a := tinyEnv(t, 2), algorithm(t, c.name)
		c.change(a)
		r := mustRun(t, e, a, RunOptions{Algorithm: c.name})
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
		if !equalResults(r, wantResult) {
			t.Errorf("%s: scores differ from FedAvg's", c.name)
		}
	}
}

// Settings under which a method is another one with every client in every round.
func TestDegenerateSettingsWithEveryone(t *testing.T) {
	everyone := func(e *Env) { e.Rate = 1 }
	avg, _ := finished(t, "fedavg", 2, everyone)
	e, prox := tinyEnv(t, 2), algorithm(t, "fedprox").(*FedProx)
	e.Rate, prox.Mu = 1, 0.3
	mustRun(t, e, prox, RunOptions{})
	for _, c := range []struct {
		what, name string
		change     func(Algorithm)
		want       []float32
	}{
		{"FedAvg", "fblg", func(a Algorithm) { a.(*FBLG).Candidates = 1 }, avg["global"]},
		{"FedAvg", "fedsoft", func(a Algorithm) {
			s := a.(*FedSoft)
			s.K, s.Lambda, s.Everyone, s.Restart = 1, 0, true, true
		}, avg["global"]},
		{"FedProx", "fedsoft", func(a Algorithm) {
			s := a.(*FedSoft)
			s.K, s.Lambda, s.Everyone, s.Restart = 1, 0.3, true, true
		}, weights(t, prox)["global"]},
	} {
		e, a := tinyEnv(t, 2), algorithm(t, c.name)
		e.Rate = 1
		c.change(a)
		mustRun(t, e, a, RunOptions{Algorithm: c.name})
		if x, err := a.Models()[0].State.Floats(); err != nil || !slices.Equal(x, c.want) {
			t.Errorf("%s is not %s (%v)", c.name, c.what, err)
		}
	}
}

// Every method that trains the uniform sample trains the same one as FedAvg, from the same first model.
func TestSameSamplesAndStart(t *testing.T) {
	for _, name := range Names() {
		e, a := tinyEnv(t, 2), algorithm(t, name)
		first := &firsts{}
		e.Observers, e.Rounds = []Observer{first}, 2
		mustRun(t, e, a, RunOptions{Algorithm: name})
		net, _ := e.Net(false)
		if want := e.initial(net); len(first.initial) < len(want) || name != "feddag" && name != "feddag-dagger" && !slices.Equal(first.initial, want) {
			t.Errorf("%s starts from another model", name)
		}
		if name == "fblg" || name == "fedsoft" { // they choose by rules of their own
			continue
		}
		for round, got := range first.cohorts {
			var want []int
			for _, c := range e.cohort(round) {
				want = append(want, c.ID)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: round %d trains %v, not %v", name, round, got, want)
			}
		}
	}
}

// firsts notes the initial weights and the cohorts.
type firsts struct {
	silent
	initial []float32
	cohorts [][]int
}

func (f *firsts) Weights(name string, tensors []torch.NamedTensor) error {
	if name == "initial" {
		for _, t := range tensors {
			f.initial = append(f.initial, t.Data...)
		}
	}
	return nil
}

func (f *firsts) Round(r RoundResult) error {
	f.cohorts = append(f.cohorts, r.Cohort)
	return nil
}
