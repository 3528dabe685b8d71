package algorithm_test

import (
	"context"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// schedule parses a schedule.
func schedule(t *testing.T, text string) (s federation.RateSchedule) {
	t.Helper()
	if err := s.Set(text); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestScheduleIsTheRateOfTheRound checks that every method trains round t with the scheduled rate: a run whose rate is halved by
// hand between two rounds has the same models. The final local training uses the rate of the run.
func TestScheduleIsTheRateOfTheRound(t *testing.T) {
	for _, name := range append(federation.Names(), "feddag --feddag-encoders 2 --feddag-head-epochs 1") {
		if name == "per-fedavg" { // its α is not a rate of the round
			continue
		}
		want := func() map[string][]float32 {
			e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, name)
			if err := e.Start(context.Background()); err != nil {
				t.Fatal(err)
			}
			r := federation.NewRunner(e, a, federation.RunOptions{Algorithm: name})
			if _, err := r.Begin(); err != nil {
				t.Fatal(err)
			}
			for round := range e.Rounds {
				if err := r.Round(round); err != nil {
					t.Fatal(err)
				}
				e.LearningRate /= 2
			}
			return federationtest.Models(t, a)
		}()
		got, _ := federationtest.Finished(t, name, 2, func(e *federation.Env) { e.Schedule = schedule(t, "step:1:0.5") })
		if !federationtest.EqualModels(got, want) {
			t.Errorf("%s: the schedule is not the rate of the round", name)
		}
	}
}

// rates is an executor that records the learning rates of its trainings.
type rates struct {
	torch.Executor
	seen []torch.SGD
}

func (r *rates) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	r.seen = append(r.seen, sgd)
	return r.Executor.Train(net, images, jobs, parts, sgd)
}

// TestScheduleOfPerFedAvg checks that the outer rate of Per-FedAvg follows the schedule, that α, which is part of the objective,
// does not, and that its final local training uses the rate of the run.
func TestScheduleOfPerFedAvg(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "per-fedavg --per-fedavg-outer 2 --per-fedavg-inner 1 --per-fedavg-steps 0")
	seen := &rates{Executor: e.Executor}
	e.Executor, e.Rounds, e.Rate, e.Schedule = seen, 2, 0.125, schedule(t, "exponential:0.5")
	federationtest.MustRun(t, e, a, federation.RunOptions{Algorithm: "per-fedavg"})
	for round, want := range []float64{0.2, 0.1} {
		if sgd := seen.seen[round]; sgd.LearningRate != want || sgd.Meta.Alpha != 0.1 {
			t.Errorf("round %d: rate %g and α %g, want %g and 0.1", round, sgd.LearningRate, sgd.Meta.Alpha, want)
		}
	}
	if sgd := seen.seen[len(seen.seen)-1]; sgd.LearningRate != 0.1 || sgd.Meta != nil {
		t.Errorf("the final local training has the rate %g", sgd.LearningRate)
	}
}

// TestScheduleOnTheBatchedEngine checks that the batched engine, which keeps its settings on the device from call to call, also
// trains with the rate of each round.
func TestScheduleOnTheBatchedEngine(t *testing.T) {
	change := func(e *federation.Env) { e.Schedule = schedule(t, "step:1:0.25") }
	want, _ := federationtest.Finished(t, "fedavg", 1, change)
	got, _ := federationtest.Finished(t, "fedavg", 1, func(e *federation.Env) {
		change(e)
		batched, err := torch.NewBatched(e.Device, torch.BatchedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(batched.Close)
		e.Executor = batched
	})
	for k, w := range want["global"] {
		if d := got["global"][k] - w; d > 1e-5 || d < -1e-5 {
			t.Fatalf("weight %d is %g, with the serial engine %g", k, got["global"][k], w)
		}
	}
}
