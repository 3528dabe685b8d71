package federation

import (
	"fmt"
	"slices"

	"feddag/similarity"
	"feddag/torch"
)

// Observer is told what happens in a run. If one of its methods returns an error, the run ends with this error, and the last
// checkpoint remains.
type Observer interface {
	// Phase reports the progress of a local training or an evaluation. It is called several times per second.
	Phase(p Progress)
	// Weights passes the tensors of a model that is worth keeping, such as "initial", "start-2", "cluster-2" or "global".
	Weights(name string, tensors []torch.NamedTensor) error
	// Clustered passes the result of the clustering before the rounds. It numbers the clients by their position in
	// [Env.Present].
	Clustered(r *similarity.Result) error
	// Ready is called before the first round with the scores of all clients, by id, or nil if these are not evaluated.
	Ready(pre []Score) error
	// Round is called after every round, before the checkpoint of the round.
	Round(r RoundResult) error
}

// ClusterObserver is implemented by an [Observer] that is also told what is clustered and how far the clustering has come.
type ClusterObserver interface {
	// Sketched passes the sketches of the clients, in the order of the clients, before they are clustered with the options.
	// Neither Sketched nor Clustered may change the sketches, or keep them without a copy unless the run ends with the
	// clustering.
	Sketched(clients []*Client, sketches similarity.Sketches, o similarity.Options) error
	// Clustering reports the progress of the clustering: see [similarity.Progress].
	Clustering(step string, done, total int)
}

// NotifyWeights passes the tensors of a model to every observer, until one returns an error.
func (e *Env) NotifyWeights(name string, tensors []torch.NamedTensor) error {
	return e.notify(func(o Observer) error { return o.Weights(name, tensors) })
}

// NotifyClustered passes the result of a clustering to every observer, until one returns an error.
func (e *Env) NotifyClustered(r *similarity.Result) error {
	return e.notify(func(o Observer) error { return o.Clustered(r) })
}

// NotifySketches passes the sketches and the options of a clustering to every [ClusterObserver], until one returns an error.
func (e *Env) NotifySketches(clients []*Client, sketches similarity.Sketches, o similarity.Options) error {
	return e.notify(func(x Observer) error {
		if c, ok := x.(ClusterObserver); ok {
			return c.Sketched(clients, sketches, o)
		}
		return nil
	})
}

// ClusteringProgress passes the progress of a clustering to every [ClusterObserver]. It is a [similarity.Progress]. It returns
// the error of the run's context, which ends the clustering when the run is interrupted.
func (e *Env) ClusteringProgress(step string, done, total int) error {
	for _, o := range e.Observers {
		if c, ok := o.(ClusterObserver); ok {
			c.Clustering(step, done, total)
		}
	}
	return e.ctx.Err()
}

// Progress says how much of a phase of local training or of an evaluation is done.
type Progress struct {
	Round       int    // round to which the work belongs; set only if InRound
	Phase       string // "warm-up", "training", "secondary", ..., "evaluation"
	Done, Total int64  // training samples of the phase, counted once per epoch; 0 in an evaluation

	InRound bool    // whether the work is part of a round, not of a stage before or after the rounds
	Share   float64 // share of the round's local training that is done, in [0, 1]; it never falls within a round
}

// RoundResult is the result of a round.
type RoundResult struct {
	Round      int
	Moves      []Move             // moves of the clustering (first round only), then of the scenario's events, then of the round
	Cohort     []int              // ids of the clients that trained, ascending
	Dropped    []int              // ids of the clients that were left out because their training diverged, ascending
	Loss       float64            // see [Report]
	Stragglers []int              // ids of the clients that were drawn to do only a part of their local epochs, ascending
	Unanswered []int              // ids of the clients that received a model and never answered, ascending
	Pre        []Score            // [len(Cohort)] scores of the models from which the round started; nil in a round without evaluation
	Post       []Score            // [len(Cohort)] scores of the clients' models after local training; nil in a round without evaluation
	All        []Score            // [clients] scores of the models after aggregation, NaN for absent clients; nil in a round without evaluation
	Clusters   [][]int            // clusters after the round by [Clustered].Clusters; nil without clusters
	Notes      map[string]float64 // see [Report]

	LearningRate float64 // η times the factor of the round if [Options].Schedule changes η; 0 otherwise

	// Confusion[label][predicted] counts the test images of all clients, with the models after aggregation. It is nil except in
	// the last round. The labels are those that each client uses. An image that several clients have counts once for each.
	Confusion [][]int

	Traffic  Traffic // traffic of all clients together
	Work     Work    // work of all clients together
	Samples  int64   // training samples, counted once per epoch
	Training float64 // seconds of local training and aggregation
	Seconds  float64 // wall time of the round, evaluation included
}

