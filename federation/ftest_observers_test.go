package federation

import (
	"fmt"
)

// teller notes what the rounds told, and can end the run after one of them, or in one's training of newcomers.
type teller struct {
	silent
	rounds []RoundResult
	cancel func()
	after  int // round; -1 is before the first
	within int // round whose warm-up is interrupted; 0 for none
}

func (o *teller) Phase(p Progress) {
	if o.within > 0 && len(o.rounds) == o.within && p.Phase == WarmUpPhase.String() {
		o.cancel()
	}
}

func (o *teller) Ready([]Score) error {
	if o.after == -1 {
		o.cancel()
	}
	return nil
}

func (o *teller) Round(r RoundResult) error {
	o.rounds = append(o.rounds, r)
	if r.Round == o.after {
		o.cancel()
	}
	return nil
}

// moves are all that the rounds told.
func (o *teller) moves() (all []string) {
	for _, r := range o.rounds {
		for _, m := range r.Moves {
			all = append(all, fmt.Sprint(r.Round, m))
		}
	}
	return all
}

// warnings keeps them.
type warnings struct {
	canceller
	texts []string
}

func (w *warnings) Phase(Progress) {}

func (w *warnings) Warn(text string) { w.texts = append(w.texts, text) }
