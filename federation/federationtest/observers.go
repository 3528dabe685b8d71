package federationtest

import (
	"fmt"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"
)

// Silent is an observer that ignores everything. Other observers embed it and add the methods that they need.
type Silent struct{}

func (Silent) Phase(federation.Progress)                 {}
func (Silent) Weights(string, []torch.NamedTensor) error { return nil }
func (Silent) Clustered(*similarity.Result) error        { return nil }
func (Silent) Ready([]federation.Score) error            { return nil }
func (Silent) Round(federation.RoundResult) error        { return nil }

// Canceller is an observer that interrupts the run in the middle of the local training of round 2, by calling Cancel.
type Canceller struct {
	Silent
	Cancel func()
}

// Phase calls Cancel during the training of round 2.
func (c Canceller) Phase(p federation.Progress) {
	if p.Round == 2 && p.Phase == federation.PrimaryPhase.String() {
		c.Cancel()
	}
}

// LastRound is an observer that stores the result of the last round in *Result.
type LastRound struct {
	Silent
	Result *federation.RoundResult
}

// Round stores the result.
func (l LastRound) Round(r federation.RoundResult) error { *l.Result = r; return nil }

// Recorder is an observer that records the results of the rounds. It can interrupt the run after a round, or in the warm-up of the
// clients that join before a round, by calling Cancel.
type Recorder struct {
	Silent
	Rounds       []federation.RoundResult
	Cancel       func()
	StopAfter    int // round after which the run is interrupted; -1 for before the first round
	StopInWarmUp int // round before which the warm-up is interrupted; 0 for none
}

// Phase interrupts the warm-up before round StopInWarmUp.
func (r *Recorder) Phase(p federation.Progress) {
	if r.StopInWarmUp > 0 && len(r.Rounds) == r.StopInWarmUp && p.Phase == federation.WarmUpPhase.String() {
		r.Cancel()
	}
}

// Ready interrupts the run before the first round if StopAfter is -1.
func (r *Recorder) Ready([]federation.Score) error {
	if r.StopAfter == -1 {
		r.Cancel()
	}
	return nil
}

// Round records the result and interrupts the run after round StopAfter.
func (r *Recorder) Round(result federation.RoundResult) error {
	r.Rounds = append(r.Rounds, result)
	if result.Round == r.StopAfter {
		r.Cancel()
	}
	return nil
}

// Moves returns the moves of all recorded rounds, each as a text that starts with the round.
func (r *Recorder) Moves() (all []string) {
	for _, result := range r.Rounds {
		for _, m := range result.Moves {
			all = append(all, fmt.Sprint(result.Round, m))
		}
	}
	return all
}

// Warnings is an observer that records the warnings in Texts.
type Warnings struct {
	Canceller
	Texts []string
}

// Phase does nothing, in place of the method of the embedded Canceller.
func (w *Warnings) Phase(federation.Progress) {}

// Warn records a warning.
func (w *Warnings) Warn(text string) { w.Texts = append(w.Texts, text) }
