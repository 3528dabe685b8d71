package federation

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"
)

// RunOptions name the algorithm of a run and say whether it writes checkpoints and whether it resumes one.
type RunOptions struct {
	Algorithm  string      // registered name of the algorithm
	Config     string      // hash of the configuration; a checkpoint of another configuration cannot be resumed
	Checkpoint string      // file that checkpoints are written to; empty for no checkpoints
	Resume     *Checkpoint // checkpoint that the run resumes; nil to begin with the first round
	Elsewhere  bool        // whether another process of the run writes the checkpoints; see [Env].Peers
}

// Result is the outcome of a run. Its scores are indexed by client.
type Result struct {
	Rounds     int  // complete rounds
	EndedEarly bool // whether [EarlyStopping] ended the run before [Options].Rounds
	// Last has the scores after the last round. If [Options].FinalPost is set, Post is the score after the final local
	// training. Otherwise it is the score in the last evaluated round in which the client was in the cohort.
	Last []PrePost
	Best []PrePost // the highest accuracies of any round; the two accuracies of a score may be from different rounds
	// HeldOut lists the ids of the clients that were never present, ascending, if the method takes newcomers. Their scores
	// in Last and Best are those of a newcomer after the last round: with the model that the method gives it, and after one
	// local training from this model.
	HeldOut []int
	// HeldOutTraffic and HeldOutWork are what these clients sent, received and computed when they joined after the last round. The
	// ledger of the run counts them, too.
	HeldOutTraffic Traffic
	HeldOutWork    Work
	// Uses says, by client, which of the algorithm's models the client predicts with after the last round.
	Uses []Use
}

// Runner does a run step by step: Begin, Round for each round, and End. Usually [Run] calls these; tests call them to look at the
// state between two steps.
type Runner struct {
	env       *Env
	alg       Algorithm
	options   RunOptions
	last      []PrePost
	best      []PrePost
	scores    []Score // by client, with the models that the algorithm holds now; nil if these are not evaluated
	clusterOf []int   // cluster of every client; -1 for an absent client
	losses    lossHistory
	moves     []Move // moves since the last round that was reported
	heldOut   []int  // clients that were scored as newcomers after the last round

	heldOutTraffic Traffic // what these clients sent and received when they joined
	heldOutWork    Work    // what they computed then

	unsaved atomic.Bool // whether the last round has no checkpoint and could have one
}

// errPeerInterrupted ends a run whose checkpoint has been written, because another process of the run was interrupted.
var errPeerInterrupted = errors.New("another rank of the run was interrupted")

// Run trains a federation from the first round, or from the round after a checkpoint, to the last. It stops at the first error
// and when the context ends; the last checkpoint then remains. If the context ends after rounds that have no checkpoint yet (see
// [Options].CheckpointEvery), Run finishes the current round and writes its checkpoint before it stops. Run does not close the
// algorithm; the caller does.
func Run(ctx context.Context, env *Env, alg Algorithm, o RunOptions) (*Result, error) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		cancel()
		env.ctx = ctx // the caller may still evaluate models or let newcomers join
	}()
	if err := env.Start(running); err != nil {
		return nil, err
	}
	if v, ok := alg.(Validator); ok {
		if err := v.Validate(); err != nil {
			return nil, err
		}
	}
	if err := env.CheckScenario(o.Algorithm, alg); err != nil {
		return nil, fmt.Errorf("scenario: %w", err)
	}
	asked := env.Rounds
	r := NewRunner(env, alg, o)
	stop := context.AfterFunc(ctx, func() {
		if !r.unsaved.Load() {
			cancel()
		}
	})
	defer stop()
	first, err := r.Begin()
	if err != nil {
		return nil, err
	}
	for t := first; t < env.Rounds; t++ { // [EarlyStopping] makes them fewer
		if err := r.Round(t); err != nil {
			return nil, err
		}
		stops, err := r.stops(t, ctx.Err() != nil)
		if err != nil {
			return nil, err
		}
		if !stops {
			continue
		}
		if r.unsaved.Load() {
			if err := r.checkpoint(t + 1); err != nil {
				return nil, errors.Join(ctx.Err(), err)
			}
		}
		if ctx.Err() == nil {
			return nil, errPeerInterrupted
		}
		cancel()
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	uses, err := r.uses()
	if err != nil {
		return nil, err
	}
	return &Result{
		Rounds: max(first, env.Rounds), EndedEarly: env.Rounds < asked, Last: r.last, Best: r.best,
		HeldOut: r.heldOut, HeldOutTraffic: r.heldOutTraffic, HeldOutWork: r.heldOutWork, Uses: uses,
	}, nil
}

