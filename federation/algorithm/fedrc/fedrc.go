// Package fedrc implements robust clustering (Guo, Tang, Lin, 2024).
package fedrc

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedrc", "K models; each client trains them with sample weights and predicts with their mixture", func() federation.Algorithm {
		return &FedRC{K: 5, Rate: 1}
	})
}

// FedRC is robust clustering (Guo, Tang, Lin, ICML 2024): an EM algorithm whose clusters keep clients together that differ in
// labels or features, and separate clients that differ in concept. The server keeps models θ_1..θ_K and class priors P_k(y);
// a client i has weights ω_i in the simplex. With l_jk the cross-entropy of sample j under θ_k, a client of the cohort
// computes
//
//	γ_j;k = softmax_k(log ω_k - l_jk - log P_k(y_j)),  ω_k <- mean_j γ_j;k
//	θ_k,i = LocalSGD(θ_k; i) on (1/B) Σ_j γ_j;k CE_jk,  for every k
//
// and sends the models and its masses Σ_{j: y_j=y} γ_j;k. Then θ_k <- Σ n_i θ_k,i / Σ n_i, and P_k(y) is proportional to the
// sum of the masses that clients have sent. A client predicts with Σ_k ω_k softmax(θ_k(x)), where ω comes from another such
// step with the current models. A client that has never trained, or that joins later, omits the prior from this step, like the
// authors' test clients.
//
// Training costs K times as much as with the other methods; Top trains only the models with a client's largest ω. The authors
// use K = 3, 1 local epoch, rate 0.06 and momentum 0.9 (github.com/LINs-lab/FedRC, README); here K = 5, with the run's own
// optimiser. Because the prior removes the labels from γ, label skew alone gives no clusters.
type FedRC struct {
	algorithm.ClusterBank         // a client belongs to the cluster of its largest ω
	K                     int     // number of models
	Top                   int     // number of models that a client trains, those with its largest ω; 0 means all
	Rate                  float64 // learning rate as a multiple of the run's

	omega [][]float64   // ω, [clients][K]; nil for an absent client
	mass  [][][]float64 // masses that each client sent last, [clients][K][C]; nil for a client that has never trained
}

// floor is the smallest weight and prior. A value of 0 could never change, because the next step uses its logarithm.
const floor = 1e-8

// Flags implements [federation.Flagger].
func (a *FedRC) Flags(fs *pflag.FlagSet) {
	fs.IntVar(&a.K, "fedrc-clusters", a.K, "number of models K")
	fs.IntVar(&a.Top, "fedrc-top", a.Top, "number of models that a client trains, those with its largest weights; 0 means all K")
	fs.Float64Var(&a.Rate, "fedrc-rate", a.Rate, "learning rate as a multiple of --lr; K models that share the weight of every sample learn about K times as slowly as one model")
}

// Validate implements [federation.Validator].
func (a *FedRC) Validate() error {
	if a.Top < 0 {
		return fmt.Errorf("--fedrc-top is %d: use 0 (all) or more", a.Top)
	}
	if !(a.Rate > 0 && !math.IsInf(a.Rate, 0)) {
		return fmt.Errorf("--fedrc-rate is %g: use a number above 0", a.Rate)
	}
	return nil
}

// Init implements [federation.Algorithm].
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

// modelsPerClient returns the number of models that a client trains.
func (a *FedRC) modelsPerClient() int {
	if a.Top > 0 {
		return min(a.K, a.Top)
	}
	return a.K
}

// Trainings implements [federation.Planner]: a client trains up to K models in a round.
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
