package federation

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"feddag/torch"
)

// RateSchedule says how the clients' learning rate changes from round to round. The zero value keeps it constant. It is a
// pflag.Value, the flag --lr-schedule.
type RateSchedule struct {
	kind   string  // "" for a constant rate, or stepSchedule, exponentialSchedule, cosineSchedule
	rounds int     // stepSchedule: rounds between two steps; cosineSchedule: rounds until the rate has fallen to its floor
	factor float64 // factor of the rate per step or round; cosineSchedule: share of the rate that remains
}

// The kinds of RateSchedule.
const (
	constantSchedule    = "constant"
	stepSchedule        = "step"
	exponentialSchedule = "exponential"
	cosineSchedule      = "cosine"
)

// RateSchedules lists the forms of a RateSchedule for a flag's help.
const RateSchedules = "constant, step:EVERY:FACTOR, exponential:FACTOR, cosine:ROUNDS[:FLOOR]"

// Factor returns the factor of the learning rate in round t, counted from 0:
//
//	step:EVERY:FACTOR      FACTOR^⌊t / EVERY⌋
//	exponential:FACTOR     FACTOR^t
//	cosine:ROUNDS:FLOOR    FLOOR + (1 - FLOOR) (1 + cos(π t / ROUNDS)) / 2, and FLOOR from t = ROUNDS on
//
// These are StepLR, ExponentialLR and CosineAnnealingLR of PyTorch with one step per round. None of them depends on the number
// of rounds of the run, so a run that is continued with more rounds has the same rates as a longer run.
func (s RateSchedule) Factor(t int) float64 {
	switch s.kind {
	case stepSchedule:
		return math.Pow(s.factor, float64(t/s.rounds))
	case exponentialSchedule:
		return math.Pow(s.factor, float64(t))
	case cosineSchedule:
		if t >= s.rounds {
			return s.factor
		}
		return s.factor + (1-s.factor)*(1+math.Cos(math.Pi*float64(t)/float64(s.rounds)))/2
	}
	return 1
}

// Constant reports whether the rate is the same in all rounds.
func (s RateSchedule) Constant() bool { return s.kind == "" }

// check returns an error for a schedule whose learning rate is 0 in some rounds of a run.
func (s RateSchedule) check(rounds int) error {
	if s.kind == cosineSchedule && s.factor == 0 && rounds > s.rounds {
		return fmt.Errorf("--lr-schedule %s has a learning rate of 0 from round %d on, and --rounds is %d: use cosine:%d, or a floor, as in cosine:%d:0.01 (a run that is resumed keeps its schedule)",
			s.String(), s.rounds+1, rounds, rounds, s.rounds)
	}
	return nil
}

// String implements pflag.Value.
func (s *RateSchedule) String() string {
	factor := strconv.FormatFloat(s.factor, 'g', -1, 64)
	switch s.kind {
	case stepSchedule:
		return fmt.Sprintf("%s:%d:%s", s.kind, s.rounds, factor)
	case exponentialSchedule:
		return s.kind + ":" + factor
	case cosineSchedule:
		if s.factor == 0 {
			return fmt.Sprintf("%s:%d", s.kind, s.rounds)
		}
		return fmt.Sprintf("%s:%d:%s", s.kind, s.rounds, factor)
	}
	return constantSchedule
}

// Type implements pflag.Value.
func (*RateSchedule) Type() string { return "string" }

// Set implements pflag.Value.
func (s *RateSchedule) Set(text string) error {
	fields := strings.Split(text, ":")
	wrong := func(format string, a ...any) error {
		return fmt.Errorf("%s; the forms are %s", fmt.Sprintf(format, a...), RateSchedules)
	}
	rounds := func(field string) (int, error) {
		n, err := strconv.Atoi(field)
		if err != nil || n < 1 {
			return 0, wrong("%q is not a number of rounds of 1 or more", field)
		}
		return n, nil
	}
	factor := func(field string, least bool) (float64, error) {
		x, err := strconv.ParseFloat(field, 64)
		if err != nil || !(x > 0 && x <= 1 || x == 0 && least) {
			return 0, wrong("%q is not a factor above 0 and at most 1", field)
		}
		return x, nil
	}
	next, n, err := RateSchedule{kind: fields[0]}, len(fields), error(nil)
	switch kind := fields[0]; {
	case kind == constantSchedule && n == 1:
		next = RateSchedule{}
	case kind == stepSchedule && n == 3:
		if next.rounds, err = rounds(fields[1]); err == nil {
			next.factor, err = factor(fields[2], false)
		}
	case kind == exponentialSchedule && n == 2:
		next.factor, err = factor(fields[1], false)
	case kind == cosineSchedule && n == 1:
		err = wrong("cosine needs the number of rounds in which the rate falls, because a run can be continued with more rounds")
	case kind == cosineSchedule && n <= 3:
		if next.rounds, err = rounds(fields[1]); err == nil && n == 3 {
			next.factor, err = factor(fields[2], true)
		}
	default:
		err = wrong("%q is not a schedule", text)
	}
	if err == nil {
		*s = next
	}
	return err
}

// inRounds reports whether a phase is part of a round. The other phases, which are the warm-up, the answers to the server's
// queries and the final local training, always use the learning rate and the epochs of the options, so that their results do not
// depend on the round.
func (p Phase) inRounds() bool {
	return p == PrimaryPhase || p == SecondaryPhase || p == HeadPhase
}

// scheduledSGD returns the settings of a local training with its learning rate in round t. The schedule also applies to the rate
// of FedBR's projection. It does not apply to α of Per-FedAvg, which is part of the objective and of the step that its clients
// take before they predict.
func (e *Env) scheduledSGD(sgd torch.SGD, t int, phase Phase) torch.SGD {
	if e.Schedule.Constant() || !phase.inRounds() {
		return sgd
	}
	factor := e.Schedule.Factor(t)
	sgd.LearningRate *= factor
	if o, ok := sgd.Objective.(*torch.Contrast); ok {
		contrast := *o
		contrast.Rate *= factor
		sgd.Objective = &contrast
	}
	return sgd
}
