package federation

import (
	"math"
	"slices"
)

// cohortScores returns the scores of the models a round starts from.
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

// post scores locally trained models and frees them.
func (r *Runner) post(trained []Local) ([]Score, error) {
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

// evaluateAll scores every client that is there; the others have no score.
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
