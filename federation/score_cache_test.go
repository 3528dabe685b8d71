package federation_test

import (
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// predictionCounter is an executor that counts the samples of its predictions.
type predictionCounter struct {
	torch.Executor
	samples int
}

func (s *predictionCounter) Predict(net *torch.Network, images *torch.Images, jobs []torch.Prediction) ([]torch.Predicted, error) {
	for _, job := range jobs {
		s.samples += len(job.Samples)
	}
	return s.Executor.Predict(net, images, jobs)
}

// TestScoreCache checks that a model of one client is evaluated only once, after a training if the round is evaluated, and that a
// round without evaluation evaluates nothing. The last round evaluates all models for the confusion matrix, and the cached scores
// equal newly computed ones. A model whose weights are changed in place is evaluated again.
func TestScoreCache(t *testing.T) {
	for _, every := range []int{1, 2} {
		e := federationtest.TinyEnv(t, 1)
		a, counter, recorder := federationtest.Algorithm(t, "local"), &predictionCounter{Executor: e.Executor}, &federationtest.Recorder{StopAfter: -2}
		e.EvalEvery, e.FinalPost, e.Executor, e.Observers = every, false, counter, []federation.Observer{recorder}
		result := federationtest.MustRun(t, e, a, federation.RunOptions{})

		want := e.Data.Test.Len()                       // for θ^0, with which all clients begin
		trained, scored := map[int]int{}, map[int]int{} // by client: number of trainings so far, and at its last score
		score := func(id int) {
			if scored[id] < trained[id] {
				want += len(e.Clients[id].Test)
			}
			scored[id] = trained[id]
		}
		for n, r := range recorder.Rounds {
			evaluated := (n+1)%every == 0
			for _, id := range r.Cohort {
				if evaluated {
					score(id) // before training
				}
				trained[id]++
				if evaluated {
					score(id)
				}
			}
			last := n == len(recorder.Rounds)-1
			untrained := map[int32]bool{} // test samples of the clients that still have θ^0, which predicts once for all of them
			for id, c := range e.Clients {
				switch {
				case !evaluated:
				case !last:
					score(id)
				case trained[id] > 0: // the confusion matrix needs all predictions
					want += len(c.Test)
				default:
					for _, s := range c.Test {
						untrained[s] = true
					}
				}
			}
			want += len(untrained)
			if (r.Confusion != nil) != (last && evaluated) {
				t.Errorf("evaluated every %d rounds, round %d has the confusion %v", every, r.Round, r.Confusion)
			}
			if (r.Pre != nil) != evaluated || (r.Post != nil) != evaluated || (r.All != nil) != evaluated {
				t.Errorf("evaluated every %d rounds, round %d has the scores %v, %v, %v", every, r.Round, r.Pre, r.Post, r.All)
			}
		}
		if counter.samples != want {
			t.Errorf("evaluated every %d rounds, the models predicted for %d samples, want %d", every, counter.samples, want)
		}

		models := make([]federation.Model, len(e.Present()))
		var cached []federation.Score
		for i, c := range e.Present() {
			models[i], cached = a.Model(c.ID), append(cached, result.Last[c.ID].Pre)
		}
		e.ForgetScores()
		fresh, err := e.Scores(e.Present(), models)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cached, fresh) {
			t.Errorf("evaluated every %d rounds, the last scores are %v, computed again %v", every, cached, fresh)
		}

		state := models[0].State
		if err := state.Set(make([]float32, state.Len())); err != nil {
			t.Fatal(err)
		}
		changed, err := e.Scores(e.Present(), models)
		if err != nil {
			t.Fatal(err)
		}
		if changed[0] == fresh[0] {
			t.Errorf("a model set to zeros still scores %v", fresh[0])
		}
	}
}
