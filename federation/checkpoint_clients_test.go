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

// TestCheckpointOfClients checks that a checkpoint keeps the numbers of all clients bit for bit, including NaN, and that
// inconsistent numbers and a checkpoint of another number of clients are errors.
func TestCheckpointOfClients(t *testing.T) {
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	c := &federation.Checkpoint{Ledger: federation.NewLedger(2)}
	c.Ledger.Clients[1], c.Ledger.Work[0] = [2]int64{1 << 60, 3}, federation.Work{Training: 5, Forward: 7}
	unscored := federation.NoScore
	c.Best = []federation.PrePost{{Pre: federation.Score{Balanced: 0.1, Accuracy: 1. / 3}, Post: unscored}, {Pre: unscored, Post: federation.Score{Balanced: 1}}}
	c.Last = []federation.PrePost{{Pre: unscored, Post: unscored}, {Pre: federation.Score{Balanced: 0.25, Accuracy: math.Nextafter(0.5, 1)}, Post: unscored}}
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
		t.Error("a run of 8 clients resumed a checkpoint of 2")
	}
}
