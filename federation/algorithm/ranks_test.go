package algorithm_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/similarity"
	"feddag/torch"
	"feddag/torch/ranks"
	"feddag/torch/ranks/rankstest"
)

// TestRanks checks that several ranks end with the weights and scores of one process, in each rank, and that three ranks resume a
// run of two ranks. With FEDDAG_LONG it does so for every algorithm, and also runs one and three ranks from start to end.
func TestRanks(t *testing.T) {
	rankstest.Skip(t)
	names := []string{"fedavg", "feddag", "feddag --feddag-encoders 2", "fedbr", "ifca", "pacfl"}
	if os.Getenv("FEDDAG_LONG") != "" {
		names = append(federation.Names(), variants...)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, wantResult := federationtest.Finished(t, name, 2, nil)
			whole := []int{2}
			if os.Getenv("FEDDAG_LONG") != "" {
				whole = []int{1, 2, 3}
			}
			for _, size := range whole {
				together(t, name, size, federation.RunOptions{Algorithm: name}, nil, want, wantResult)
			}
			path := filepath.Join(t.TempDir(), "last.safetensors")
			o := federation.RunOptions{Algorithm: name, Config: "c", Checkpoint: path}
			together(t, name, 2, o, func(e *federation.Env) { e.Rounds, e.FinalPost = 2, false }, nil, nil)
			c, err := federation.ReadCheckpoint(path)
			if err != nil {
				t.Fatal(err)
			}
			o.Resume = c
			together(t, name, 3, o, nil, want, wantResult)
		})
	}
}

// together runs an algorithm on several ranks and compares their results with want, unless it is nil. Only rank 0 writes
// checkpoints. It resumes its own checkpoint, and the other ranks receive the checkpoint as bytes.
func together(t *testing.T, name string, size int, o federation.RunOptions, change func(*federation.Env), want map[string][]float32, wantResult *federation.Result) []federation.Algorithm {
	t.Helper()
	envs, algorithms, results := make([]*federation.Env, size), make([]federation.Algorithm, size), make([]*federation.Result, size)
	for rank := range size {
		envs[rank], algorithms[rank] = federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, name)
		if change != nil {
			change(envs[rank])
		}
	}
	errs := rankstest.Run(t, size, rankstest.Options(), func(r *ranks.Ranks) (err error) {
		e, o := envs[r.Rank()], o
		spread := ranks.NewSpread(e.Executor, r)
		defer spread.Close()
		e.Peers, e.Executor = r, spread
		if r.Rank() > 0 {
			o.Elsewhere, o.Checkpoint = o.Checkpoint != "", ""
			if o.Resume != nil {
				raw, err := o.Resume.MarshalBinary()
				if err != nil {
					return err
				}
				o.Resume = new(federation.Checkpoint)
				if err := o.Resume.UnmarshalBinary(raw); err != nil {
					return err
				}
			}
		}
		results[r.Rank()], err = federation.Run(context.Background(), e, algorithms[r.Rank()], o)
		return err
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatalf("%d ranks: %v", size, err)
	}
	if want == nil {
		return algorithms
	}
	for rank := range size {
		if !federationtest.EqualModels(federationtest.Models(t, algorithms[rank]), want) {
			t.Errorf("rank %d of %d: the weights differ from those of one process", rank, size)
		}
		if !federationtest.EqualResults(results[rank], wantResult) {
			t.Errorf("rank %d of %d: the scores differ from those of one process", rank, size)
		}
	}
	return algorithms
}

// TestRanksOfManyClients checks that ranks which divide the rows of the similarity of many clients between them end with the
// weights and scores of one process.
func TestRanksOfManyClients(t *testing.T) {
	rankstest.Skip(t)
	const name = "feddag --feddag-encoders 2 --feddag-clustering similarity --feddag-choose count:3"
	many := func(e *federation.Env) {
		few := e.Clients
		e.Clients = nil
		for i := range similarity.BandRows + 20 {
			c := *few[i%len(few)]
			c.ID, c.Train = i, c.Train[:3+i/len(few)%9]
			e.Clients = append(e.Clients, &c)
		}
		e.Rounds, e.Rate, e.Epochs, e.FinalPost = 1, 0.01, 1, false
	}
	want, wantResult := federationtest.Finished(t, name, 2, many)
	for _, size := range []int{2, 3} {
		together(t, name, size, federation.RunOptions{Algorithm: name}, many, want, wantResult)
	}
}

