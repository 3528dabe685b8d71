package federation

import (
	"math"
	"slices"

	"feddag/torch"
)

// Score is the accuracy of a client's predictions on its test set, between 0 and 1. Both numbers are NaN if the client has no
// test samples or was not evaluated.
type Score struct {
	Balanced float64 // mean of the recalls of the classes in the test set
	Accuracy float64 // share of the test samples that are predicted correctly
}

// noScore is the score of a client that was not evaluated.
var noScore = Score{math.NaN(), math.NaN()}

// PrePost is a client's score before and after local training.
type PrePost struct {
	Pre, Post Score
}

// higher returns the higher value of each accuracy. If a score is NaN, higher returns the other one.
func higher(a, b Score) Score {
	if math.IsNaN(a.Balanced) {
		return b
	}
	if math.IsNaN(b.Balanced) {
		return a
	}
	return Score{max(a.Balanced, b.Balanced), max(a.Accuracy, b.Accuracy)}
}

// samplesPerPrediction bounds the samples of one torch.Prediction, so that a few models keep many workers busy.
const samplesPerPrediction = 1024

// outputs are the predictions of a model for the test images of its clients. Only the elements of these images are set.
type outputs struct {
	classes []uint8   // [test images] predicted class
	logp    []float32 // [test images, classes] log-probabilities; nil if the model is in no mixture
	clients []*Client // the clients that predict with the model
}

// Scores evaluates models[i] on the [Env.TestSamples] of clients[i] and returns the scores by i. Each state of a mixture, and each
// set of states with equal contents, predicts once for the union of its clients' samples. A score in the cache is not computed
// again, unless the confusion matrix is counted.
func (e *Env) Scores(clients []*Client, models []Model) ([]Score, error) {
	keys, err := scoreKeys(clients, models)
	if err != nil {
		return nil, err
	}
	models = uniteEqual(keys, models)
	scores := make([]Score, len(clients))
	predictions := map[Model]*outputs{} // by model of a single state
	var order []Model                   // the keys of predictions, in order of first use
	for i, m := range models {
		if _, cached := e.cachedScore(keys[i]); cached {
			continue
		}
		for _, component := range m.components() {
			out := predictions[component]
			if out == nil {
				out = &outputs{classes: make([]uint8, e.Data.Test.Len())}
				predictions[component] = out
				order = append(order, component)
			}
			if m.Mix != nil && out.logp == nil {
				out.logp = make([]float32, len(out.classes)*e.Data.Classes)
			}
			out.clients = append(out.clients, clients[i])
		}
	}
	for i := 0; i < len(order); {
		net := order[i].Net
		var jobs []torch.Prediction
		var owners []*outputs
		for ; i < len(order) && order[i].Net == net; i++ {
			out := predictions[order[i]]
			for samples := range slices.Chunk(e.testUnion(out.clients), samplesPerPrediction) {
				jobs = append(jobs, torch.Prediction{State: order[i].State, Samples: samples, LogProbabilities: out.logp != nil})
				owners = append(owners, out)
			}
		}
		if err := e.fillOutputs(net, jobs, owners); err != nil {
			return nil, err
		}
	}
	for i, c := range clients {
		m := models[i]
		if m.Mix != nil {
			scores[i] = e.score(c, m.Mix.Classes(e.TestSamples(c), e.Data.Classes, func(state *torch.Vector) []float32 {
				return predictions[Model{Net: m.Net, State: state}].logp
			}))
			continue
		}
		score, cached := e.cachedScore(keys[i])
		if !cached {
			score = e.score(c, predictions[m].classes)
			e.scores.store(keys[i], score)
		}
		scores[i] = score
	}
	return scores, nil
}

// cachedScore returns a score from the cache. It returns none while the confusion matrix is counted, which needs every
// prediction.
func (e *Env) cachedScore(key scoreKey) (Score, bool) {
	if e.confusion != nil {
		return noScore, false
	}
	return e.scores.lookup(key)
}

// newConfusion returns a confusion matrix, [label][predicted class], of zeros.
func newConfusion(classes int) [][]int {
	counts := make([][]int, classes)
	for label := range counts {
		counts[label] = make([]int, classes)
	}
	return counts
}

// fillOutputs runs the jobs and writes the predictions of jobs[i] into owners[i].
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

// testUnion returns the [Env.TestSamples] of several clients, each sample once and in ascending order.
func (e *Env) testUnion(clients []*Client) []int32 {
	in, seen := make([]bool, e.Data.Test.Len()), map[testSet]bool{}
	for _, c := range clients {
		if seen[testSetOf(c)] {
			continue
		}
		seen[testSetOf(c)] = true
		for _, s := range e.TestSamples(c) {
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

// score compares predicted classes, [test images], with the labels that a client uses for its [Env.TestSamples].
func (e *Env) score(c *Client, predicted []uint8) Score {
	samples := e.TestSamples(c)
	if len(samples) == 0 {
		return noScore
	}
	var hits, seen [256]int
	for _, s := range samples {
		label := e.Data.Test.Labels[s]
		if c.LabelMap != nil {
			label = c.LabelMap[label]
		}
		seen[label]++
		if e.confusion != nil {
			e.confusion[label][predicted[s]]++
		}
		if predicted[s] == label {
			hits[label]++
		}
	}
	var correct, present int
	var recalls float64
	for l, n := range seen {
		if n > 0 {
			present++
			correct += hits[l]
			recalls += float64(hits[l]) / float64(n)
		}
	}
	return Score{recalls / float64(present), float64(correct) / float64(len(samples))}
}
