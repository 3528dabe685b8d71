package federation_test

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestBalancedAccuracy checks both accuracies against numbers computed by hand, with and without a label map.
func TestBalancedAccuracy(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	c := &federation.Client{Test: []int32{0, 1, 4, 8}} // labels 0, 1, 0, 0
	predicted := make([]uint8, e.Data.Test.Len())
	predicted[1] = 1
	predicted[8] = 3
	// Two of the three samples of class 0 are predicted correctly, and the one of class 1.
	if s := e.Score(c, predicted); s.Accuracy != 0.75 || math.Abs(s.Balanced-5./6) > 1e-12 {
		t.Errorf("%+v", s)
	}
	c.LabelMap = []uint8{3, 2, 1, 0}
	// The labels are now 3, 2, 3, 3. Only sample 8 is predicted correctly.
	if s := e.Score(c, predicted); s.Accuracy != 0.25 || math.Abs(s.Balanced-1./6) > 1e-12 {
		t.Errorf("mapped: %+v", s)
	}
}

// TestScoresOfSharedTestSets checks that clients which share a model, a test set and a label map share a score, and that clients
// which differ in one of these do not. The expected scores are those of the same clients with copies of the test sets and label
// maps, which no two of them share.
func TestScoresOfSharedTestSets(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	a := federationtest.Algorithm(t, "oracle")
	e.Rounds = 2
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	swapped := []uint8{1, 0, 3, 2}
	var shared, copied []*federation.Client
	var models []federation.Model
	for i, c := range e.Present() {
		one := *c
		if i >= 4 {
			one.LabelMap = swapped
		}
		other := one
		other.Test, other.LabelMap = slices.Clone(one.Test), slices.Clone(one.LabelMap)
		shared, copied, models = append(shared, &one), append(copied, &other), append(models, a.Model(i/2%2))
	}
	got, err := e.Scores(shared, models)
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Scores(copied, models)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Errorf("scores with shared test sets are %v, with copies of them %v", got, want)
	}
	if slices.Contains([]federation.Score{got[1], got[2], got[4]}, got[0]) {
		t.Errorf("scores %v: test set, model or labels make no difference", got)
	}
}

// TestConfusion checks that the last round counts every test image of every client, under the client's own labels, and that the
// share on the diagonal is the accuracy over all clients.
func TestConfusion(t *testing.T) {
	for _, name := range []string{"fedavg", "local", "fedsoft", "ifca"} {
		e := federationtest.TinyEnv(t, 1)
		recorder := &federationtest.Recorder{StopAfter: -2}
		e.Observers = []federation.Observer{recorder}
		federationtest.MustRun(t, e, federationtest.Algorithm(t, name), federation.RunOptions{})
		want, images, hits := 0.0, 0, 0
		rounds := recorder.Rounds
		for _, c := range e.Present() {
			want += rounds[len(rounds)-1].All[c.ID].Accuracy * float64(len(c.Test))
			images += len(c.Test)
		}
		total := 0
		for label, row := range rounds[len(rounds)-1].Confusion {
			for predicted, n := range row {
				total += n
				if predicted == label {
					hits += n
				}
			}
		}
		if total != images || math.Abs(float64(hits)-want) > 1e-6 {
			t.Errorf("%s: %d images and %d hits, want %d and %g", name, total, hits, images, want)
		}
		for _, r := range rounds[:len(rounds)-1] {
			if r.Confusion != nil {
				t.Errorf("%s: round %d has a confusion", name, r.Round)
			}
		}
	}
}

// TestConfusionOfAnEarlyEnd checks that the round in which early stopping ends the run has the confusion matrix.
func TestConfusionOfAnEarlyEnd(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	recorder := &federationtest.Recorder{StopAfter: -2}
	e.Observers = []federation.Observer{recorder}
	asked := e.Rounds
	e.Stopping.Patience, e.Stopping.MinDelta = 1, 100
	federationtest.MustRun(t, e, federationtest.Algorithm(t, "fedavg"), federation.RunOptions{})
	if n := len(recorder.Rounds); n >= asked {
		t.Fatalf("%d of %d rounds", n, asked)
	}
	for k, r := range recorder.Rounds {
		if last := k == len(recorder.Rounds)-1; (r.Confusion != nil) != last {
			t.Errorf("round %d: a confusion %v", r.Round, r.Confusion)
		}
	}
}
