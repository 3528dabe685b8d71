package federation_test

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestTestSamples checks on which test samples clients are scored. There must be the rounded share of each class, at least one
// image. The samples must be the same for all clients with the same images of a class, for all algorithms, for all rounds and
// under any label map, and must differ with another seed.
func TestTestSamples(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	// Client 0 exchanges the labels of classes 0 and 1. Client 2 has one image of class 1 and all ten of class 0.
	swapped := *e.Clients[0]
	swapped.LabelMap = []uint8{1, 0, 2, 3}
	e.Clients[0] = &swapped
	few := *e.Clients[2]
	few.Test = nil
	for _, k := range e.Clients[4].Test {
		if l := e.Data.Test.Labels[k]; l == 0 || l == 1 && !slices.ContainsFunc(few.Test, func(x int32) bool { return e.Data.Test.Labels[x] == 1 }) {
			few.Test = append(few.Test, k)
		}
	}
	e.Clients[2] = &few
	start := func(share float64, seed uint64) {
		t.Helper()
		e.EvalShare, e.Seed = share, seed
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	start(1, 7)
	if got := e.TestSamples(e.Clients[0]); !slices.Equal(got, e.Clients[0].Test) {
		t.Errorf("share 1: %v, want the test set %v", got, e.Clients[0].Test)
	}
	start(0.26, 7)
	first := slices.Clone(e.TestSamples(e.Clients[0]))
	counts := map[uint8]int{}
	for _, k := range first {
		if !slices.Contains(e.Clients[0].Test, k) {
			t.Errorf("test sample %d is not one of the client's", k)
		}
		counts[e.Data.Test.Labels[k]]++
	}
	if len(counts) != 2 || counts[0] != 3 || counts[1] != 3 || !slices.IsSorted(first) {
		t.Errorf("%v: %v samples per class of 10 each, want 3 and 3", first, counts)
	}
	if got := e.TestSamples(e.Clients[4]); !slices.Equal(got, first) {
		t.Errorf("clients with one test set have %v and %v", first, got)
	}
	ofFew := e.TestSamples(e.Clients[2])
	if len(ofFew) != 4 {
		t.Errorf("10 and 1 images of two classes gave %v, want 3 and 1", ofFew)
	}
	for _, k := range ofFew {
		if e.Data.Test.Labels[k] == 0 && !slices.Contains(first, k) {
			t.Errorf("clients with the same images of class 0 have %v and %v", first, ofFew)
		}
	}
	start(0.26, 8)
	if got := e.TestSamples(e.Clients[0]); slices.Equal(got, first) {
		t.Errorf("seeds 7 and 8 chose the same samples %v", got)
	}
	start(0.26, 7)
	if got := e.TestSamples(e.Clients[0]); !slices.Equal(got, first) {
		t.Errorf("seed 7 chose %v, then %v", first, got)
	}
}

// TestScoreOfShare checks that clients are scored only on the chosen samples, for a model and for a mixture, and that the models
// of a run do not depend on the share.
func TestScoreOfShare(t *testing.T) {
	var states [][]float32
	for _, share := range []float64{1, 0.2} {
		e := federationtest.TinyEnv(t, 1)
		e.EvalShare = share
		a := federationtest.Algorithm(t, "fedavg")
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		m := a.Model(0)
		x, err := m.State.Floats()
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, x)
		mixture := federation.Model{Net: m.Net, State: m.State, Mix: &federation.Mixture{States: []*torch.Vector{m.State}, Weights: []float64{1}}}
		c := e.Clients[0]
		scores, err := e.Scores([]*federation.Client{c, c}, []federation.Model{m, mixture})
		if err != nil {
			t.Fatal(err)
		}
		samples := e.TestSamples(c)
		predicted, err := e.Predict(m.Net, e.Test, []torch.Prediction{{State: m.State, Samples: samples}})
		if err != nil {
			t.Fatal(err)
		}
		hits := 0
		for k, s := range samples {
			if predicted[0].Classes[k] == e.Data.Test.Labels[s] {
				hits++
			}
		}
		for _, s := range scores {
			if want := float64(hits) / float64(len(samples)); math.Abs(s.Accuracy-want) > 1e-12 {
				t.Errorf("share %g: accuracy %g, want %g", share, s.Accuracy, want)
			}
		}
	}
	if !slices.Equal(states[0], states[1]) {
		t.Error("the share of the test sets changes the model")
	}
}

// TestEvaluatedAtTheEnd checks that with EvalEvery 0 only the last round is evaluated, that its scores equal those of a run that
// evaluates every round, and that nothing is predicted before it.
func TestEvaluatedAtTheEnd(t *testing.T) {
	var last [2]federation.RoundResult
	for i, every := range []int{1, 0} {
		e := federationtest.TinyEnv(t, 1)
		counter, recorder := &predictionCounter{Executor: e.Executor}, &federationtest.Recorder{StopAfter: -2}
		e.EvalEvery, e.FinalPost, e.Executor, e.Observers = every, false, counter, []federation.Observer{recorder}
		federationtest.MustRun(t, e, federationtest.Algorithm(t, "fedavg"), federation.RunOptions{})
		last[i] = recorder.Rounds[len(recorder.Rounds)-1]
		if every > 0 {
			continue
		}
		for _, r := range recorder.Rounds[:len(recorder.Rounds)-1] {
			if r.Pre != nil || r.Post != nil || r.All != nil {
				t.Errorf("round %d has the scores %v, %v, %v", r.Round, r.Pre, r.Post, r.All)
			}
		}
		cohort := 0
		for _, id := range last[i].Cohort {
			cohort += len(e.Clients[id].Test)
		}
		before := map[int32]bool{} // the cohort's samples with the model before the last round
		for _, id := range last[i].Cohort {
			for _, k := range e.Clients[id].Test {
				before[k] = true
			}
		}
		if want := len(before) + cohort + e.Data.Test.Len(); counter.samples != want {
			t.Errorf("the models predicted for %d samples, want %d", counter.samples, want)
		}
	}
	if !slices.Equal(last[0].Pre, last[1].Pre) || !slices.Equal(last[0].Post, last[1].Post) || !slices.Equal(last[0].All, last[1].All) {
		t.Errorf("evaluated only at the end, the last round has %v, evaluated every round %v", last[1], last[0])
	}
}

// TestEqualStatesPredictOnce checks that states of equal contents predict once, even if they are different vectors.
func TestEqualStatesPredictOnce(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	counter := &predictionCounter{Executor: e.Executor}
	e.Executor = counter
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	net, err := e.Net(false)
	if err != nil {
		t.Fatal(err)
	}
	var models []federation.Model
	for i := range 3 {
		x := make([]float32, net.Len())
		x[0] = float32(i / 2) // the first two are equal
		v, err := torch.VectorOf(e.Device, x)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		models = append(models, federation.Model{Net: net, State: v})
	}
	clients := []*federation.Client{e.Clients[0], e.Clients[2], e.Clients[4]} // they share one test set
	if _, err := e.Scores(clients, models); err != nil {
		t.Fatal(err)
	}
	if want := 2 * len(e.Clients[0].Test); counter.samples != want {
		t.Errorf("the models predicted for %d samples, want %d", counter.samples, want)
	}
}
