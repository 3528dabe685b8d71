package federation

import (
	"fmt"
	"math"
	"slices"

	"feddag/torch"
)

// Score is a client's accuracy on its test set, 0..1; NaN where it has no test samples.
type Score struct {
	Balanced float64 // mean of the per-class recalls, over the classes present
	Accuracy float64 // share of the samples
}

var noScore = Score{math.NaN(), math.NaN()}

// predictAtOnce bounds the samples of one Prediction, so that a few models keep many workers busy.
const predictAtOnce = 1024

// sight is what a model sees in the test images that one of its clients has.
type outputs struct {
	classes []uint8   // [test images] predicted
	logp    []float32 // [test images, C]; nil if no mixture needs it
	clients []*Client
}

// Scores evaluates models[i] on the test set of clients[i]. Each distinct state sees the union of its clients' test
// samples once, those in mixtures too; a score that is known from before is not found again.
func (e *Env) Scores(clients []*Client, models []Model) ([]Score, error) {
	views, err := scoreKeys(clients, models)
	if err != nil {
		return nil, err
	}
	scores := make([]Score, len(clients))
	sights := map[Model]*outputs{}
	var order []Model
	for i, m := range models {
		if _, known := e.scores.lookup(views[i]); known {
			continue
		}
		for _, state := range m.components() {
			s := sights[state]
			if s == nil {
				s = &outputs{classes: make([]uint8, e.Data.Test.Len())}
				sights[state] = s
				order = append(order, state)
			}
			if m.Mix != nil && s.logp == nil {
				s.logp = make([]float32, len(s.classes)*e.Data.Classes)
			}
			s.clients = append(s.clients, clients[i])
		}
	}
	for i := 0; i < len(order); {
		net := order[i].Net
		var jobs []torch.Prediction
		var owners []*outputs
		for ; i < len(order) && order[i].Net == net; i++ {
			s := sights[order[i]]
			for samples := range slices.Chunk(union(s.clients, e.Data.Test.Len()), predictAtOnce) {
				jobs = append(jobs, torch.Prediction{State: order[i].State, Samples: samples, LogProbabilities: s.logp != nil})
				owners = append(owners, s)
			}
		}
		if err := e.fillOutputs(net, jobs, owners); err != nil {
			return nil, err
		}
	}
	for i, c := range clients {
		m := models[i]
		if m.Mix != nil {
			scores[i] = e.score(c, m.Mix.Classes(c, e.Data.Classes, func(state *torch.Vector) []float32 {
				return sights[Model{Net: m.Net, State: state}].logp
			}))
			continue
		}
		score, known := e.scores.lookup(views[i])
		if !known {
			score = e.score(c, sights[m].classes)
			e.scores.store(views[i], score)
		}
		scores[i] = score
	}
	return scores, nil
}

// see fills in what the jobs' models see in the jobs' samples.
func (e *Env) fillOutputs(net *torch.Network, jobs []torch.Prediction, owners []*outputs) error {
	predicted, err := e.Predict(net, e.Test, jobs)
	if err != nil {
		return err
	}
	for i, job := range jobs {
		for k, sample := range job.Samples {
			owners[i].classes[sample] = predicted[i].Classes[k]
			if logp := owners[i].logp; logp != nil {
				copy(logp[int(sample)*e.Data.Classes:], predicted[i].LogProbabilities[k*e.Data.Classes:(k+1)*e.Data.Classes])
			}
		}
	}
	return nil
}

// predict calls the executor, which an interrupt ends.
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

// union returns the test samples of several clients, each once, ascending.
func union(clients []*Client, n int) []int32 {
	in, seen := make([]bool, n), map[testSet]bool{}
	for _, c := range clients {
		if seen[testSetOf(c)] {
			continue
		}
		seen[testSetOf(c)] = true
		for _, s := range c.Test {
			in[s] = true
		}
	}
	var samples []int32
	for s, yes := range in {
		if yes {
			samples = append(samples, int32(s))
		}
	}
	return samples
}

// score compares predicted classes with a client's labels.
func (e *Env) score(c *Client, predicted []uint8) Score {
	if len(c.Test) == 0 {
		return noScore
	}
	var hits, seen [256]int
	for _, s := range c.Test {
		label := e.Data.Test.Labels[s]
		if c.LabelMap != nil {
			label = c.LabelMap[label]
		}
		seen[label]++
		if predicted[s] == label {
			hits[label]++
		}
	}
	var right, present int
	var recalls float64
	for l, n := range seen {
		if n > 0 {
			present++
			right += hits[l]
			recalls += float64(hits[l]) / float64(n)
		}
	}
	return Score{recalls / float64(present), float64(right) / float64(len(c.Test))}
}

// Predictor is implemented by a method with which a client has work to do before it predicts: to choose among models by its
// training loss, or to take a step of training. Without it, clients predict with Model.
type Predictor interface {
	// PredictsWith says in a few words what the clients predict with: the accuracies before local training are those of it.
	PredictsWith() string
	// Predict hands over the clients with what they predict with, all at once or in portions. A portion is scored when
	// score returns, and what was made for it may be freed then.
	Predict(env *Env, clients []*Client, score func([]*Client, []Model) error) error
}

// evaluate scores clients with what they predict with, before local training.
func (e *Env) Evaluate(a Algorithm, clients []*Client) ([]Score, error) {
	p, ok := a.(Predictor)
	if !ok {
		models := make([]Model, len(clients))
		for i, c := range clients {
			models[i] = a.Model(c.ID)
		}
		return e.Scores(clients, models)
	}
	byID := map[*Client]Score{}
	err := p.Predict(e, clients, func(some []*Client, models []Model) error {
		scores, err := e.Scores(some, models)
		for i, s := range scores {
			byID[some[i]] = s
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	scores := make([]Score, len(clients))
	for i, c := range clients {
		s, ok := byID[c]
		if !ok {
			return nil, fmt.Errorf("client %d: the method gave it no model to predict with", c.ID)
		}
		scores[i] = s
	}
	return scores, nil
}
