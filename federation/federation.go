// Package federation simulates federated learning: clients with their data, cohorts, rounds, and the algorithms, one
// file each.
//
// [Run] owns what every algorithm shares: who is sampled, evaluation, timing, the byte ledger, checkpoints and
// observers. An [Algorithm] owns the rest. Algorithms never print; the run tells [Observer]s what happens. Sums run in
// ascending client id, every random number comes from a stream named by seed, purpose, round and client, and so a run
// does not depend on the order of a cohort, the number of workers, or where it was stopped and resumed.
package federation

import (
	"slices"

	"feddag/similarity"
	"feddag/torch"

	"github.com/spf13/pflag"
)

// Client is one participant: its samples, as indices into the data set's splits. Shared and never modified.
type Client struct {
	ID          int
	Train, Test []int32 // indices into the training and the test images
	LabelMap    []uint8 // label -> the label this client uses; nil is the identity
	Group       int     // true group of the partition, -1 where it has none; for reports, not for algorithms
	HeldOut     bool    // not there when the run starts; it may come later (see [Newcomer])
}

// Size returns n_i, the number of the client's training samples.
func (c *Client) Size() int { return len(c.Train) }

// Model is what a client predicts with.
type Model struct {
	Net   *torch.Network
	State *torch.Vector // equal pointers are equal models: one evaluation serves all their clients
	Mix   *Mixture      // predicts in place of State; nil without one
}

// NamedModel is one of the models an algorithm holds.
type NamedModel struct {
	Name string // "global", "cluster-3"
	Model
}

// Algorithm is a method of federated learning. Its exported fields are its options, their values in the registered
// literal the defaults.
type Algorithm interface {
	// Init prepares round 0. It may visit every client that is there: [Env.Present].
	Init(env *Env) error
	// Round trains a cohort and aggregates. On an error nothing the algorithm holds has changed.
	Round(env *Env, t int, cohort []*Client) (Report, error)
	// Model returns what a client that is there predicts with, as assigned by the server.
	Model(client int) Model
	// Models lists the distinct models.
	Models() []NamedModel
	// Close frees the models.
	Close()
}

// Report is what a round tells its run.
type Report struct {
	Loss    float64            // mean over the cohort of each client's mean cross-entropy in its last local epoch
	Notes   map[string]float64 // what a method wants to be recorded of the round, by name; nil for nothing
	Trained []Local            // ascending client id; the run scores them and closes their models
}

// Local is a client's model as its local training left it.
type Local struct {
	Client *Client
	Model
}

// Optional interfaces of an Algorithm.
type (
	// Flagger declares flags bound to the algorithm's fields. Their names start with the algorithm's.
	Flagger interface{ Flags(fs *pflag.FlagSet) }

	// Preseter offers named sets of flag values, its own flags and the run's.
	Preseter interface {
		Presets() map[string]map[string]string
	}

	// Validator reports options that make no sense, before any work.
	Validator interface{ Validate() error }

	// Checkpointer saves all that Round and Model depend on, and takes it up again in place of Init.
	Checkpointer interface {
		Save() (Saved, error)
		Load(env *Env, s Saved) error
	}

	// Clustered has a clustering: a partition of the clients that are there. It may change from round to round.
	Clustered interface {
		// Clusters lists the members of each, ascending, by its number, which a cluster keeps for good: the z-th is
		// that of the model "cluster-z", and is empty if it has no member (any more). New ones come last.
		Clusters() [][]int
	}

	// Clusterer is Clustered, once and for all before the rounds.
	Clusterer interface {
		Clustered
		// Cluster finds it among the clients that are there; Init calls it, and a caller that wants no more may.
		Cluster(env *Env) (*similarity.Result, error)
	}

	// Selector chooses itself who takes part in a round, where the method says so: by loss, by cluster, all. It is given
	// the uniform sample that the others train. Round follows with the clients it returns.
	Selector interface {
		Select(env *Env, t int, sampled []*Client) ([]*Client, error)
	}

	// Predictor is for methods with which a client has work to do before it predicts: to choose among models by its
	// training loss, to take a step of training. It hands over the clients with what they predict with, all at once or
	// in portions; a portion is scored when the call returns, and what was made for it may be freed then. Without it,
	// clients predict with Model.
	Predictor interface {
		// PredictsWith says in a few words what that is: the accuracies before local training are of it.
		PredictsWith() string
		Predict(env *Env, clients []*Client, score func([]*Client, []Model) error) error
	}

	// Adapter trains clients once more, each from its own model with the method's own objective, in [FinalPhase], and
	// changes nothing else. Without it, they train all of their models by plain SGD.
	Adapter interface {
		Adapt(env *Env, clients []*Client) ([]Local, error)
	}

	// Newcomer takes in clients that were not there at Init, before round t (t is T after the last one). The method
	// assigns each what its rule says: a cluster, a mixture, the one model. Nobody else's model changes. From then on
	// Model answers for them and they may be in a cohort. Join books what they send and receive for it, not the model
	// that they receive when they train.
	//
	// A newcomer's accuracy before local training is that of Model right after Join; after it, that of one local
	// training of the method from there. That is the protocol of the paper's tables 11 and 13. On an error nothing the
	// algorithm holds has changed.
	Newcomer interface {
		Join(env *Env, t int, newcomers []*Client) error
	}

	// Leaver lets clients go before round t. Nobody else's model changes, and Model need not answer for them any more.
	Leaver interface {
		Leave(env *Env, t int, clients []*Client) error
	}

	// Shifter goes on when clients hold other samples from round t on. Env.Clients has them already. The server is not
	// told: a method that wants to know has to look, see [Reassigner].
	Shifter interface {
		Shift(env *Env, t int, clients []*Client) error
	}

	// Reassigner looks at its clusters again in the course of a run.
	Reassigner interface {
		// Check finds the clients whose data have shifted, assigns them anew and returns them.
		Check(env *Env, t int) ([]*Client, error)
		// Search looks for the clusters again, from what the clients have sent.
		Search(env *Env, t int) error
	}
)

// byID returns the cohort in ascending client id.
func byID(cohort []*Client) []*Client {
	return slices.SortedFunc(slices.Values(cohort), func(a, b *Client) int { return a.ID - b.ID })
}

// sizes returns the clients' n_i, the weights of every average.
func sizes(clients []*Client) []float64 {
	w := make([]float64, len(clients))
	for i, c := range clients {
		w[i] = float64(c.Size())
	}
	return w
}

type vectors = torch.Vectors
