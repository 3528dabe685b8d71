package federation

import "feddag/torch"

// Algorithm is a method of federated learning. Its exported fields are its options; the value that the registered function
// returns has the defaults.
type Algorithm interface {
	// Init prepares the first round. It may visit every client that is present: [Env.Present].
	Init(env *Env) error
	// Round trains a cohort and aggregates. If it returns an error, nothing that the algorithm holds has changed.
	Round(env *Env, t int, cohort []*Client) (Report, error)
	// Model returns what a present client predicts with, as assigned by the server.
	Model(client int) Model
	// Models lists the distinct models.
	Models() []NamedModel
	// Close frees the models.
	Close()
}

// Report is what a round tells its run.
type Report struct {
	Loss    float64            // mean over the cohort of each client's mean cross-entropy in its last local epoch
	Notes   map[string]float64 // values that the method wants recorded with the round, by name; nil for none
	Trained []Local            // ascending client id; the run scores these models and closes them
}

// Model is what a client predicts with.
type Model struct {
	Net   *torch.Network
	State *torch.Vector // equal pointers are equal models: one evaluation serves all their clients
	Mix   *Mixture      // predicts in place of State; nil without one
}

// Close frees the model's states.
func (m Model) Close() {
	m.State.Close()
	if m.Mix != nil {
		torch.Vectors(m.Mix.States).Close()
	}
}

// NamedModel is one of the models that an algorithm holds.
type NamedModel struct {
	Name string // "global", "cluster-3"
	Model
}

// Local is a client's model as its local training left it.
type Local struct {
	Client *Client
	Model
}

// Locals pairs clients with the models that their training left.
func Locals(net *torch.Network, clients []*Client, trained []torch.Trained) []Local {
	l := make([]Local, len(clients))
	for i, c := range clients {
		l[i] = Local{Client: c, Model: Model{Net: net, State: trained[i].End}}
	}
	return l
}
