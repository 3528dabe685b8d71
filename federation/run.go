package federation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// RunOptions say where a run's checkpoints go and where it takes up.
type RunOptions struct {
	Algorithm  string      // its registered name
	Config     string      // hash of all that a checkpoint must agree in
	Checkpoint string      // file; empty for none
	Resume     *Checkpoint // nil to begin
}

// Result is what a run came to. Scores are by client.
type Result struct {
	Rounds int
	Last   []PrePost // after the last round; Post of those there with Options.FinalPost, else of their last cohort
	Best   []PrePost // the highest of any round, each number apart
	// HeldOut are the clients that never were there. Theirs in Last and Best are those of newcomers after the last round:
	// with what the method gives them, and after one local training from there.
	HeldOut []int
}

// run is a run in progress.
type Runner struct {
	env       *Env
	alg       Algorithm
	o         RunOptions
	last      []PrePost
	best      []PrePost
	scores    []Score // of the present models, by client; nil if not evaluated
	clusterOf []int   // cluster of every client, -1 of one that is not there
	moves     []Move  // not told yet

	heldOut []int // clients scored as newcomers after the last round
}

// Run trains a federation. It stops at the first error, or when the context ends; the last checkpoint then stands. The
// algorithm's models stay open for the caller, who closes it.
func Run(ctx context.Context, env *Env, alg Algorithm, o RunOptions) (*Result, error) {
	if err := env.Start(ctx); err != nil {
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
	r := NewRunner(env, alg, o)
	first, err := r.Begin()
	if err != nil {
		return nil, err
	}
	for t := first; t < env.Rounds; t++ {
		if err := r.Round(t); err != nil {
			return nil, err
		}
	}
	if err := r.End(); err != nil {
		return nil, err
	}
	return &Result{max(first, env.Rounds), r.last, r.best, r.heldOut}, nil
}

func NewRunner(env *Env, alg Algorithm, o RunOptions) *Runner {
	n, none := len(env.Clients), []PrePost{{noScore, noScore}}
	return &Runner{
		env: env, alg: alg, o: o,
		last: slices.Repeat(none, n), best: slices.Repeat(none, n), clusterOf: slices.Repeat([]int{-1}, n),
	}
}

// begin prepares round 0 or takes up a checkpoint, and returns the first round to do.
func (r *Runner) Begin() (int, error) {
	if c := r.o.Resume; c != nil {
		if err := r.resume(c); err != nil {
			return 0, fmt.Errorf("checkpoint %s: %w", r.o.Checkpoint, err)
		}
		return c.Rounds, nil
	}
	if err := r.alg.Init(r.env); err != nil {
		return 0, err
	}
	r.env.Ledger.takeRound()
	if err := r.env.notifyStarts(r.alg); err != nil {
		return 0, err
	}
	if err := r.evaluateAll(); err != nil {
		return 0, err
	}
	r.recordMoves(AtStart, nil)
	if err := r.env.notify(func(o Observer) error { return o.Ready(r.scores) }); err != nil {
		return 0, err
	}
	return 0, r.checkpoint(0)
}

func (r *Runner) resume(c *Checkpoint) error {
	if err := c.fits(r.o.Algorithm, r.o.Config, len(r.env.Clients)); err != nil {
		return err
	}
	a, ok := r.alg.(Checkpointer)
	if !ok {
		return fmt.Errorf("algorithm %s cannot be resumed", r.o.Algorithm)
	}
	if err := r.env.replay(c.Rounds); err != nil {
		return err
	}
	if err := a.Load(r.env, Saved{c.vectors, c.Meta, c.blobs}); err != nil {
		return err
	}
	c.Ledger.takeRound()
	r.env.Ledger, r.env.seconds = c.Ledger, c.Seconds
	if r.env.seconds == nil {
		r.env.seconds = map[string]float64{}
	}
	r.last, r.best = c.Last, c.Best
	if c.Rounds == 0 {
		r.recordMoves(AtStart, nil)
	}
	r.clusterOf = r.clusterOfClients()
	// The cohort's scores before training come from an evaluation of all clients wherever the first run made one.
	if c.Rounds < r.env.Rounds && c.Rounds%r.env.EvalEvery == 0 {
		return r.evaluateAll()
	}
	return nil
}

// round lets happen what the scenario has, samples, trains, aggregates, evaluates and reports round t.
func (r *Runner) Round(t int) error {
	e := r.env
	if err := r.applyEvents(t); err != nil {
		return err
	}
	start, samples := time.Now(), e.samples
	cohort, err := e.Participants(r.alg, t)
	if err != nil {
		return err
	}
	result := RoundResult{Round: t, Training: time.Since(start).Seconds()}
	pre, err := r.cohortScores(cohort)
	if err != nil {
		return err
	}
	training := time.Now()
	report, dropped, err := r.trainRound(t, cohort)
	if err != nil {
		return err
	}
	result.Dropped = dropped
	for k, c := range cohort {
		if !slices.Contains(dropped, c.ID) {
			result.Cohort, result.Pre = append(result.Cohort, c.ID), append(result.Pre, pre[k])
		}
	}
	result.Training += time.Since(training).Seconds()
	if result.Post, err = r.post(report.Trained); err != nil {
		return err
	}
	r.scores = nil
	if (t+1)%e.EvalEvery == 0 || t == e.Rounds-1 {
		if err := r.evaluateAll(); err != nil {
			return err
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
	e.seconds["rounds"] += result.Seconds
	if err := e.notify(func(o Observer) error { return o.Round(result) }); err != nil {
		return err
	}
	if (t+1)%e.CheckpointEvery == 0 || t == e.Rounds-1 {
		return r.checkpoint(t + 1)
	}
	return nil
}

// checkpoint writes the run after so many rounds.
func (r *Runner) checkpoint(rounds int) error {
	if r.o.Checkpoint == "" {
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
	c := &Checkpoint{
		Algorithm: r.o.Algorithm, Config: r.o.Config, Rounds: rounds, Seconds: r.env.seconds,
		Ledger: r.env.Ledger, Best: r.best, Last: r.last, Meta: saved.Meta, vectors: saved.Vectors, blobs: saved.Blobs,
	}
	return c.write(r.o.Checkpoint)
}
