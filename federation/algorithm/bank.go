package algorithm

import (
	"fmt"
	"maps"
	"slices"

	"feddag/federation"
	"feddag/torch"
)

// Bank holds the models of a method in which every client trains one of them, and says which client has which model. It is
// the building block of FedAvg, whose bank has one model, and of every method that averages within clusters. A method embeds
// it, fills it with [Bank.Begin], and inherits the round, the training after the last round, evaluation, checkpoints and the
// handling of scenario events. It may override any of these. A round is, for every model w_z,
//
//	w_i = LocalSGD(w_z; i),  w_z <- Σ n_i w_i / Σ n_i  over the clients i of the cohort that have model z.
//
// A model that no client of the cohort has does not change. All models are states of one network with one encoder.
type Bank struct {
	Env    *federation.Env
	Net    *torch.Network
	States torch.Vectors // w_z; several entries may be the same vector, as long as these models are equal
	Of     []int         // index into States of each client's model, by client id; -1 for an absent client
	// Objective is the loss of local training, in the rounds and after the last one. Nil means the cross-entropy.
	Objective torch.Objective
	// Local does the method's local training, with one job per client, and returns the results in the order of the jobs. Nil
	// means [federation.Env.LocalSGD] of the whole network with the Objective.
	Local func(jobs []torch.Job, t int, phase federation.Phase) ([]torch.Trained, error)
	// Weigh returns the weights of the clients in an average, in the order of the clients. Nil means their sample counts n_i.
	Weigh func(clients []*federation.Client) []float64
	// Book adds the messages of a round to the ledger. Nil means [Bank.BookModels].
	Book func(clients []*federation.Client)

	// server has the state of the server's optimiser for each model. Models that are the same vector have the same state, so
	// that when a cluster is split, its parts inherit the state with the model.
	server map[*torch.Vector]*ServerState
}

// build prepares a bank without models for the clients of env.
func (b *Bank) build(env *federation.Env) (err error) {
	b.Env = env
	b.Of = make([]int, len(env.Clients))
	for i := range b.Of {
		b.Of[i] = -1
	}
	b.Net, err = env.Net(false)
	return err
}

// Begin starts the bank with n models that all equal θ^0, the run's initial state, and passes the initial weights to the
// observers. The function of returns the index of the model that a client gets. Begin calls it for every present client.
// [SharedModel] is the function for a method with one model. The models share one vector until the first round that trains
// them.
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

// SharedModel returns 0, the index of the model that all clients share, for [Bank.Begin].
func SharedModel(*federation.Client) int { return 0 }

// Train trains every client from its own model, with the method's local training if it has one, and returns the results in
// the order of the clients. The caller closes the end states or returns them. Round t and phase name the random streams.
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

// Averages implements [federation.Averager].
func (b *Bank) Averages() bool { return true }

// Average replaces the models with the weighted averages of a cohort's trained states, summed in ascending client id. If the
// run has a server optimiser, it applies the optimiser to these averages. The trained states ended are in the order of the
// cohort and still belong to the caller. On an error the models do not change.
func (b *Bank) Average(cohort []*federation.Client, ended torch.Vectors) error {
	weights := federation.Sizes(cohort)
	if b.Weigh != nil {
		weights = b.Weigh(cohort)
	}
	members := make([][]int, len(b.States)) // members[z] has the indices into the cohort of the clients with model z
	for k, c := range cohort {
		members[b.Of[c.ID]] = append(members[b.Of[c.ID]], k)
	}
	return b.Aggregate(members, ended, func(_, k int) float64 { return weights[k] })
}

// Aggregate replaces the models with the averages of [AverageBy]. If the run has a server optimiser, it applies the optimiser
// to these averages. On an error the models do not change.
func (b *Bank) Aggregate(members [][]int, ended torch.Vectors, weight func(z, k int) float64) error {
	next, err := AverageBy(b.Net, b.States, members, ended, weight)
	if err != nil || !b.Env.Server.Enabled() {
		if err == nil {
			b.Replace(next)
		}
		return err
	}
	states := map[*torch.Vector]*ServerState{}
	for z, mean := range next {
		from := b.States[z]
		s := b.server[from]
		if mean != from {
			if s, err = StepServer(b.Env.Server, from, mean, s, b.Net.Trained(torch.All)...); err != nil {
				next.Without(b.States).Close()
				return fmt.Errorf("server optimiser, model %d: %w", z, err)
			}
		}
		if s != nil {
			states[mean] = s
		}
	}
	b.Replace(next)
	b.server = states
	return nil
}

// Replace replaces the bank's models, and frees those that are not among the new ones.
func (b *Bank) Replace(next torch.Vectors) {
	b.States.Without(next).Close()
	b.States = next
	maps.DeleteFunc(b.server, func(v *torch.Vector, _ *ServerState) bool { return !slices.Contains(next, v) })
}

// Round implements [federation.Algorithm]: the cohort trains, and then the models are averaged.
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

// BookModels adds one model down and one model up for every client to the ledger.
func (b *Bank) BookModels(clients []*federation.Client) {
	for _, c := range clients {
		b.Env.Ledger.Down(c, "model", b.Net.Len())
		b.Env.Ledger.Up(c, "model", b.Net.Len())
	}
}

// Adapt implements [federation.Adapter]: every client trains its model once more.
func (b *Bank) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	trained, err := b.Train(clients, env.Rounds, federation.FinalPhase)
	if err != nil {
		return nil, err
	}
	return federation.Locals(b.Net, clients, trained), nil
}

// Leave implements [federation.Leaver]: the clients no longer have a model.
func (b *Bank) Leave(_ *federation.Env, _ int, clients []*federation.Client) error {
	for _, c := range clients {
		b.Of[c.ID] = -1
	}
	return nil
}

// Shift implements [federation.Shifter]: a client keeps its model when its data change.
func (b *Bank) Shift(*federation.Env, int, []*federation.Client) error { return nil }

// Model implements [federation.Algorithm]: the client's model of the bank.
func (b *Bank) Model(client int) federation.Model {
	return federation.Model{Net: b.Net, State: b.States[b.Of[client]]}
}

// ModelName implements [federation.ModelNamer].
func (b *Bank) ModelName(client int) string { return modelName(b.Of[client]) }

// Models implements [federation.Algorithm]. Model z is named "cluster-z".
func (b *Bank) Models() []federation.NamedModel {
	models := make([]federation.NamedModel, len(b.States))
	for z, s := range b.States {
		models[z] = federation.NamedModel{Name: modelName(z), Model: federation.Model{Net: b.Net, State: s}}
	}
	return models
}

// Trainings implements [federation.Planner].
func (b *Bank) Trainings() []federation.Training {
	return []federation.Training{{What: "training", Parts: torch.All, Rounds: 1, Final: 1, Objective: b.Objective}}
}

// Close implements [federation.Algorithm].
func (b *Bank) Close() { b.States.Close() }
