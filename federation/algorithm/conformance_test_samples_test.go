package algorithm_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// ignoresTestSamples checks that only the scores depend on the test samples. A run whose test images and labels are noise, and
// whose clients hold other test samples, ends with the same bits of every model, every cluster and every model that a client
// predicts with, also for a client that joins after the last round.
func ignoresTestSamples(t *testing.T, name string) {
	plainScores, plain := trainedWithTestSamples(t, name, false)
	otherScores, other := trainedWithTestSamples(t, name, true)
	if len(plain) != len(other) {
		t.Fatalf("%d models and choices, with other test samples %d", len(plain), len(other))
	}
	for i := range plain {
		if plain[i].what != other[i].what || !slices.Equal(plain[i].bits, other[i].bits) {
			t.Errorf("%s depends on the test samples", plain[i].what)
		}
	}
	if federationtest.EqualResults(plainScores, otherScores) {
		t.Error("the scores do not depend on the test samples, so that the check is worth nothing")
	}
}

// trace is a result of a run.
type trace struct {
	what string
	bits []float32
}

// trainedWithTestSamples runs an algorithm and returns its scores and its other results.
func trainedWithTestSamples(t *testing.T, name string, change bool) (*federation.Result, []trace) {
	t.Helper()
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
	late := *e.Clients[6]
	late.HeldOut = true
	e.Clients[6] = &late
	if change {
		changeTestSamples(t, e)
	}
	result := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})

	var traces []trace
	add := func(what string, v *torch.Vector) {
		x, err := v.Floats()
		if err != nil {
			t.Fatal(err)
		}
		traces = append(traces, trace{what, x})
	}
	for _, m := range a.Models() {
		add("model "+m.Name, m.State)
	}
	clients := e.Present()
	if _, ok := a.(federation.Newcomer); ok {
		clients = e.Clients
	}
	if c, ok := a.(federation.Clustered); ok {
		for _, members := range c.Clusters() {
			var ids []float32
			for _, i := range members {
				ids = append(ids, float32(i))
			}
			traces = append(traces, trace{"a cluster", ids})
		}
	}
	predictors := func(some []*federation.Client, models []federation.Model) error {
		for i, m := range models {
			what := "the prediction of client " + string(rune('0'+some[i].ID))
			if m.Mix == nil {
				add(what, m.State)
				continue
			}
			for k, s := range m.Mix.States {
				traces = append(traces, trace{what, []float32{float32(m.Mix.Weights[k])}})
				add(what, s)
			}
		}
		return nil
	}
	if p, ok := a.(federation.Predictor); ok {
		if err := p.Predict(e, clients, predictors); err != nil {
			t.Fatal(err)
		}
		return result, traces
	}
	models := make([]federation.Model, len(clients))
	for i, c := range clients {
		models[i] = a.Model(c.ID)
	}
	if err := predictors(clients, models); err != nil {
		t.Fatal(err)
	}
	return result, traces
}

// changeTestSamples replaces the test images and their labels with noise, and removes every third test sample from each client.
func changeTestSamples(t *testing.T, e *federation.Env) {
	t.Helper()
	test := &e.Data.Test
	random := rand.New(rand.NewPCG(8, 8))
	for k := range test.Pixels {
		test.Pixels[k] = byte(random.IntN(256))
	}
	for k := range test.Labels {
		test.Labels[k] = uint8(random.IntN(federationtest.Classes))
	}
	images, err := torch.NewImages(e.Device, test.Pixels, [3]int{1, federationtest.Side, federationtest.Side}, test.Labels, e.Data.Mean, e.Data.Std)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(images.Close)
	e.Test = images
	for i, c := range e.Clients {
		other := *c
		other.Test = nil
		for k, s := range c.Test {
			if k%3 != 0 {
				other.Test = append(other.Test, s)
			}
		}
		e.Clients[i] = &other
	}
}
