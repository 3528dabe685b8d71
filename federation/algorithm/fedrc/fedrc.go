package fedrc

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedrc", "K models that every client trains by sample weights; it predicts with their mixture", func() federation.Algorithm {
		return &FedRC{K: 5}
	})
}

// FedRC is robust clustering (Guo, Tang, Lin, ICML 2024): an EM algorithm whose clusters keep clients together that differ
// in labels or features and part those that differ in concept. The server keeps models θ_1..θ_K and class priors P_k(y), a
// client i weights ω_i in the simplex. With l_jk the cross-entropy of sample j under θ_k, a client of the cohort computes
//
//	γ_j;k = softmax_k(log ω_k - l_jk - log P_k(y_j)),  ω_k <- mean_j γ_j;k
//	θ_k,i = LocalSGD(θ_k; i) on (1/B) Σ_j γ_j;k CE_jk,  for every k
//
// and sends the models and its mass Σ_{j: y_j=y} γ_j;k. Then θ_k <- Σ n_i θ_k,i / Σ n_i, and P_k(y) is proportional to
// the masses that clients have sent. It predicts with Σ_k ω_k softmax(θ_k(x)), ω after one more such step with the
// present models; a client that never trained, or comes later, leaves the prior out of it, as the authors' test clients.
//
// Training costs K times that of the others; Top trains only the models of a client's largest ω. The authors use K = 3, 1
// local epoch, rate 0.06 and momentum 0.9 (github.com/LINs-lab/FedRC, README); here K = 5 and the run's own optimiser.
// Because the prior takes labels out of γ, label skew alone gives no clusters.
type FedRC struct {
	algorithm.ClusterBank     // a client's is that of its largest ω
	K                     int // models
	Top                   int // models a client trains, of its largest ω; 0 is all

	omega [][]float64   // [clients][K]; nil of those that are not there
	mass  [][][]float64 // [clients][K][C] as last sent; nil of a client that never trained
}

// floor keeps weights and priors from 0, which the logarithm would make final.
const fedrcFloor = 1e-8

// Flags implements [Flagger].
func (a *FedRC) Flags(fs *pflag.FlagSet) {
	fs.IntVar(&a.K, "fedrc-clusters", a.K, "K, number of models")
	fs.IntVar(&a.Top, "fedrc-top", a.Top, "models a client trains, those of its largest weights; 0 is all K")
}

// Validate implements [Validator].
func (a *FedRC) Validate() error {
	if a.Top < 0 {
		return fmt.Errorf("--fedrc-top is %d: use 0 (all) or more", a.Top)
	}
	return nil
}

// Init implements [Algorithm].
func (a *FedRC) Init(env *federation.Env) error {
	if err := algorithm.CheckCount(env, "fedrc-clusters", a.K); err != nil {
		return err
	}
	if err := a.Begin(env, 1, algorithm.SharedModel); err != nil {
		return err
	}
	states, err := algorithm.IndependentStates(env, a.Net, a.K)
	if err != nil {
		return err
	}
	a.Replace(states)
	a.omega, a.mass = make([][]float64, len(env.Clients)), make([][][]float64, len(env.Clients))
	for _, c := range env.Present() {
		a.omega[c.ID] = slices.Repeat([]float64{1 / float64(a.K)}, a.K)
	}
	return nil
}

// expected is what the E step of a client gives.
type expected struct {
	gamma [][]float32 // [K][n_i]
	omega []float64   // [K]
	mass  [][]float64 // [K][C]
}

// expect makes the E step of clients. prior says whether to divide by the class priors.
func (a *FedRC) expect(clients []*federation.Client, counted bool, prior func(*federation.Client) bool) ([]expected, error) {
	losses, err := algorithm.TrainingLosses(a.Env, a.Net, a.States, clients, counted)
	if err != nil {
		return nil, err
	}
	priors := a.priors()
	steps := make([]expected, len(clients))
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
			e.omega[k] = max(e.omega[k], fedrcFloor)
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

// priors returns P_k(y), [K][C], of the masses sent; nil before the first.
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
			p[y] = max(p[y]/max(sum, fedrcFloor), fedrcFloor)
		}
	}
	return priors
}

// maximise is the M step: every client trains the models it has weight for, one job each, client by client.
func (a *FedRC) maximise(clients []*federation.Client, steps []expected, t int, phase federation.Phase) (models [][]int, trained []torch.Trained, err error) {
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
	trained, err = a.Env.LocalSGD(a.Net, jobs, t, phase, torch.All)
	return models, trained, err
}

// largest returns the places of the n largest of x, ascending; all of them for n = 0.
func largest(x []float64, n int) []int {
	places := make([]int, len(x))
	for k := range places {
		places[k] = k
	}
	if n > 0 && n < len(x) {
		slices.SortStableFunc(places, func(i, j int) int { return cmp.Compare(x[j], x[i]) })
		places = places[:n]
		slices.Sort(places)
	}
	return places
}

// modelsPerClient returns how many of the models a client trains.
func (a *FedRC) modelsPerClient() int {
	if a.Top > 0 {
		return min(a.K, a.Top)
	}
	return a.K
}

// Trainings implements [federation.Planner].
func (a *FedRC) Trainings() []federation.Training {
	n := float64(a.modelsPerClient())
	return []federation.Training{{What: "training", Parts: torch.All, Rounds: n, Final: n}}
}

// PlanRound implements [federation.RoundPlanner].
func (a *FedRC) PlanRound(env *federation.Env, _ int, cohort []*federation.Client) []federation.PhaseWork {
	return []federation.PhaseWork{{
		Phase: federation.PrimaryPhase, Samples: int64(a.modelsPerClient()) * federation.LocalSamples(cohort, env.Epochs),
	}}
}
