package federation

import (
	"fmt"
	"slices"

	"feddag/torch"
)

// bank is the models of a method whose clients each train one of them, and whose is whose: the building block of FedAvg
// (a bank of one) and of every method that averages within clusters. A round is, for every model w_z,
//
//	w_i = LocalSGD(w_z; i),  w_z <- Σ n_i w_i / Σ n_i  over the cohort's clients of z; without any it stays.
type bank struct {
	env    *Env
	net    *torch.Network
	states vectors // w_z; several may be one vector until they part
	of     []int   // model of each client; -1 of those that are not there
	// local is the method's local training; nil is [Env.LocalSGD].
	local func(tasks []Task, t int, phase Phase) ([]torch.Trained, error)
	// weigh returns the weights of an average; nil is n_i.
	weigh func(clients []*Client) []float64
	// book counts what a round sends; nil is a model each way.
	book func(clients []*Client)
}

// build readies a bank without models.
func (b *bank) build(env *Env) (err error) {
	b.env = env
	b.of = make([]int, len(env.Clients))
	for i := range b.of {
		b.of[i] = -1
	}
	b.net, err = env.Net(false)
	return err
}

// begin makes n models, all of them θ^0, and gives every client that is there the one that of says.
func (b *bank) begin(env *Env, n int, of func(c *Client) int) error {
	if err := b.build(env); err != nil {
		return err
	}
	x := env.initial(b.net)
	if err := env.NotifyWeights("initial", tensorsOf(b.net, x, torch.All)); err != nil {
		return err
	}
	v, err := torch.VectorOf(env.Device, x)
	if err != nil {
		return err
	}
	for range n {
		b.states = append(b.states, v)
	}
	for _, c := range env.Present() {
		b.of[c.ID] = of(c)
	}
	return nil
}

// one is the model of a method that has one.
func one(*Client) int { return 0 }

// fit trains clients, each its own model.
func (b *bank) fit(clients []*Client, t int, phase Phase) ([]torch.Trained, error) {
	tasks := make([]Task, len(clients))
	for i, c := range clients {
		tasks[i] = Task{Client: c, Start: b.states[b.of[c.ID]]}
	}
	if b.local != nil {
		return b.local(tasks, t, phase)
	}
	return b.env.LocalSGD(b.net, tasks, t, phase, torch.All)
}

// average makes the models what they are after a cohort's training. On an error they stay.
func (b *bank) average(cohort []*Client, ended vectors) (err error) {
	next := slices.Clone(b.states)
	members := make([][]int, len(b.states)) // places in the cohort
	for k, c := range cohort {
		members[b.of[c.ID]] = append(members[b.of[c.ID]], k)
	}
	for z, places := range members {
		if len(places) == 0 {
			continue
		}
		states, clients := make(vectors, len(places)), make([]*Client, len(places))
		for i, k := range places {
			states[i], clients[i] = ended[k], cohort[k]
		}
		weigh := sizes
		if b.weigh != nil {
			weigh = b.weigh
		}
		if next[z], err = mean(b.net, b.states[z], states, weigh(clients), torch.All); err != nil {
			next.Without(b.states).Close()
			return err
		}
	}
	b.Replace(next)
	return nil
}

// Replace replaces the models, and frees those that are no longer among them.
func (b *bank) Replace(next vectors) {
	b.states.Without(next).Close()
	b.states = next
}

// Round implements [Algorithm].
func (b *bank) Round(env *Env, t int, cohort []*Client) (Report, error) {
	cohort = byID(cohort)
	trained, err := b.fit(cohort, t, PrimaryPhase)
	if err != nil {
		return Report{}, err
	}
	if err := b.average(cohort, ends(trained)); err != nil {
		ends(trained).Close()
		return Report{}, err
	}
	if b.book != nil {
		b.book(cohort)
	} else {
		b.bookModels(cohort)
	}
	return Report{Loss: lastLoss(trained), Trained: locals(b.net, cohort, trained)}, nil
}

// bookModels counts a model each way for every client.
func (b *bank) bookModels(clients []*Client) {
	for _, c := range clients {
		b.env.Ledger.Down(c, "model", b.net.Len())
		b.env.Ledger.Up(c, "model", b.net.Len())
	}
}

// Adapt implements [Adapter].
func (b *bank) Adapt(env *Env, clients []*Client) ([]Local, error) {
	trained, err := b.fit(clients, env.Rounds, FinalPhase)
	if err != nil {
		return nil, err
	}
	return locals(b.net, clients, trained), nil
}

// Leave implements [Leaver].
func (b *bank) Leave(_ *Env, _ int, clients []*Client) error {
	for _, c := range clients {
		b.of[c.ID] = -1
	}
	return nil
}

// Shift implements [Shifter]: a client goes on with its model.
func (b *bank) Shift(*Env, int, []*Client) error { return nil }

// Model implements [Algorithm].
func (b *bank) Model(client int) Model { return Model{Net: b.net, State: b.states[b.of[client]]} }

// Models implements [Algorithm].
func (b *bank) Models() []NamedModel {
	models := make([]NamedModel, len(b.states))
	for z, s := range b.states {
		models[z] = NamedModel{fmt.Sprintf("cluster-%d", z), Model{Net: b.net, State: s}}
	}
	return models
}

// Close implements [Algorithm].
func (b *bank) Close() { b.states.Close() }
