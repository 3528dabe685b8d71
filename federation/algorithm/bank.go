package algorithm

import (
	"fmt"

	"feddag/federation"
	"feddag/torch"
)

// bank is the models of a method whose clients each train one of them, and whose is whose: the building block of FedAvg
// (a bank of one) and of every method that averages within clusters. A round is, for every model w_z,
//
//	w_i = LocalSGD(w_z; i),  w_z <- Σ n_i w_i / Σ n_i  over the cohort's clients of z; without any it stays.
type Bank struct {
	Env    *federation.Env
	Net    *torch.Network
	States torch.Vectors // w_z; several may be one vector until they part
	Of     []int         // model of each client; -1 of those that are not there
	// Objective is the loss of local training, in rounds and after the last; nil is the cross-entropy.
	Objective torch.Objective
	// Local is the method's local training; nil is [federation.Env.LocalSGD] with the Objective.
	Local func(jobs []torch.Job, t int, phase federation.Phase) ([]torch.Trained, error)
	// weigh returns the weights of an average; nil is n_i.
	Weigh func(clients []*federation.Client) []float64
	// book counts what a round sends; nil is a model each way.
	Book func(clients []*federation.Client)
}

// build readies a bank without models.
func (b *Bank) build(env *federation.Env) (err error) {
	b.Env = env
	b.Of = make([]int, len(env.Clients))
	for i := range b.Of {
		b.Of[i] = -1
	}
	b.Net, err = env.Net(false)
	return err
}

// begin makes n models, all of them θ^0, and gives every client that is there the one that of says.
func (b *Bank) Begin(env *federation.Env, n int, of func(c *federation.Client) int) error {
	if err := b.build(env); err != nil {
		return err
	}
	x := env.InitialState(b.Net)
	if err := env.NotifyWeights("initial", federation.TensorsOf(b.Net, x, torch.All)); err != nil {
		return err
	}
	v, err := torch.VectorOf(env.Device, x)
	if err != nil {
		return err
	}
	for range n {
		b.States = append(b.States, v)
	}
	for _, c := range env.Present() {
		b.Of[c.ID] = of(c)
	}
	return nil
}

// one is the model of a method that has one.
func SharedModel(*federation.Client) int { return 0 }

// fit trains clients, each its own model.
func (b *Bank) Train(clients []*federation.Client, t int, phase federation.Phase) ([]torch.Trained, error) {
	jobs := make([]torch.Job, len(clients))
	for i, c := range clients {
		jobs[i] = c.Job(b.States[b.Of[c.ID]])
	}
	if b.Local != nil {
		return b.Local(jobs, t, phase)
	}
	sgd := b.Env.SGD()
	sgd.Objective = b.Objective
	return b.Env.LocalTraining(b.Net, jobs, t, phase, torch.All, sgd, b.Env.Epochs)
}

// average makes the models what they are after a cohort's training. On an error they stay.
func (b *Bank) Average(cohort []*federation.Client, ended torch.Vectors) error {
	weights := federation.Sizes(cohort)
	if b.Weigh != nil {
		weights = b.Weigh(cohort)
	}
	members := make([][]int, len(b.States)) // places in the cohort
	for k, c := range cohort {
		members[b.Of[c.ID]] = append(members[b.Of[c.ID]], k)
	}
	next, err := AverageBy(b.Net, b.States, members, ended, func(_, k int) float64 { return weights[k] }, torch.All)
	if err != nil {
		return err
	}
	b.Replace(next)
	return nil
}

// Replace replaces the models, and frees those that are no longer among them.
func (b *Bank) Replace(next torch.Vectors) {
	b.States.Without(next).Close()
	b.States = next
}

// Round implements [Algorithm].
func (b *Bank) Round(env *federation.Env, t int, cohort []*federation.Client) (federation.Report, error) {
	cohort = federation.ByID(cohort)
	trained, err := b.Train(cohort, t, federation.PrimaryPhase)
	if err != nil {
		return federation.Report{}, err
	}
	if err := b.Average(cohort, federation.Ends(trained)); err != nil {
		federation.Ends(trained).Close()
		return federation.Report{}, err
	}
	if b.Book != nil {
		b.Book(cohort)
	} else {
		b.BookModels(cohort)
	}
	return federation.Report{Loss: federation.LastLoss(trained), Trained: federation.Locals(b.Net, cohort, trained)}, nil
}

// bookModels counts a model each way for every client.
func (b *Bank) BookModels(clients []*federation.Client) {
	for _, c := range clients {
		b.Env.Ledger.Down(c, "model", b.Net.Len())
		b.Env.Ledger.Up(c, "model", b.Net.Len())
	}
}

// Adapt implements [Adapter].
func (b *Bank) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	trained, err := b.Train(clients, env.Rounds, federation.FinalPhase)
	if err != nil {
		return nil, err
	}
	return federation.Locals(b.Net, clients, trained), nil
}

// Leave implements [Leaver].
func (b *Bank) Leave(_ *federation.Env, _ int, clients []*federation.Client) error {
	for _, c := range clients {
		b.Of[c.ID] = -1
	}
	return nil
}

// Shift implements [Shifter]: a client goes on with its model.
func (b *Bank) Shift(*federation.Env, int, []*federation.Client) error { return nil }

// Model implements [Algorithm].
func (b *Bank) Model(client int) federation.Model {
	return federation.Model{Net: b.Net, State: b.States[b.Of[client]]}
}

// Models implements [Algorithm].
func (b *Bank) Models() []federation.NamedModel {
	models := make([]federation.NamedModel, len(b.States))
	for z, s := range b.States {
		models[z] = federation.NamedModel{Name: fmt.Sprintf("cluster-%d", z), Model: federation.Model{Net: b.Net, State: s}}
	}
	return models
}

// Trainings implements [federation.Planner].
func (b *Bank) Trainings() []federation.Training {
	return []federation.Training{{What: "training", Parts: torch.All, Rounds: 1, Final: 1, Objective: b.Objective}}
}

// Close implements [Algorithm].
func (b *Bank) Close() { b.States.Close() }