// NewRunner returns a runner of an algorithm. The environment must have been started.
func NewRunner(env *Env, alg Algorithm, o RunOptions) *Runner {
	n, unscored := len(env.Clients), []PrePost{{noScore, noScore}}
	return &Runner{
		env: env, alg: alg, options: o,
		last: slices.Repeat(unscored, n), best: slices.Repeat(unscored, n), clusterOf: slices.Repeat([]int{-1}, n),
	}
}

// Begin initialises the algorithm, or resumes a checkpoint, and returns the index of the next round. A run that is not resumed
// is evaluated before the first round, unless [Options].EvalEvery is 0, and writes a checkpoint.
func (r *Runner) Begin() (int, error) {
	if c := r.options.Resume; c != nil {
		if err := r.resume(c); err != nil {
			return 0, fmt.Errorf("checkpoint %s: %w", r.options.Checkpoint, err)
		}
		return c.Rounds, nil
	}
	if err := r.alg.Init(r.env); err != nil {
		return 0, err
	}
	r.env.Ledger.takeRound()
	if err := r.env.Stage(FilesStage, func() error { return r.env.notifyStarts(r.alg) }); err != nil {
		return 0, err
	}
	if r.env.evaluatesStart() {
		if err := r.env.Stage(EvaluationStage, r.evaluateAll); err != nil {
			return 0, err
		}
	}
	r.recordMoves(AtStart, nil)
	if err := r.env.notify(func(o Observer) error { return o.Ready(r.scores) }); err != nil {
		return 0, err
	}
	return 0, r.checkpoint(0)
}

// resume restores the run from a checkpoint. It returns an error if the checkpoint does not belong to this run.
func (r *Runner) resume(c *Checkpoint) error {
	if err := c.fits(r.options.Algorithm, r.options.Config, len(r.env.Clients)); err != nil {
		return err
	}
	a, ok := r.alg.(Checkpointer)
	if !ok {
		return fmt.Errorf("algorithm %s cannot be resumed", r.options.Algorithm)
	}
	if err := r.env.Replay(c.Rounds); err != nil {
		return err
	}
	for _, w := range c.Warnings {
		r.env.warn(w)
	}
	if err := a.Load(r.env, Saved{c.vectors, c.Meta, c.blobs}); err != nil {
		return err
	}
	c.Ledger.takeRound()
	r.env.Ledger, r.env.seconds = c.Ledger, c.Seconds
	if r.env.seconds == nil {
		r.env.seconds = map[Stage]float64{}
	}
	if path := r.options.Checkpoint; path != "" { // files of an earlier checkpoint that could not be removed
		if err := removeOldBlobs(filepath.Dir(path), c.Blobs); err != nil {
			return fmt.Errorf("checkpoint %s: %w", path, err)
		}
	}
	r.last, r.best, r.losses = c.Last, c.Best, c.Losses
	if c.Rounds == 0 {
		r.recordMoves(AtStart, nil)
	}
	r.clusterOf = r.clusterOfClients()
	// If the first run evaluated all clients after this round, it took the next cohort's scores before training from that
	// evaluation. The resumed run must do the same, so that it reports the same numbers.
	e := r.env
	if c.Rounds > 0 {
		r.endEarly(c.Rounds - 1)
	}
	evaluated := c.Rounds == 0 && e.evaluatesStart() || c.Rounds > 0 && e.Evaluates(c.Rounds-1)
	if c.Rounds < e.Rounds && evaluated && e.Evaluates(c.Rounds) {
		return e.Stage(EvaluationStage, r.evaluateAll)
	}
	return nil
}

