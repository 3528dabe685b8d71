package federation_test

import (
	"context"
	"path/filepath"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// lossOf is FedAvg whose reports have given losses.
type lossOf struct {
	federation.Algorithm
	losses []float64
}

func (a lossOf) Round(e *federation.Env, t int, cohort []*federation.Client) (federation.Report, error) {
	report, err := a.Algorithm.Round(e, t, cohort)
	report.Loss = a.losses[t]
	return report, err
}
func (a lossOf) Save() (federation.Saved, error) { return a.Algorithm.(federation.Checkpointer).Save() }
func (a lossOf) Load(e *federation.Env, s federation.Saved) error {
	return a.Algorithm.(federation.Checkpointer).Load(e, s)
}

// TestEarlyStopping checks after which round a run ends, that the result is the same after a stop at any earlier round and as in
// a run of this number of rounds, and that a complete run can continue without early stopping.
func TestEarlyStopping(t *testing.T) {
	losses := []float64{1, 0.8, 0.9, 0.79, 0.85, 0.84, 0.9, 0.7, 0.9, 0.9}
	for _, c := range []struct {
		what      string
		patience  int
		minDelta  float64
		evalEvery int
		want      int
	}{
		{"off", 0, 0, 1, 10},
		{"patience 1", 1, 0, 1, 3},
		{"patience 2: 0.79 is an improvement", 2, 0, 1, 6},
		{"patience 2: 0.79 is none", 2, 0.05, 1, 4},
		{"patience 3", 3, 0, 1, 7},
		{"patience 4", 4, 0, 1, 10},
		{"the end waits for an evaluation", 1, 0, 2, 6},
	} {
		t.Run(c.what, func(t *testing.T) {
			start := func(rounds int) (*federation.Env, federation.Algorithm) {
				e := federationtest.TinyEnv(t, 1)
				e.Rounds, e.EvalEvery = rounds, c.evalEvery
				e.Stopping.Patience, e.Stopping.MinDelta = c.patience, c.minDelta
				return e, lossOf{federationtest.Algorithm(t, "fedavg"), losses}
			}
			e, a := start(10)
			want := federationtest.MustRun(t, e, a, federation.RunOptions{})
			if want.Rounds != c.want || want.EndedEarly != (c.want < 10) {
				t.Fatalf("%d rounds, ended early: %t; want %d", want.Rounds, want.EndedEarly, c.want)
			}
			models := federationtest.Models(t, a)
			e, a = start(c.want)
			e.Stopping.Patience = 0
			if r := federationtest.MustRun(t, e, a, federation.RunOptions{}); !federationtest.EqualResults(r, want) || !federationtest.EqualModels(federationtest.Models(t, a), models) {
				t.Errorf("a run of %d rounds is another", c.want)
			}
			for stop := range c.want + 1 {
				o := federation.RunOptions{Checkpoint: filepath.Join(t.TempDir(), "last.safetensors")}
				e, a := start(stop)
				federationtest.MustRun(t, e, a, o)
				var err error
				if o.Resume, err = federation.ReadCheckpoint(o.Checkpoint); err != nil {
					t.Fatal(err)
				}
				e, a = start(10)
				r := federationtest.MustRun(t, e, a, o)
				same := c.evalEvery > 1 || federationtest.EqualResults(r, want) // otherwise the round of the stop was evaluated as the last one
				if r.Rounds != c.want || !same || !federationtest.EqualModels(federationtest.Models(t, a), models) {
					t.Errorf("resumed after %d rounds: %d rounds, want %d, or another end", stop, r.Rounds, c.want)
				}
			}
			o := federation.RunOptions{Checkpoint: filepath.Join(t.TempDir(), "last.safetensors")}
			e, a = start(10)
			federationtest.MustRun(t, e, a, o)
			var err error
			if o.Resume, err = federation.ReadCheckpoint(o.Checkpoint); err != nil {
				t.Fatal(err)
			}
			e, a = start(10)
			e.Stopping.Patience = 0
			if r, err := federation.Run(context.Background(), e, a, o); err != nil || r.Rounds != 10 || r.EndedEarly {
				t.Errorf("without early stopping it goes on to round %d: %v", r.Rounds, err)
			}
		})
	}
}
