package report

import (
	"math"
	"testing"

	"feddag/federation"
)

// TestClientBest checks the means of the clients' best rounds, where a client that was never sampled has no accuracy after local
// training, and a client that was held out does not count.
func TestClientBest(t *testing.T) {
	score := func(x float64) federation.Score { return federation.Score{Balanced: x, Accuracy: x / 2} }
	b := NewClientBest(&federation.Result{
		Best:    []federation.PrePost{{Pre: score(0.5), Post: score(math.NaN())}, {Pre: score(0.7), Post: score(0.9)}, {Pre: score(0.1), Post: score(1)}, {Pre: score(0.6), Post: score(0.3)}},
		HeldOut: []int{2},
	})
	for _, c := range []struct {
		what      string
		got, want float64
	}{
		{"pre", b.Pre.Balanced.Mean, 60}, {"post", b.Post.Balanced.Mean, 60}, {"any", b.Any.Balanced.Mean, 200. / 3}, {"plain any", b.Any.Accuracy.Mean, 100. / 3},
	} {
		if math.Abs(c.got-c.want) > 1e-12 {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}
	with := Cell{Summary: Summary{Rounds: 2, ClientBest: b}, Rounds: make([]Round, 2)}
	if got := with.clientBest().Any; got != b.Any {
		t.Errorf("a run of %+v compares as %+v", b.Any, got)
	}
	if got := with.Cut(1).clientBest().Any.Balanced.Mean; !math.IsNaN(got) {
		t.Errorf("a run that is cut has the best of all its rounds, %v", got)
	}
}
