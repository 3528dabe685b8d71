package federation

import (
	"fmt"
	"slices"

	"feddag/torch"
)

// Predictor is implemented by a method whose clients do some work before they predict: they choose a model by its training
// loss, or take a step of training. The clients of other methods predict with [Algorithm].Model.
type Predictor interface {
	// PredictsWith describes briefly the model that a client predicts with. The accuracies before local training are the
	// accuracies of this model.
	PredictsWith() string
	// Predict calls score with the clients and the models that they predict with, either once with all clients or several
	// times with some of them. When score returns, the models of that call are no longer needed and may be freed.
	Predict(env *Env, clients []*Client, score func([]*Client, []Model) error) error
}

// Evaluate returns the score of each client with the model that it predicts with before local training. It is an error if a
// [Predictor] leaves a client out.
func (e *Env) Evaluate(a Algorithm, clients []*Client) ([]Score, error) {
	return e.EvaluateBy(a, clients, e.Scores)
}

// EvaluateBy is Evaluate with another function that scores models[i] for clients[i], such as [Env.TrainScores].
func (e *Env) EvaluateBy(a Algorithm, clients []*Client, scores func([]*Client, []Model) ([]Score, error)) ([]Score, error) {
	p, ok := a.(Predictor)
	if !ok {
		models := make([]Model, len(clients))
		for i, c := range clients {
			models[i] = a.Model(c.ID)
		}
		return scores(clients, models)
	}
	byID := map[*Client]Score{}
	names := stateNames(a)
	err := p.Predict(e, clients, func(some []*Client, models []Model) error {
		for i, c := range some {
			e.recordUse(c, useOf(names, models[i]))
		}
		scored, err := scores(some, models)
		for i, s := range scored {
			byID[some[i]] = s
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	scored := make([]Score, len(clients))
	for i, c := range clients {
		s, ok := byID[c]
		if !ok {
			return nil, fmt.Errorf("client %d: the method gave it no model to predict with", c.ID)
		}
		scored[i] = s
	}
	return scored, nil
}

// Predict runs the jobs on the executor and returns a result for each. It ends with the error of the run's context when the run
// is interrupted.
func (e *Env) Predict(net *torch.Network, images *torch.Images, jobs []torch.Prediction) (predicted []torch.Predicted, err error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	err = e.runCancellable(Progress{Phase: "evaluation"}, func() (err error) {
		predicted, err = e.Executor.Predict(net, images, jobs)
		return err
	})
	return predicted, err
}

// cohortScores returns the scores of the cohort with the models that a round starts from. It takes them from the last
// evaluation of all clients if the models have not changed since.
func (r *Runner) cohortScores(cohort []*Client) ([]Score, error) {
	if r.scores == nil {
		return r.env.Evaluate(r.alg, cohort)
	}
	scores := make([]Score, len(cohort))
	for i, c := range cohort {
		scores[i] = r.scores[c.ID]
	}
	return scores, nil
}

// scoreTrained returns the scores of models after local training, records them as their clients' scores after training, and
// closes the models.
func (r *Runner) scoreTrained(trained []Local) ([]Score, error) {
	clients, models := make([]*Client, len(trained)), make([]Model, len(trained))
	for i, l := range trained {
		clients[i], models[i] = l.Client, l.Model
		defer l.Close()
	}
	scores, err := r.env.Scores(clients, models)
	if err != nil {
		return nil, err
	}
	for i, c := range clients {
		r.last[c.ID].Post = scores[i]
		r.best[c.ID].Post = higher(r.best[c.ID].Post, scores[i])
	}
	return scores, nil
}

// evaluateAll scores every present client and records the scores as scores before local training. Absent clients have no score.
func (r *Runner) evaluateAll() error {
	clients := r.env.Present()
	scores, err := r.env.Evaluate(r.alg, clients)
	if err != nil {
		return err
	}
	r.env.scores.advance()
	r.scores = slices.Repeat([]Score{noScore}, len(r.env.Clients))
	for k, c := range clients {
		r.scores[c.ID] = scores[k]
		r.last[c.ID].Pre = scores[k]
		r.best[c.ID].Pre = higher(r.best[c.ID].Pre, scores[k])
	}
	return nil
}
