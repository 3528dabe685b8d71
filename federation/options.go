package federation

import (
	"fmt"
	"math"
)

// Options are the settings of a run that all algorithms share. Each one is a flag of the command line.
type Options struct {
	Rounds int     // T, the number of rounds
	Rate   float64 // R, the share of the present clients that is sampled in each round, in (0, 1]
	Seed   uint64  // seed of all random numbers except those of the partition

	Epochs       int     // E, epochs per local training
	Batch        int     // samples per SGD step
	LearningRate float64 // η
	Momentum     float64 // in [0, 1)
	WeightDecay  float64 // 0 or more
	Optimizer    ClientOptimizer
	Schedule     RateSchedule // schedule of η over the rounds

	Server ServerOptimizer // what the server does with the mean of the clients' models

	Stopping   EarlyStopping
	Unreliable Unreliable

	// EvalEvery is the number of rounds between two evaluations. The other rounds have no scores, neither for the cohort nor
	// for all clients. The last round is always evaluated. If EvalEvery is 0, no other round is evaluated, and neither are
	// the models before the first round.
	EvalEvery int
	// EvalShare is the share of each client's test set on which it is scored, in (0, 1]: see [Env.TestSamples].
	EvalShare       float64
	CheckpointEvery int  // rounds between two checkpoints; the last round always writes one
	FinalPost       bool // train every client once more after the last round, for its score after local training

	OnDivergence DivergencePolicy // what a run does when a client's training diverges
}

// DefaultOptions returns the settings of the FedDAG paper (section 5 and appendix B.1).
func DefaultOptions() Options {
	return Options{
		Rounds: 200, Rate: 0.2, Epochs: 10, Batch: 64, LearningRate: 0.01, Momentum: 0.5, WeightDecay: 1e-4,
		Optimizer: defaultClientOptimizer(),
		Server:    defaultServerOptimizer(),
		EvalEvery: 1, EvalShare: 1, CheckpointEvery: 1, FinalPost: true, OnDivergence: StopOnDivergence,
	}
}

// Evaluates reports whether round t has scores: scores of its cohort before and after local training, and of all clients after
// the round.
func (o Options) Evaluates(t int) bool {
	return t == o.Rounds-1 || o.EvalEvery > 0 && (t+1)%o.EvalEvery == 0
}

// evaluatesStart reports whether the models before the first round are scored.
func (o Options) evaluatesStart() bool { return o.EvalEvery > 0 || o.Rounds == 0 }

// Validate returns an error for the first invalid option. The error names the flag of the option and says which values the flag
// takes.
func (o Options) Validate() error {
	bad := func(flag string, value any, want string) error {
		return fmt.Errorf("--%s is %v: use %s", flag, value, want)
	}
	finite := func(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }
	switch {
	case o.Rounds < 0:
		return bad("rounds", o.Rounds, "0 or more")
	case !(o.Rate > 0 && o.Rate <= 1):
		return bad("rate", o.Rate, "a share of the clients above 0 and at most 1; at 0 no client would be sampled")
	case o.Epochs < 1:
		return bad("epochs", o.Epochs, "1 or more")
	case o.Batch < 1:
		return bad("batch", o.Batch, "1 or more")
	case !finite(o.LearningRate):
		return bad("lr", o.LearningRate, "a number of 0 or more")
	case !(o.Momentum >= 0 && o.Momentum < 1):
		return bad("momentum", o.Momentum, "a number from 0 to below 1")
	case !finite(o.WeightDecay):
		return bad("weight-decay", o.WeightDecay, "a number of 0 or more")
	case o.Schedule.check(o.Rounds) != nil:
		return o.Schedule.check(o.Rounds)
	case o.Optimizer.validate() != nil:
		return o.Optimizer.validate()
	case o.Unreliable.validate(o.Epochs) != nil:
		return o.Unreliable.validate(o.Epochs)
	case o.Stopping.validate(o.EvalEvery) != nil:
		return o.Stopping.validate(o.EvalEvery)
	case o.Server.validate() != nil:
		return o.Server.validate()
	case o.EvalEvery < 0:
		return bad("eval-every", o.EvalEvery, "1 or more, or 0 to evaluate only the last round")
	case !(o.EvalShare > 0 && o.EvalShare <= 1):
		return bad("eval-share", o.EvalShare, "a share of each test set above 0, at most 1")
	case o.OnDivergence != StopOnDivergence && o.OnDivergence != DropOnDivergence:
		return bad("on-divergence", o.OnDivergence, "stop or drop")
	case o.CheckpointEvery < 1:
		return bad("checkpoint-every", o.CheckpointEvery, "1 or more")
	}
	return nil
}
