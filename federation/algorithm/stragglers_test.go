package algorithm_test

import (
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestAllStragglersOfTwoEpochs checks that a run of two local epochs whose clients are all stragglers equals a run of one epoch,
// for methods with every kind of local training.
func TestAllStragglersOfTwoEpochs(t *testing.T) {
	for _, name := range []string{"fedavg", "fedprox", "fedmix", "fedbr", "per-fedavg", "ifca", "fedrc", "fedsoft", "fedgwc --fedgwc-losses 0", "feddag", "feddag-star"} {
		run := func(epochs int, stragglers float64) map[string][]float32 {
			models, _ := federationtest.Finished(t, name, 2, func(e *federation.Env) {
				e.Epochs, e.Unreliable.Stragglers, e.FinalPost = epochs, stragglers, false
			})
			return models
		}
		if !federationtest.EqualModels(run(2, 1), run(1, 0)) {
			t.Errorf("%s: stragglers of two epochs do not train for one", name)
		}
	}
}

// epochCounter is an executor that records the number of epochs of each client.
type epochCounter struct {
	torch.Executor
	epochs map[int]int
}

func (x *epochCounter) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	for _, j := range jobs {
		x.epochs[j.Client] = len(j.Order)
	}
	return x.Executor.Train(net, images, jobs, parts, sgd)
}

// Cancel makes it an executor that gets all jobs in one call.
func (x *epochCounter) Cancel() { x.Executor.(*torch.Engine).Cancel() }

// TestStragglersAndDropouts checks how many clients of a round do fewer epochs and how many do not answer, that they differ from
// round to round, and that the ledger has their work.
func TestStragglersAndDropouts(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "fedavg")
	counter, rounds := &epochCounter{e.Executor, map[int]int{}}, &federationtest.Recorder{StopAfter: -2}
	e.Executor, e.Observers = counter, []federation.Observer{rounds}
	e.Rate, e.Rounds, e.Epochs, e.FinalPost = 1, 6, 5, false
	e.Unreliable = federation.Unreliable{Stragglers: 0.5, Dropout: 0.25}
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	r := federation.NewRunner(e, a, federation.RunOptions{})
	if _, err := r.Begin(); err != nil {
		t.Fatal(err)
	}
	stragglers, silent, partial := map[int]bool{}, map[int]bool{}, map[int]bool{}
	for round := range e.Rounds {
		clear(counter.epochs)
		before := e.Ledger.AllWork().Training
		if err := r.Round(round); err != nil {
			t.Fatal(err)
		}
		x := rounds.Rounds[round]
		if len(x.Unanswered) != 2 || len(x.Cohort) != 6 || len(x.Stragglers) != 3 || !slices.IsSorted(x.Stragglers) {
			t.Fatalf("round %d: %v trained, %v of them in part, %v did not answer", round+1, x.Cohort, x.Stragglers, x.Unanswered)
		}
		var work int64
		for _, i := range x.Cohort {
			n := counter.epochs[i]
			work += int64(n) * int64(e.Clients[i].Size())
			if straggles := slices.Contains(x.Stragglers, i); straggles != (n < 5) || n < 1 {
				t.Errorf("round %d: client %d did %d epochs, a straggler: %t", round+1, i, n, straggles)
			} else if straggles {
				stragglers[i], partial[n] = true, true
			}
		}
		for _, i := range x.Unanswered {
			silent[i] = true
			if slices.Contains(x.Cohort, i) || counter.epochs[i] != 0 {
				t.Errorf("round %d: client %d does not answer and trains", round+1, i)
			}
		}
		if got := e.Ledger.AllWork().Training - before; got != work {
			t.Errorf("round %d: the ledger has %d samples, %d were trained", round+1, got, work)
		}
		net := a.Model(0).Net.Len()
		if down := x.Traffic.Down; down["unanswered"] != int64(2*4*net) || down["model"] != int64(6*4*net) || x.Traffic.Up["model"] != int64(6*4*net) {
			t.Errorf("round %d: traffic %v", round+1, x.Traffic)
		}
	}
	if len(stragglers) < 5 || len(silent) < 4 || len(partial) < 3 {
		t.Errorf("in six rounds %v straggled with %v epochs, and %v did not answer", stragglers, partial, silent)
	}
}
