package algorithm_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestOptionsConformance checks that the options which every method reads have an effect on it, and that runs with them have the
// same bits for any number of workers and after a stop and resume. FEDDAG_LONG=1 tries more optimisers and a stop after every
// round.
func TestOptionsConformance(t *testing.T) {
	long := os.Getenv("FEDDAG_LONG") != ""
	for _, name := range federation.Names() {
		plain, _ := federationtest.Finished(t, name, 1, nil)
		for _, o := range []struct {
			what   string
			change func(*federation.Env)
			reads  func(federation.Algorithm) bool // nil for every method
			long   bool
		}{
			{"schedule", func(e *federation.Env) { e.Schedule = schedule(t, "step:1:0.5") }, nil, false},
			{"initial weights", initialWeights(t), nil, false},
			{"stragglers and dropouts", func(e *federation.Env) { e.Unreliable = federation.Unreliable{Stragglers: 0.5, Dropout: 0.25} }, nil, false},
			{"adamw", func(e *federation.Env) { e.Optimizer.Name = federation.ClientAdamW }, readsOptimizer, false},
			{"server adam", server(federation.ServerAdam), averages, false},
			{"server momentum", server(federation.ServerMomentum), averages, true},
			{"server yogi", server(federation.ServerYogi), averages, true},
			{"server adagrad", server(federation.ServerAdagrad), averages, true},
		} {
			if o.long && !long || o.reads != nil && !o.reads(federationtest.Algorithm(t, name)) {
				continue
			}
			t.Run(name+"/"+o.what, func(t *testing.T) {
				stops := []int{2}
				if long {
					stops = []int{0, 1, 2, 3, 4}
				}
				if federationtest.EqualModels(stopAndResumeWith(t, name, stops, o.change), plain) { // with another number of workers
					t.Error("no effect")
				}
			})
		}
	}
}

// TestScenarioWithServerOptimizer checks that the states of the server's optimiser follow the models when clients join, leave and
// change and when clusters are searched for again, with the same bits after a stop.
func TestScenarioWithServerOptimizer(t *testing.T) {
	for _, name := range []string{"feddag", "feddag --feddag-encoders 2", "feddag --feddag-encoders 2 --feddag-clustering similarity", "feddag --feddag-body all", "fedgwc", "oracle"} {
		change := server(federation.ServerAdam)
		e, a, recorder := scenarioEnv(t, name, 1, change)
		wantResult := federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: name})
		want, moves := federationtest.Models(t, a), recorder.Moves()
		for _, stop := range []int{1, 4} {
			resumed(t, name, name, func(o *federationtest.Recorder) { o.StopAfter = stop }, want, wantResult, moves, change)
		}
	}
}

// readsOptimizer reports whether the clients of a method take the steps of the run's optimiser.
func readsOptimizer(a federation.Algorithm) bool {
	_, meta := a.(*algorithm.PerFedAvg)
	return !meta
}

// initialWeights returns a change of an environment that sets initial weights other than those of the run's seed.
func initialWeights(t *testing.T) func(*federation.Env) {
	return func(e *federation.Env) {
		net, err := e.Net(false)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, net.Len())
		net.Init(x, torch.All, rand.New(rand.NewPCG(5, 6)))
		if err := e.SetInitialWeights(federation.TensorsOf(net, x, torch.All)); err != nil {
			t.Fatal(err)
		}
	}
}
