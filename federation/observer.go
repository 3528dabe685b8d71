package federation

import (
	"fmt"
	"slices"

	"feddag/similarity"
	"feddag/torch"
)

// Observer hears what happens in a run. An error ends the run; the last checkpoint stands.
type Observer interface {
	// Phase says how far the work in hand is. It comes often.
	Phase(p Progress)
	// Weights hands over weights worth keeping: "initial", "start-2", "cluster-2", "global".
	Weights(name string, tensors []torch.NamedTensor) error
	// Clustered comes once the clusters are known. Clients are numbered by their place among those who are there.
	Clustered(r *similarity.Result) error
	// Ready comes before round 0, with every client's score.
	Ready(pre []Score) error
	// Round comes after every round, before its checkpoint.
	Round(r RoundResult) error
}

// ClusterObserver is an Observer that also wants to hear what is clustered, and how far that is.
type ClusterObserver interface {
	// Sketched comes once the clients' sketches are there, before they are clustered with these options. Neither it nor
	// Clustered may keep or change them beyond what it copies, unless the run ends with the clustering.
	Sketched(clients []*Client, sketches []similarity.Sketch, o similarity.Options) error
	// Clustering says how far the clustering is, see similarity.Progress.
	Clustering(step string, done, total int)
}

// NotifyWeights passes weights to every observer.
func (e *Env) NotifyWeights(name string, tensors []torch.NamedTensor) error {
	return e.notify(func(o Observer) error { return o.Weights(name, tensors) })
}

// NotifyClustered passes the clustering to every observer.
func (e *Env) NotifyClustered(r *similarity.Result) error {
	return e.notify(func(o Observer) error { return o.Clustered(r) })
}

// tellSketches passes the sketches to the observers that want them.
func (e *Env) NotifySketches(clients []*Client, sketches []similarity.Sketch, o similarity.Options) error {
	return e.notify(func(x Observer) error {
		if c, ok := x.(ClusterObserver); ok {
			return c.Sketched(clients, sketches, o)
		}
		return nil
	})
}

// clusteringProgress passes a clustering's progress on, and ends it when the run is interrupted.
func (e *Env) ClusteringProgress(step string, done, total int) error {
	for _, o := range e.Observers {
		if c, ok := o.(ClusterObserver); ok {
			c.Clustering(step, done, total)
		}
	}
	return e.ctx.Err()
}

// Progress says how far the work in hand is.
type Progress struct {
	Round       int    // of work within a round, which InRound says
	Phase       string // "warm-up", "training", "secondary", ..., "evaluation"
	Done, Total int64  // of the phase, training samples, every epoch counted; 0 of an evaluation

	InRound bool    // between the events before a round and its evaluation; else a stage before or after the rounds
	Share   float64 // of the round's local training that is done, 0 to 1; it never falls within a round
}

// RoundResult is what a round came to. Bytes are of all clients together.
type RoundResult struct {
	Round    int
	Moves    []Move             // before the round by the scenario's events, then in it; the first round's begin with the clustering
	Cohort   []int              // client ids, ascending: those who trained
	Dropped  []int              // those of the sample whose training diverged, and who were left out for it
	Loss     float64            // see Report
	Pre      []Score            // [len(Cohort)] of the models the round started from
	Post     []Score            // [len(Cohort)] of the clients' models after their local training
	All      []Score            // [clients] of the models after aggregation, NaN for those not there; nil in a round without evaluation
	Clusters [][]int            // of a Clustered method after the round; nil without
	Notes    map[string]float64 // see Report
	Traffic  Traffic
	Work     Work
	Samples  int64   // training samples, every epoch counted
	Training float64 // seconds of local training and aggregation
	Seconds  float64 // wall time, evaluation included
}

// WarningObserver is an Observer that also wants to hear what a person should know about a result: a clustering that
// is none, an option without effect.
type WarningObserver interface {
	Warn(text string)
}

// warn passes a warning to the observers that want it.
func (e *Env) Warn(format string, args ...any) {
	for _, o := range e.Observers {
		if w, ok := o.(WarningObserver); ok {
			w.Warn(fmt.Sprintf(format, args...))
		}
	}
}

// tell passes an event to every observer, and stops at the first error.
func (e *Env) notify(event func(Observer) error) error {
	for _, o := range e.Observers {
		if err := event(o); err != nil {
			return err
		}
	}
	return nil
}

// Tensors names a state's tensors, as a PyTorch state_dict would.
func Tensors(m Model) ([]torch.NamedTensor, error) {
	x, err := m.State.Floats()
	if err != nil {
		return nil, err
	}
	return TensorsOf(m.Net, x, torch.All), nil
}

// tensorsOf names the tensors of some parts of a state.
func TensorsOf(net *torch.Network, x []float32, parts torch.Part) []torch.NamedTensor {
	var named []torch.NamedTensor
	for _, p := range net.Params() {
		if p.Part&parts != 0 {
			named = append(named, torch.NamedTensor{Name: p.Name, Shape: p.Shape, Data: x[p.Range.Begin:p.Range.End]})
		}
	}
	return named
}

// tellModels hands models to the observers, their names after a prefix.
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

// tellStarts hands over the models before round 0, of those that begin as one the first.
func (e *Env) notifyStarts(a Algorithm) error {
	seen := map[Model]bool{}
	return e.notifyModels(slices.DeleteFunc(slices.Clone(a.Models()), func(m NamedModel) bool {
		defer func() { seen[m.Model] = true }()
		return seen[m.Model]
	}), "start-")
}
