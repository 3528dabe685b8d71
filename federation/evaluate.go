package federation

import (
	"encoding/json"
	"math"

	"feddag/torch"
)

// Score is a client's accuracy on its test set, 0..1; NaN where it has no test samples.
type Score struct {
	Balanced float64 // mean of the per-class recalls, over the classes present
	Accuracy float64 // share of the samples
}

var noScore = Score{math.NaN(), math.NaN()}

// MarshalJSON writes [balanced, accuracy], or null where there is no score.
func (s Score) MarshalJSON() ([]byte, error) {
	if math.IsNaN(s.Balanced) {
		return []byte("null"), nil
	}
	return json.Marshal([2]float64{s.Balanced, s.Accuracy})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (s *Score) UnmarshalJSON(raw []byte) error {
	var p *[2]float64
	if err := json.Unmarshal(raw, &p); err != nil {
		return err
	}
	*s = noScore
	if p != nil {
		*s = Score{p[0], p[1]}
	}
	return nil
}

// predictAtOnce bounds the samples of one Prediction, so that a few models keep many workers busy.
const predictAtOnce = 1024

// Scores evaluates models[i] on the test set of clients[i]. Each distinct model sees the union of its clients' test
// samples once.
func (e *Env) Scores(clients []*Client, models []Model) ([]Score, error) {
	classes := map[Model][]uint8{} // predicted class of each test image
	members := map[Model][]*Client{}
	var order []Model
	for i, m := range models {
		if members[m] == nil {
			order = append(order, m)
		}
		members[m] = append(members[m], clients[i])
	}
	for i := 0; i < len(order); {
		net := order[i].Net
		var jobs []torch.Prediction
		var owners []Model
		for ; i < len(order) && order[i].Net == net; i++ {
			m := order[i]
			classes[m] = make([]uint8, e.Data.Test.Len())
			for samples := union(members[m], e.Data.Test.Len()); len(samples) > 0; {
				n := min(len(samples), predictAtOnce)
				jobs = append(jobs, torch.Prediction{State: m.State, Samples: samples[:n]})
				owners = append(owners, m)
				samples = samples[n:]
			}
		}
		if err := e.predict(net, jobs, owners, classes); err != nil {
			return nil, err
		}
	}
	scores := make([]Score, len(clients))
	for i, c := range clients {
		scores[i] = e.score(c, classes[models[i]])
	}
	return scores, nil
}

// predict fills in the classes of the jobs' samples.
func (e *Env) predict(net *torch.Network, jobs []torch.Prediction, owners []Model, classes map[Model][]uint8) error {
	if len(jobs) == 0 {
		return nil
	}
	var predicted []torch.Predicted
	err := e.await(Progress{Phase: "evaluation"}, func() (err error) {
		predicted, err = e.Executor.Predict(net, e.Test, jobs)
		return err
	})
	if err != nil {
		return err
	}
	for i, job := range jobs {
		for k, sample := range job.Samples {
			classes[owners[i]][sample] = predicted[i].Classes[k]
		}
	}
	return nil
}

// union returns the test samples of several clients, each once, ascending.
func union(clients []*Client, n int) []int32 {
	in := make([]bool, n)
	for _, c := range clients {
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

// evaluate scores every client with the model the server assigns to it.
func (e *Env) evaluate(a Algorithm, clients []*Client) ([]Score, error) {
	models := make([]Model, len(clients))
	for i, c := range clients {
		models[i] = a.Model(c.ID)
	}
	return e.Scores(clients, models)
}
