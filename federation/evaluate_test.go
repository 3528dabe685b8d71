package federation_test

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// Clients that share a model, a test set and a label map share a score; what differs in any of them has its own. The
// yardstick are clients whose test sets and maps are copies, which nobody shares.
func TestScoresOfSharedTestSets(t *testing.T) {
	e := federationtest.TinyEnv(t, 1)
	a := federationtest.Algorithm(t, "oracle")
	e.Rounds = 2
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	swapped := []uint8{1, 0, 3, 2}
	var shared, apart []*federation.Client
	var models []federation.Model
	for i, c := range e.Present() {
		one := *c
		if i >= 4 {
			one.LabelMap = swapped
		}
		other := one
		other.Test, other.LabelMap = slices.Clone(one.Test), slices.Clone(one.LabelMap)
		shared, apart, models = append(shared, &one), append(apart, &other), append(models, a.Model(i/2%2))
	}
	got, err := e.Scores(shared, models)
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Scores(apart, models)
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

// A checkpoint keeps every client's numbers to the bit, those that are none too, and finds what does not fit.
func TestCheckpointOfClients(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	c := &federation.Checkpoint{Ledger: federation.NewLedger(2)}
	c.Ledger.Clients[1], c.Ledger.Work[0] = [2]int64{1 << 60, 3}, federation.Work{Training: 5, Forward: 7}
	none := federation.NoScore
	c.Best = []federation.PrePost{{Pre: federation.Score{Balanced: 0.1, Accuracy: 1. / 3}, Post: none}, {Pre: none, Post: federation.Score{Balanced: 1}}}
	c.Last = []federation.PrePost{{Pre: none, Post: none}, {Pre: federation.Score{Balanced: 0.25, Accuracy: math.Nextafter(0.5, 1)}, Post: none}}
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	read, err := federation.ReadCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	same := func(x, y federation.PrePost) bool {
		bits := func(p federation.PrePost) (b [4]uint64) {
			for i, v := range []float64{p.Pre.Balanced, p.Pre.Accuracy, p.Post.Balanced, p.Post.Accuracy} {
				b[i] = math.Float64bits(v)
			}
			return b
		}
		return bits(x) == bits(y)
	}
	if !slices.EqualFunc(read.Best, c.Best, same) || !slices.EqualFunc(read.Last, c.Last, same) {
		t.Errorf("read %v and %v, wrote %v and %v", read.Best, read.Last, c.Best, c.Last)
	}
	if !slices.Equal(read.Ledger.Clients, c.Ledger.Clients) || !slices.Equal(read.Ledger.Work, c.Ledger.Work) {
		t.Errorf("read %+v, wrote %+v", read.Ledger, c.Ledger)
	}
	c.Pack()
	c.Clients.Scores = c.Clients.Scores[8:]
	if err := c.Unpack(); err == nil || !strings.Contains(err.Error(), "bytes of scores") {
		t.Errorf("too few scores: %v", err)
	}
	if _, err := federation.Run(context.Background(), federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "fedavg"), federation.RunOptions{Algorithm: "fedavg", Resume: read}); err == nil {
		t.Error("a run of 8 clients took up a checkpoint of 2")
	}
}
