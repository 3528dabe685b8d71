package algorithm

import (
	"slices"

	"feddag/federation"
	"feddag/internal/stream"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("ifca", "K models; each client trains the one with the lowest loss on its training data", func() federation.Algorithm {
		return newIFCA()
	})
}

// newIFCA returns IFCA with its defaults.
func newIFCA() *IFCA {
	a := &IFCA{K: 5, Redraw: true}
	a.Book = a.exchange
	return a
}

// IFCA is the iterative federated clustering algorithm with model averaging (Ghosh, Chung, Yin, Ramchandran, NeurIPS
// 2020). The server keeps K models. In a round a client receives all of them, chooses the one with the lowest loss on its
// whole training set, and trains it:
//
//	s_i = argmin_k F_i(θ_k),  w_i = LocalSGD(θ_{s_i}; i),  θ_k <- Σ n_i w_i / Σ n_i  over the cohort's clients with s_i = k.
//
// A client is evaluated with the model that has the lowest loss on its training data, never on its test data.
//
// The models start from different states, model k from the run's initialisation k. The authors' CIFAR code draws all models
// again until each is chosen by a certain share of the clients (github.com/jichan3751/ifca, cifar/train_cluster_cifar_tf.py:
// 10% for K = 4). With Redraw, the models are drawn until each is chosen by 1/(4K) of the first cohort, at most 20 times, and
// only if that cohort has K clients or more, because fewer clients cannot choose every model. The authors use K = 2 to 4; the
// default K = 5 is the number of groups of the paper's label skew.
type IFCA struct {
	ClusterBank
	K      int
	Redraw bool // draw the initial models again until some clients choose each of them

	equalStart bool // all models start at θ^0, for tests
}

// redraws is the largest number of times that the initial models are drawn.
const redraws = 20

// Flags implements [federation.Flagger].
func (a *IFCA) Flags(fs *pflag.FlagSet) {
	fs.IntVar(&a.K, "ifca-clusters", a.K, "number of models K")
	fs.BoolVar(&a.Redraw, "ifca-redraw", a.Redraw, "draw the initial models again, at most 20 times, until at least 1/(4K) of the first cohort chooses each; has no effect if that cohort has fewer than K clients")
}

// Init implements [federation.Algorithm].
func (a *IFCA) Init(env *federation.Env) error {
	if err := CheckCount(env, "ifca-clusters", a.K); err != nil {
		return err
	}
	if err := a.Begin(env, 1, SharedModel); err != nil {
		return err
	}
	if a.equalStart {
		a.Replace(slices.Repeat(a.States, a.K))
		return nil
	}
	states, err := IndependentStates(env, a.Net, a.K)
	if err != nil {
		return err
	}
	a.Replace(states)
	if a.Redraw && a.K > 1 && len(env.Sample(0)) >= a.K {
		if err := a.redraw(a.Net); err != nil {
			return err
		}
	}
	return a.choose(env.Present(), false)
}

// redraw draws the models again until each is chosen by enough clients of the first cohort. It adds what the clients receive
// and send for their choices to the ledger.
func (a *IFCA) redraw(net *torch.Network) error {
	cohort := a.Env.Sample(0)
	enough := max(1, len(cohort)/(4*a.K))
	r := stream.New(a.Env.Seed, "ifca")
	for range redraws {
		chosen, err := LowestLoss(a.Env, net, a.States, cohort, true)
		if err != nil {
			return err
		}
		for _, c := range cohort {
			a.Env.Ledger.Down(c, "models", a.K*net.Len())
			a.Env.Ledger.Up(c, "choice", 1)
		}
		counts := make([]int, a.K)
		for _, k := range chosen {
			counts[k]++
		}
		if slices.Min(counts) >= enough {
			return nil
		}
		for _, v := range a.States {
			if err := v.Set(a.Env.RandomState(net, r)); err != nil {
				return err
			}
		}
	}
	a.Env.Warn("ifca: after %d draws of the initial models, too few clients of the first cohort choose some of them", redraws)
	return nil
}

// choose assigns to each client the model with the lowest loss on its training data. counted is as in [TrainingLosses].
func (a *IFCA) choose(clients []*federation.Client, counted bool) error {
	chosen, err := LowestLoss(a.Env, a.Net, a.States, clients, counted)
	if err != nil {
		return err
	}
	for i, c := range clients {
		a.Of[c.ID] = chosen[i]
	}
	return nil
}

// Round implements [federation.Algorithm]: the cohort chooses its models, and then the bank's round follows.
func (a *IFCA) Round(env *federation.Env, t int, cohort []*federation.Client) (federation.Report, error) {
	before := slices.Clone(a.Of)
	if err := a.choose(cohort, true); err != nil {
		return federation.Report{}, err
	}
	report, err := a.ClusterBank.Round(env, t, cohort)
	if err != nil {
		a.Of = before
	}
	return report, err
}

// exchange adds to the ledger K models down, and the trained model and its index up, for each client.
func (a *IFCA) exchange(clients []*federation.Client) {
	for _, c := range clients {
		a.Env.Ledger.Down(c, "models", a.K*a.Net.Len())
		a.Env.Ledger.Up(c, "model", a.Net.Len())
		a.Env.Ledger.Up(c, "choice", 1)
	}
}

// PredictsWith implements [federation.Predictor].
func (a *IFCA) PredictsWith() string { return "the model with the lowest loss on its training data" }

// Predict implements [federation.Predictor]: every client chooses among the current models.
func (a *IFCA) Predict(_ *federation.Env, clients []*federation.Client, score func([]*federation.Client, []federation.Model) error) error {
	if err := a.choose(clients, false); err != nil {
		return err
	}
	models := make([]federation.Model, len(clients))
	for i, c := range clients {
		models[i] = a.Model(c.ID)
	}
	return score(clients, models)
}

// Join implements [federation.Newcomer]: a newcomer chooses the model with the lowest loss on its training data.
func (a *IFCA) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		env.Ledger.Down(c, "models", a.K*a.Net.Len())
	}
	return a.choose(newcomers, true)
}