// Round does round t: it applies the events of the scenario, chooses the cohort, lets the algorithm train and aggregate,
// evaluates, reports the round to the observers and writes a checkpoint. It evaluates and writes a checkpoint only if this is
// due.
func (r *Runner) Round(t int) error {
	e := r.env
	defer e.enterRound(t)()
	defer func() { e.epochsOf = nil }()
	if err := r.applyEvents(t); err != nil {
		return err
	}
	start, samples := time.Now(), e.samples
	cohort, err := e.Participants(r.alg, t)
	if err != nil {
		return err
	}
	cohort, silent := e.dropOut(r.alg, t, cohort)
	result := RoundResult{Round: t, Stragglers: e.drawStragglers(t, cohort), Training: time.Since(start).Seconds()}
	for _, c := range silent {
		result.Unanswered = append(result.Unanswered, c.ID)
	}
	var pre []Score
	if e.Evaluates(t) {
		if pre, err = r.cohortScores(cohort); err != nil {
			return err
		}
	}
	training := time.Now()
	report, dropped, err := r.trainRound(t, cohort)
	if err != nil {
		return err
	}
	result.Dropped = dropped
	for k, c := range cohort {
		if !slices.Contains(dropped, c.ID) {
			result.Cohort = append(result.Cohort, c.ID)
			if pre != nil {
				result.Pre = append(result.Pre, pre[k])
			}
		}
	}
	result.Training += time.Since(training).Seconds()
	r.losses.add(report.Loss, e.Stopping.MinDelta)
	if !e.Schedule.Constant() {
		result.LearningRate = e.LearningRate * e.Schedule.Factor(t)
	}
	r.scores = nil
	if e.Evaluates(t) {
		if result.Post, err = r.scoreTrained(report.Trained); err != nil {
			return err
		}
		if t == e.Rounds-1 || e.Stopping.Patience > 0 && r.losses.Since >= e.Stopping.Patience { // see endEarly
			e.confusion = newConfusion(e.Data.Classes)
		}
		err := r.evaluateAll()
		result.Confusion, e.confusion = e.confusion, nil
		if err != nil {
			return err
		}
	} else {
		for _, l := range report.Trained {
			l.Close()
		}
	}
	r.recordMoves(ByRound, nil)
	result.Moves, r.moves = r.moves, nil
	result.All, result.Loss, result.Notes = r.scores, report.Loss, report.Notes
	if c, ok := r.alg.(Clustered); ok {
		result.Clusters = c.Clusters()
	}
	result.Traffic, result.Work = e.Ledger.takeRound()
	result.Samples = e.samples - samples
	result.Seconds = time.Since(start).Seconds()
	e.seconds[RoundsStage] += result.Seconds
	if err := e.notify(func(o Observer) error { return o.Round(result) }); err != nil {
		return err
	}
	r.endEarly(t)
	if (t+1)%e.CheckpointEvery == 0 || t == e.Rounds-1 {
		return r.checkpoint(t + 1)
	}
	_, ok := r.alg.(Checkpointer)
	r.unsaved.Store(ok && (r.options.Checkpoint != "" || r.options.Elsewhere))
	return nil
}

// checkpoint writes a checkpoint after the given number of rounds. It does nothing if the run has no checkpoint file or the
// algorithm is not a [Checkpointer].
func (r *Runner) checkpoint(rounds int) error {
	if r.options.Checkpoint == "" && !r.options.Elsewhere {
		return nil
	}
	a, ok := r.alg.(Checkpointer)
	if !ok {
		return nil
	}
	saved, err := a.Save()
	if err != nil {
		return fmt.Errorf("checkpoint after %d rounds: %w", rounds, err)
	}
	if err := r.compareSaved(rounds, saved); err != nil {
		return fmt.Errorf("checkpoint after %d rounds: %w", rounds, err)
	}
	if r.options.Elsewhere {
		r.unsaved.Store(false)
		return nil
	}
	c := &Checkpoint{
		Algorithm: r.options.Algorithm, Config: r.options.Config, Rounds: rounds, Seconds: r.env.seconds,
		Ledger: r.env.Ledger, Warnings: r.env.warnings, Best: r.best, Last: r.last, Losses: r.losses, Meta: saved.Meta, vectors: saved.Vectors, blobs: saved.Blobs,
	}
	if err := r.env.Stage(FilesStage, func() error { return c.write(r.options.Checkpoint) }); err != nil {
		return err
	}
	r.unsaved.Store(false)
	return nil
}
