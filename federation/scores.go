package federation

import (
	"math"
)

// cohortScores returns the scores of the models a round starts from.
func (r *run) cohortScores(cohort []*Client) ([]Score, error) {
	if r.scores == nil {
		return r.env.evaluate(r.alg, cohort)
	}
	scores := make([]Score, len(cohort))
	for i, c := range cohort {
		scores[i] = r.scores[c.ID]
	}
	return scores, nil
}

// post scores locally trained models and frees them.
func (r *run) post(trained []Local) ([]Score, error) {
	clients, models := make([]*Client, len(trained)), make([]Model, len(trained))
	for i, l := range trained {
		clients[i], models[i] = l.Client, l.Model
		defer l.State.Close()
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

// evaluateAll scores every client.
func (r *run) evaluateAll() (err error) {
	if r.scores, err = r.env.evaluate(r.alg, r.env.Clients); err != nil {
		return err
	}
	for i, s := range r.scores {
		r.last[i].Pre = s
		r.best[i].Pre = higher(r.best[i].Pre, s)
	}
	return nil
}

// higher takes the higher of each number; one that is NaN yields.
func higher(a, b Score) Score {
	if math.IsNaN(a.Balanced) {
		return b
	}
	if math.IsNaN(b.Balanced) {
		return a
	}
	return Score{max(a.Balanced, b.Balanced), max(a.Accuracy, b.Accuracy)}
}
