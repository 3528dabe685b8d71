package federation

import "feddag/torch"

// Algorithm is a method of federated learning. Its exported fields are its options. They have their default values in the
// value that the registered function returns.
type Algorithm interface {
	// Init prepares the first round. It may visit every present client: see [Env.Present].
	Init(env *Env) error
	// Round trains a cohort and aggregates the results. If it returns an error, the state of the algorithm has not changed.
	Round(env *Env, t int, cohort []*Client) (Report, error)
	// Model returns the model that a present client predicts with, as assigned by the server.
	Model(client int) Model
	// Models lists the distinct models.
	Models() []NamedModel
	// Close frees the models.
	Close()
}

// Report is the outcome of a round, for the run.
type Report struct {
	Loss    float64            // mean over the cohort of each client's mean cross-entropy in its last local epoch
	Notes   map[string]float64 // values by name that the method records with the round; nil for none
	Trained []Local            // ascending client id; the run scores these models and closes them
}

// Model is the model with which a client predicts.
type Model struct {
	Net   *torch.Network
	State *torch.Vector // equal pointers are equal models: one evaluation serves all their clients
	Mix   *Mixture      // predicts in place of State if it is not nil
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

// Local is a client's model after its local training.
type Local struct {
	Client *Client
	Model
}

// Locals pairs clients with the models that resulted from their training.
func Locals(net *torch.Network, clients []*Client, trained []torch.Trained) []Local {
	l := make([]Local, len(clients))
	for i, c := range clients {
		l[i] = Local{Client: c, Model: Model{Net: net, State: trained[i].End}}
	}
	return l
}