// TestRanksBatched checks that two ranks with the batched engine, whose stacks are half as large, end within 1e-5 of the weights
// of one process with that engine. It runs on the CPU.
func TestRanksBatched(t *testing.T) {
	rankstest.Skip(t)
	batched := func(e *federation.Env) {
		x, err := torch.NewBatched(e.Device, torch.BatchedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(x.Close)
		e.Executor = x
	}
	for _, name := range []string{"fedavg", "feddag --feddag-clustering similarity"} {
		want, _ := federationtest.Finished(t, name, 2, batched)
		for rank, a := range together(t, name, 2, federation.RunOptions{Algorithm: name}, batched, nil, nil) {
			got := federationtest.Models(t, a)
			if len(got) != len(want) {
				t.Fatalf("%s: rank %d has %d models, one process %d", name, rank, len(got), len(want))
			}
			for model, x := range want {
				most := 0.
				for k := range x {
					most = max(most, math.Abs(float64(got[model][k]-x[k])))
				}
				if !(most <= 1e-5) {
					t.Errorf("%s: rank %d: the weights of %s differ by up to %g from those of one process", name, rank, model, most)
				}
			}
		}
	}
}

// TestRanksInterrupted interrupts one of two ranks, in a run with a checkpoint every ten rounds. Both end, the checkpoint has
// the round in which it was interrupted, and one process ends with the weights of an undisturbed run.
func TestRanksInterrupted(t *testing.T) {
	rankstest.Skip(t)
	const name = "fedavg"
	want, _ := federationtest.Finished(t, name, 2, nil)
	for interrupted := range 2 {
		path := filepath.Join(t.TempDir(), "last.safetensors")
		o := federation.RunOptions{Algorithm: name, Config: "c", Checkpoint: path}
		envs, algorithms := make([]*federation.Env, 2), make([]federation.Algorithm, 2)
		for rank := range 2 {
			envs[rank], algorithms[rank] = federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, name)
			envs[rank].CheckpointEvery = 10
		}
		errs := rankstest.Run(t, 2, rankstest.Options(), func(r *ranks.Ranks) error {
			e, o := envs[r.Rank()], o
			spread := ranks.NewSpread(e.Executor, r)
			defer spread.Close()
			e.Peers, e.Executor = r, spread
			if r.Rank() > 0 {
				o.Elsewhere, o.Checkpoint = true, ""
			}
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if r.Rank() == interrupted {
				e.Observers = []federation.Observer{federationtest.Canceller{Cancel: cancel}}
			}
			_, err := federation.Run(ctx, e, algorithms[r.Rank()], o)
			return err
		})
		if !errors.Is(errs[interrupted], context.Canceled) || errs[1-interrupted] == nil {
			t.Fatalf("rank %d was interrupted: %v", interrupted, errs)
		}
		c, err := federation.ReadCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		if c.Rounds != 3 {
			t.Errorf("rank %d was interrupted: checkpoint after %d rounds", interrupted, c.Rounds)
		}
		o.Resume = c
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
		federationtest.MustRun(t, e, a, o)
		if !federationtest.EqualModels(federationtest.Models(t, a), want) {
			t.Errorf("rank %d was interrupted: the weights differ", interrupted)
		}
	}
}

// TestRanksThatDrift checks that ranks notice if they do not do the same work: different settings are noticed in the next
// training, and different models at the next checkpoint.
func TestRanksThatDrift(t *testing.T) {
	rankstest.Skip(t)
	for want, change := range map[string]func(*federation.Env){
		"out of step": func(e *federation.Env) { e.Momentum = 0.25 },
		"compute different results": func(e *federation.Env) {
			e.Seed, e.Clients = 8, federation.NewClients(federationtest.TinyPartition(e.Data))
		},
	} {
		path := filepath.Join(t.TempDir(), "last.safetensors")
		envs := []*federation.Env{federationtest.TinyEnv(t, 1), federationtest.TinyEnv(t, 1)}
		algorithms := []federation.Algorithm{federationtest.Algorithm(t, "fedavg"), federationtest.Algorithm(t, "fedavg")}
		change(envs[1])
		errs := rankstest.Run(t, 2, rankstest.Options(), func(r *ranks.Ranks) error {
			e, o := envs[r.Rank()], federation.RunOptions{Algorithm: "fedavg", Checkpoint: path}
			if r.Rank() > 0 {
				o.Elsewhere, o.Checkpoint = true, ""
			}
			spread := ranks.NewSpread(e.Executor, r)
			defer spread.Close()
			e.Peers, e.Executor = r, spread
			_, err := federation.Run(context.Background(), e, algorithms[r.Rank()], o)
			return err
		})
		for rank, err := range errs {
			if !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("rank %d ended with %v, which lacks %q", rank, err, want)
			}
		}
	}
}
