package federation

import (
	"feddag/torch"
)

func init() {
	Register("fedavg", "one model for all clients", func() Algorithm { return &FedAvg{} })
}

// FedAvg keeps one model w (McMahan et al., AISTATS 2017). A round is
//
//	w_i = LocalSGD(w; i),  w <- Σ n_i w_i / Σ n_i  over the cohort.
type FedAvg struct {
	env   *Env
	net   *torch.Network
	state *torch.Vector // w
}

// Init implements [Algorithm].
func (a *FedAvg) Init(env *Env) (err error) {
	if err := a.build(env); err != nil {
		return err
	}
	x := env.initial(a.net)
	if err := env.tell(func(o Observer) error { return o.Weights("initial", tensorsOf(a.net, x, torch.All)) }); err != nil {
		return err
	}
	a.state, err = torch.VectorOf(env.Device, x)
	return err
}

func (a *FedAvg) build(env *Env) (err error) {
	a.env = env
	a.net, err = env.Net(false)
	return err
}

// Round implements [Algorithm].
func (a *FedAvg) Round(env *Env, t int, cohort []*Client) (Report, error) {
	cohort = byID(cohort)
	tasks := make([]Task, len(cohort))
	for i, c := range cohort {
		tasks[i] = Task{c, a.state}
	}
	trained, err := env.LocalSGD(a.net, tasks, t, PrimaryPhase, torch.All)
	if err != nil {
		return Report{}, err
	}
	next, err := mean(a.net, a.state, ends(trained), sizes(cohort), torch.All)
	if err != nil {
		ends(trained).Close()
		return Report{}, err
	}
	a.state.Close()
	a.state = next
	for _, c := range cohort {
		env.Ledger.Down(c, "model", a.net.Len())
		env.Ledger.Up(c, "model", a.net.Len())
	}
	return Report{lastLoss(trained), locals(a.net, cohort, trained)}, nil
}

// Model implements [Algorithm].
func (a *FedAvg) Model(int) Model { return Model{a.net, a.state} }

// Join implements [Newcomer]: the one model is everybody's.
func (a *FedAvg) Join(*Env, int, []*Client) error { return nil }

// Models implements [Algorithm].
func (a *FedAvg) Models() []NamedModel { return []NamedModel{{"global", a.Model(0)}} }

// Close implements [Algorithm].
func (a *FedAvg) Close() { vectors{a.state}.Close() }

// Save implements [Checkpointer].
func (a *FedAvg) Save() (Saved, error) {
	x, err := a.state.Floats()
	return Saved{Vectors: map[string][]float32{"global": x}}, err
}

// Load implements [Checkpointer].
func (a *FedAvg) Load(env *Env, s Saved) (err error) {
	if err := a.build(env); err != nil {
		return err
	}
	a.state, err = s.vector(env, "global", a.net.Len())
	return err
}
