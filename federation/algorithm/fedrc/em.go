package fedrc

import (
	"cmp"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// expectation is the result of a client's E step.
type expectation struct {
	gamma [][]float32 // [K][n_i]
	omega []float64   // [K]
	mass  [][]float64 // [K][C]
}

// expect does the E step of the clients and returns the results in their order. prior reports whether to divide by the class
// priors for a client. counted is as in [algorithm.TrainingLosses].
func (a *FedRC) expect(clients []*federation.Client, counted bool, prior func(*federation.Client) bool) ([]expectation, error) {
	losses, err := algorithm.TrainingLosses(a.Env, a.Net, a.States, clients, counted)
	if err != nil {
		return nil, err
	}
	priors := a.priors()
	steps := make([]expectation, len(clients))
	for i, c := range clients {
		e := &steps[i]
		e.omega, e.gamma, e.mass = make([]float64, a.K), make([][]float32, a.K), make([][]float64, a.K)
		for k := range a.K {
			e.gamma[k], e.mass[k] = make([]float32, c.Size()), make([]float64, a.Env.Data.Classes)
		}
		divide := priors != nil && prior(c)
		logits := make([]float64, a.K)
		for j, sample := range c.Train {
			y := a.Env.Label(c, sample)
			for k := range logits {
				logits[k] = math.Log(a.omega[c.ID][k]) - float64(losses[k][i].Losses[j])
				if divide {
					logits[k] -= math.Log(priors[k][y])
				}
			}
			softmax(logits)
			for k, g := range logits {
				e.gamma[k][j] = float32(g)
				e.omega[k] += g / float64(c.Size())
				e.mass[k][y] += g
			}
		}
		for k := range e.omega {
			e.omega[k] = max(e.omega[k], floor)
		}
	}
	return steps, nil
}

// softmax replaces x by its softmax.
func softmax(x []float64) {
	top := slices.Max(x)
	var sum float64
	for k := range x {
		x[k] = math.Exp(x[k] - top)
		sum += x[k]
	}
	for k := range x {
		x[k] /= sum
	}
}

// priors returns P_k(y), [K][C], from the masses that clients have sent, or nil if no client has sent any.
func (a *FedRC) priors() [][]float64 {
	var priors [][]float64
	for _, mass := range a.mass {
		if mass == nil {
			continue
		}
		if priors == nil {
			priors = make([][]float64, a.K)
			for k := range priors {
				priors[k] = make([]float64, a.Env.Data.Classes)
			}
		}
		for k := range mass {
			for y, m := range mass[k] {
				priors[k][y] += m
			}
		}
	}
	for _, p := range priors {
		var sum float64
		for _, m := range p {
			sum += m
		}
		for y := range p {
			p[y] = max(p[y]/max(sum, floor), floor)
		}
	}
	return priors
}

// maximise does the M step: every client trains its models with the sample weights of its E step. It returns the indices of the
// models that each client trained, and the results of the trainings, by client and then in the order of these indices. The
// caller closes the end states.
func (a *FedRC) maximise(clients []*federation.Client, steps []expectation, t int, phase federation.Phase) (models [][]int, trained []torch.Trained, err error) {
	var jobs []torch.Job
	models = make([][]int, len(clients))
	for i, c := range clients {
		models[i] = largest(steps[i].omega, a.Top)
		for _, k := range models[i] {
			job := c.Job(a.States[k])
			job.Weights = steps[i].gamma[k]
			jobs = append(jobs, job)
		}
	}
	sgd := a.Env.SGD()
	sgd.LearningRate *= a.Rate
	trained, err = a.Env.LocalTraining(a.Net, jobs, t, phase, torch.All, sgd, a.Env.Epochs)
	return models, trained, err
}

// largest returns the indices of the n largest values of x, ascending, or all indices if n is 0.
func largest(x []float64, n int) []int {
	indices := make([]int, len(x))
	for k := range indices {
		indices[k] = k
	}
	if n > 0 && n < len(x) {
		slices.SortStableFunc(indices, func(i, j int) int { return cmp.Compare(x[j], x[i]) })
		indices = indices[:n]
		slices.Sort(indices)
	}
	return indices
}

// trainedOnce reports whether a client has ever trained. If so, its E step divides by the priors.
func (a *FedRC) trainedOnce(c *federation.Client) bool { return a.mass[c.ID] != nil }
