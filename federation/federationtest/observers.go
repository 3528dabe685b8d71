package federationtest

import (
	"fmt"

	"feddag/federation"
)

// teller notes what the rounds told, and can end the run after one of them, or in one's training of newcomers.
type Recorder struct {
	Silent
	Rounds       []federation.RoundResult
	Cancel       func()
	StopAfter    int // round; -1 is before the first
	StopInWarmUp int // round whose warm-up is interrupted; 0 for none
}

func (o *Recorder) Phase(p federation.Progress) {
	if o.StopInWarmUp > 0 && len(o.Rounds) == o.StopInWarmUp && p.Phase == federation.WarmUpPhase.String() {
		o.Cancel()
	}
}

func (o *Recorder) Ready([]federation.Score) error {
	if o.StopAfter == -1 {
		o.Cancel()
	}
	return nil
}

func (o *Recorder) Round(r federation.RoundResult) error {
	o.Rounds = append(o.Rounds, r)
	if r.Round == o.StopAfter {
		o.Cancel()
	}
	return nil
}

// moves are all that the rounds told.
func (o *Recorder) Moves() (all []string) {
	for _, r := range o.Rounds {
		for _, m := range r.Moves {
			all = append(all, fmt.Sprint(r.Round, m))
		}
	}
	return all
}

// warnings keeps them.
type Warnings struct {
	Canceller
	Texts []string
}

func (w *Warnings) Phase(federation.Progress) {}

func (w *Warnings) Warn(text string) { w.Texts = append(w.Texts, text) }
