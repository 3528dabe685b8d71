package federation

func init() {
	Register("fedavg", "one model for all clients", func() Algorithm { return &FedAvg{} })
}

// FedAvg keeps one model w (McMahan et al., AISTATS 2017). A round is
//
//	w_i = LocalSGD(w; i),  w <- Σ n_i w_i / Σ n_i  over the cohort.
type FedAvg struct{ bank }

// Init implements [Algorithm].
func (a *FedAvg) Init(env *Env) error { return a.begin(env, 1, one) }

// Join implements [Newcomer]: the one model is everybody's.
func (a *FedAvg) Join(_ *Env, _ int, newcomers []*Client) error {
	for _, c := range newcomers {
		a.of[c.ID] = 0
	}
	return nil
}

// Models implements [Algorithm].
func (a *FedAvg) Models() []NamedModel {
	return []NamedModel{{"global", Model{Net: a.net, State: a.states[0]}}}
}
