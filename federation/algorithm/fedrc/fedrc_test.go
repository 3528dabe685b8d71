package fedrc

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestFedRCExpectation checks that γ of each sample and ω sum to 1, that equal models under a flat prior leave ω unchanged, and
// that a prior which is constant has no effect.
func TestFedRCExpectation(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedrc").(*FedRC)
	a.K = 3
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	always := func(*federation.Client) bool { return true }
	steps, err := a.expect(e.Clients, false, always)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range steps {
		var omega, mass float64
		for k := range a.K {
			omega += s.omega[k]
			for _, m := range s.mass[k] {
				mass += m
			}
		}
		if math.Abs(omega-1) > 1e-9 || math.Abs(mass-float64(e.Clients[i].Size())) > 1e-9 {
			t.Errorf("client %d: weights sum to %g, masses to %g of %d samples", i, omega, mass, e.Clients[i].Size())
		}
		for j := range e.Clients[i].Size() {
			if sum := s.gamma[0][j] + s.gamma[1][j] + s.gamma[2][j]; math.Abs(float64(sum-1)) > 1e-6 {
				t.Fatalf("client %d, sample %d: γ sums to %g", i, j, sum)
			}
		}
	}
	// A prior that is the same for all models and classes is a constant.
	a.mass[0] = [][]float64{{5, 5, 5, 5}, {5, 5, 5, 5}, {5, 5, 5, 5}}
	flat, err := a.expect(e.Clients, false, always)
	if err != nil {
		t.Fatal(err)
	}
	for i := range flat {
		for k := range a.K {
			if math.Abs(flat[i].omega[k]-steps[i].omega[k]) > 1e-12 {
				t.Errorf("client %d: a flat prior changes its weights", i)
			}
		}
	}
	a.Replace(slices.Repeat(a.States[:1], 3))
	a.omega[1] = []float64{.2, .3, .5}
	same, err := a.expect(e.Clients[1:2], false, always)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range a.omega[1] {
		if math.Abs(same[0].omega[k]-want) > 1e-12 {
			t.Errorf("equal models move the weights to %v", same[0].omega)
		}
	}
}

// TestFedRCTop checks that with Top a client trains this number of models, and that the ledger counts no more.
func TestFedRCTop(t *testing.T) {
	work := func(top int) int64 {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedrc").(*FedRC)
		a.K, a.Top = 3, top
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		return e.Ledger.AllWork().Training
	}
	if one, all := work(1), work(0); 3*one != all {
		t.Errorf("one model of three costs %d samples, all %d", one, all)
	}
	if got := largest([]float64{.1, .5, .2, .5}, 2); !slices.Equal(got, []int{1, 3}) {
		t.Errorf("largest %v", got)
	}
}

// TestMixtures checks that a mixture predicts the class with the highest mean probability, even if none of its models predicts
// this class.
func TestMixtures(t *testing.T) {
	e := federationtest.HandEnv(t)
	net, _ := e.Net(false)
	m := &federation.Mixture{States: make(torch.Vectors, 2), Weights: []float64{.6, .4}}
	logp := map[int][]float32{}
	for k, p := range [][]float64{{.5, .5 - 1e-3}, {.1, .9}} {
		logp[k] = []float32{float32(math.Log(p[0])), float32(math.Log(p[1]))}
	}
	states := []federationtest.Linear{{0, 0, 0}, {1, 1, 1}}
	for k, s := range states {
		v, err := torch.VectorOf(e.Device, s.Vector())
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		m.States[k] = v
	}
	c := &federation.Client{Test: []int32{0}}
	classes := m.Classes(c.Test, 2, func(v *torch.Vector) []float32 { return logp[slices.Index(m.States, v)] })
	if classes[0] != 1 {
		t.Errorf("class %d, want 1: probabilities .34 and .66", classes[0])
	}
	// With the executor, a mixture that has all weight on one state equals this state.
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for k := range states {
		one := &federation.Mixture{States: m.States, Weights: []float64{float64(1 - k), float64(k)}}
		scores, err := e.Scores([]*federation.Client{e.Clients[1], e.Clients[1]}, []federation.Model{
			{Net: net, State: m.States[0], Mix: one}, {Net: net, State: m.States[k]},
		})
		if err != nil || scores[0] != scores[1] {
			t.Errorf("state %d: %v, %v", k, scores, err)
		}
	}
}