// WarningObserver is implemented by an [Observer] that also receives warnings about a result, for instance that the clustering
// found a single cluster or that an option had no effect.
type WarningObserver interface {
	Warn(text string)
}

// warning is a warning that was given in a run. Checkpoints contain the warnings, because the summary of a resumed run lists all
// of them.
type warning struct {
	Text string `json:"text"`
	// Rounds is the number of rounds of the run for which the warning holds; 0 if it holds for any number of rounds.
	Rounds int `json:"rounds,omitempty"`
}

// Warn formats a warning and passes it to every [WarningObserver]. The same warning is passed once per run.
func (e *Env) Warn(format string, args ...any) {
	e.warn(warning{Text: fmt.Sprintf(format, args...)})
}

// WarnOfRounds is Warn for a warning that a longer run would not have. An algorithm repeats its check in Load.
func (e *Env) WarnOfRounds(format string, args ...any) {
	e.warn(warning{fmt.Sprintf(format, args...), e.Rounds})
}

func (e *Env) warn(w warning) {
	if w.Rounds != 0 && w.Rounds != e.Rounds || slices.Contains(e.warnings, w) {
		return
	}
	e.warnings = append(e.warnings, w)
	for _, o := range e.Observers {
		if o, ok := o.(WarningObserver); ok {
			o.Warn(w.Text)
		}
	}
}

// notify calls event with every observer and stops at the first error.
func (e *Env) notify(event func(Observer) error) error {
	for _, o := range e.Observers {
		if err := event(o); err != nil {
			return err
		}
	}
	return nil
}

// Tensors returns the tensors of a model's state, copied to the host, with the names that they have in a PyTorch state_dict.
func Tensors(m Model) ([]torch.NamedTensor, error) {
	x, err := m.State.Floats()
	if err != nil {
		return nil, err
	}
	return TensorsOf(m.Net, x, torch.All), nil
}

// TensorsOf returns the named tensors of some parts of a state x of a network. They share the memory of x.
func TensorsOf(net *torch.Network, x []float32, parts torch.Part) []torch.NamedTensor {
	var named []torch.NamedTensor
	for _, p := range net.Params() {
		if p.Part&parts != 0 {
			named = append(named, torch.NamedTensor{Name: p.Name, Shape: p.Shape, Data: x[p.Range.Begin:p.Range.End]})
		}
	}
	return named
}

// notifyModels passes models to the observers under their names with a prefix.
func (e *Env) notifyModels(models []NamedModel, prefix string) error {
	if len(e.Observers) == 0 {
		return nil
	}
	for _, m := range models {
		tensors, err := Tensors(m.Model)
		if err != nil {
			return err
		}
		if err := e.NotifyWeights(prefix+m.Name, tensors); err != nil {
			return err
		}
	}
	return nil
}

// notifyStarts passes the models before the first round to the observers, named "start-" and the name of the model. Models that
// begin with the same state are passed once, under the name of the first of them.
func (e *Env) notifyStarts(a Algorithm) error {
	seen := map[Model]bool{}
	return e.notifyModels(slices.DeleteFunc(slices.Clone(a.Models()), func(m NamedModel) bool {
		defer func() { seen[m.Model] = true }()
		return seen[m.Model]
	}), "start-")
}
