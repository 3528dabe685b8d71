package federation_test

import (
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// seeing counts the samples that models see.
type seeing struct {
	torch.Executor
	samples int
}

func (s *seeing) Predict(net *torch.Network, images *torch.Images, jobs []torch.Prediction) ([]torch.Predicted, error) {
	for _, job := range jobs {
		s.samples += len(job.Samples)
	}
	return s.Executor.Predict(net, images, jobs)
}

// rounds keeps what it hears of the rounds.
type rounds struct {
	federationtest.Silent
	results []federation.RoundResult
}

func (r *rounds) Round(result federation.RoundResult) error {
	r.results = append(r.results, result)
	return nil
}

// A model of one client is seen after each of its trainings and not again, whoever evaluates it, and the scores are
// those of models that nobody knows. One that is changed in place is seen again.
func TestKnownScores(t *testing.T) {
	for _, every := range []int{1, 2} {
		e := federationtest.TinyEnv(t, 1)
		a, eye, heard := federationtest.Algorithm(t, "local"), &seeing{Executor: e.Executor}, &rounds{}
		e.EvalEvery, e.FinalPost, e.Executor, e.Observers = every, false, eye, []federation.Observer{heard}
		result := federationtest.MustRun(t, e, a, federation.RunOptions{})

		want := len(federation.Union(e.Present(), e.Data.Test.Len())) // by θ^0, which all begin with
		for _, r := range heard.results {
			for _, id := range r.Cohort {
				want += len(e.Clients[id].Test)
			}
		}
		if eye.samples != want {
			t.Errorf("evaluated every %d rounds, the models saw %d samples, want %d", every, eye.samples, want)
		}

		models := make([]federation.Model, len(e.Present()))
		var last []federation.Score
		for i, c := range e.Present() {
			models[i], last = a.Model(c.ID), append(last, result.Last[c.ID].Pre)
		}
		e.ForgetScores()
		fresh, err := e.Scores(e.Present(), models)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(last, fresh) {
			t.Errorf("evaluated every %d rounds, the last scores are %v, found anew %v", every, last, fresh)
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
