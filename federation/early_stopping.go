package federation

import (
	"fmt"
	"math"
)

// EarlyStopping ends a run whose training loss no longer falls. The run ends after an evaluated round if in the last Patience
// rounds no loss was lower than the lowest loss before them by more than MinDelta. The loss is [Report].Loss, over the training
// samples of the round's clients. Test samples do not count, because a run must not choose its length by its test scores.
type EarlyStopping struct {
	Patience int     // number of rounds; 0 for no early stopping
	MinDelta float64 // 0 or more
}

// validate returns an error that names the flag of the first invalid value.
func (s EarlyStopping) validate(evalEvery int) error {
	switch {
	case s.Patience < 0:
		return fmt.Errorf("--early-stopping is %d: use a number of rounds, or 0 for no early stopping", s.Patience)
	case !(s.MinDelta >= 0 && s.MinDelta < 1e9):
		return fmt.Errorf("--early-stopping-min-delta is %g: use 0 or more", s.MinDelta)
	case s.Patience > 0 && evalEvery == 0:
		return fmt.Errorf("--early-stopping needs --eval-every 1 or more: a run ends only after an evaluated round")
	}
	return nil
}

// Unread returns the flags that have no effect without early stopping.
func (s EarlyStopping) Unread() []UnreadFlag {
	if s.Patience != 0 {
		return nil
	}
	return []UnreadFlag{{
		Name: "early-stopping-min-delta", Where: "without --early-stopping", Who: "it is read with --early-stopping and a number of rounds",
	}}
}

// lossHistory is what early stopping remembers about the rounds so far. All checkpoints contain it, because a run without early
// stopping may be resumed with it.
type lossHistory struct {
	Lowest float64 `json:"lowest"` // training loss of the best round
	Since  int     `json:"since"`  // rounds since that round
	Rounds int     `json:"rounds"` // rounds so far with a training loss
}

// add records the training loss of a round.
func (h *lossHistory) add(loss, minDelta float64) {
	if math.IsNaN(loss) { // no client trained
		h.Since++
		return
	}
	h.Rounds++
	if h.Rounds == 1 || loss < h.Lowest-minDelta {
		h.Lowest, h.Since = loss, 0
		return
	}
	h.Since++
}

// endEarly makes round t the last one if the training loss has not fallen for as many rounds as the options say. From then on the
// run behaves like a run of t + 1 rounds.
func (r *Runner) endEarly(t int) {
	s := r.env.Stopping
	if s.Patience > 0 && r.losses.Since >= s.Patience && r.env.Evaluates(t) {
		r.env.Rounds = min(r.env.Rounds, t+1)
	}
}
