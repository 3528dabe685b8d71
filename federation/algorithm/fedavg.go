package algorithm

import "feddag/federation"

func init() {
	federation.Register("fedavg", "trains one model for all clients", func() federation.Algorithm { return &FedAvg{} })
}

// FedAvg keeps one model w (McMahan et al., AISTATS 2017). A round is
//
//	w_i = LocalSGD(w; i),  w <- Σ n_i w_i / Σ n_i  over the cohort.
//
// Methods that change only the local training embed FedAvg and set [Bank.Local].
type FedAvg struct{ Bank }

// Init implements [federation.Algorithm].
func (a *FedAvg) Init(env *federation.Env) error { return a.Begin(env, 1, SharedModel) }

// Join implements [federation.Newcomer]: a newcomer uses the global model.
func (a *FedAvg) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.Of[c.ID] = 0
	}
	return nil
}

// globalName is the name of the global model.
const globalName = "global"

// ModelName implements [federation.ModelNamer].
func (a *FedAvg) ModelName(int) string { return globalName }

// Models implements [federation.Algorithm]. The model is named "global".
func (a *FedAvg) Models() []federation.NamedModel {
	return []federation.NamedModel{{Name: globalName, Model: federation.Model{Net: a.Net, State: a.States[0]}}}
}
