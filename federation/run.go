package federation

import (
	"context"
	"fmt"
	"math"
	"time"

	"feddag/torch"
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
	Last   []PrePost // after the last round; Post of all clients with Options.FinalPost, else of their last cohort
	Best   []PrePost // the highest of any round, each number apart
}

// run is a run in progress.
type run struct {
	env    *Env
	alg    Algorithm
	o      RunOptions
	last   []PrePost
	best   []PrePost
	scores []Score // of the present models, by client; nil if not evaluated
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
	r := &run{env: env, alg: alg, o: o}
	first, err := r.begin()
	if err != nil {
		return nil, err
	}
	for t := first; t < env.Rounds; t++ {
		if err := r.round(t); err != nil {
			return nil, err
		}
	}
	if err := r.end(); err != nil {
		return nil, err
	}
	return &Result{max(first, env.Rounds), r.last, r.best}, nil
}

// begin prepares round 0 or takes up a checkpoint, and returns the first round to do.
func (r *run) begin() (int, error) {
	n := len(r.env.Clients)
	if c := r.o.Resume; c != nil {
		if err := r.resume(c); err != nil {
			return 0, fmt.Errorf("checkpoint %s: %w", r.o.Checkpoint, err)
		}
		return c.Rounds, nil
	}
	for range n {
		r.last, r.best = append(r.last, PrePost{noScore, noScore}), append(r.best, PrePost{noScore, noScore})
	}
	if err := r.alg.Init(r.env); err != nil {
		return 0, err
	}
	r.env.Ledger.take()
	if err := r.env.tellModels(r.alg, func(name string) string { return "start-" + name }); err != nil {
		return 0, err
	}
	if err := r.evaluateAll(); err != nil {
		return 0, err
	}
	if err := r.env.tell(func(o Observer) error { return o.Ready(r.scores) }); err != nil {
		return 0, err
	}
	return 0, r.checkpoint(0)
}

func (r *run) resume(c *Checkpoint) error {
	if err := c.fits(r.o.Algorithm, r.o.Config, len(r.env.Clients)); err != nil {
		return err
	}
	a, ok := r.alg.(Checkpointer)
	if !ok {
		return fmt.Errorf("algorithm %s cannot be resumed", r.o.Algorithm)
	}
	if err := a.Load(r.env, Saved{c.vectors, c.Meta}); err != nil {
		return err
	}
	c.Ledger.round = newTraffic()
	r.env.Ledger, r.env.seconds = c.Ledger, c.Seconds
	if r.env.seconds == nil {
		r.env.seconds = map[string]float64{}
	}
	r.last, r.best = c.Last, c.Best
	// The cohort's scores before training come from an evaluation of all clients wherever the first run made one.
	if c.Rounds < r.env.Rounds && c.Rounds%r.env.EvalEvery == 0 {
		return r.evaluateAll()
	}
	return nil
}

// round samples, trains, aggregates, evaluates and reports round t.
func (r *run) round(t int) error {
	e := r.env
	start, samples := time.Now(), e.samples
	cohort := e.cohort(t)
	result := RoundResult{Round: t}
	for _, c := range cohort {
		result.Cohort = append(result.Cohort, c.ID)
	}
	var err error
	if result.Pre, err = r.cohortScores(cohort); err != nil {
		return err
	}
	training := time.Now()
	report, err := r.alg.Round(e, t, cohort)
	if err != nil {
		return err
	}
	result.Training = time.Since(training).Seconds()
	if result.Post, err = r.post(report.Trained); err != nil {
		return err
	}
	r.scores = nil
	if (t+1)%e.EvalEvery == 0 || t == e.Rounds-1 {
		if err := r.evaluateAll(); err != nil {
			return err
		}
	}
	result.All, result.Loss = r.scores, report.Loss
	result.Traffic, result.Samples = e.Ledger.take(), e.samples-samples
	result.Seconds = time.Since(start).Seconds()
	e.seconds["rounds"] += result.Seconds
	if err := e.tell(func(o Observer) error { return o.Round(result) }); err != nil {
		return err
	}
	if (t+1)%e.CheckpointEvery == 0 || t == e.Rounds-1 {
		return r.checkpoint(t + 1)
	}
	return nil
}

// cohortScores returns the scores of the models a round starts from.
func (r *run) cohortScores(cohort []*Client) ([]Score, error) {
	if r.scores == nil {
		return r.env.evaluate(r.alg, cohort)
	}
	scores := make([]Score, len(cohort))
	for i, c := range cohort {
		scores[i] = r.scores[c.ID]
	}
	return scores, nil
}

// post scores locally trained models and frees them.
func (r *run) post(trained []Local) ([]Score, error) {
	clients, models := make([]*Client, len(trained)), make([]Model, len(trained))
	for i, l := range trained {
		clients[i], models[i] = l.Client, l.Model
		defer l.State.Close()
	}
	scores, err := r.env.Scores(clients, models)
	if err != nil {
		return nil, err
	}
	for i, c := range clients {
		r.last[c.ID].Post = scores[i]
		r.best[c.ID].Post = higher(r.best[c.ID].Post, scores[i])
	}
	return scores, nil
}

// evaluateAll scores every client.
func (r *run) evaluateAll() (err error) {
	if r.scores, err = r.env.evaluate(r.alg, r.env.Clients); err != nil {
		return err
	}
	for i, s := range r.scores {
		r.last[i].Pre = s
		r.best[i].Pre = higher(r.best[i].Pre, s)
	}
	return nil
}

// higher takes the higher of each number; one that is NaN yields.
func higher(a, b Score) Score {
	if math.IsNaN(a.Balanced) {
		return b
	}
	if math.IsNaN(b.Balanced) {
		return a
	}
	return Score{max(a.Balanced, b.Balanced), max(a.Accuracy, b.Accuracy)}
}

// finalAtOnce bounds how many clients' models the last local training holds.
const finalAtOnce = 32

// end trains every client once more, for its score after local training, and hands over the models.
func (r *run) end() error {
	e := r.env
	if e.FinalPost {
		parts := torch.All
		if p, ok := r.alg.(PartialTrainer); ok {
			parts = p.LocalParts()
		}
		if err := e.stage("final", func() error { return r.finalPost(parts) }); err != nil {
			return err
		}
	}
	return e.tellModels(r.alg, func(name string) string { return name })
}

// finalPost goes through the clients, a few at a time; within those, one call for each network.
func (r *run) finalPost(parts torch.Part) error {
	e := r.env
	defer e.spanning(1)()
	for first := 0; first < len(e.Clients); {
		net := r.alg.Model(first).Net
		var clients []*Client
		var tasks []Task
		for ; first < len(e.Clients) && len(clients) < finalAtOnce && r.alg.Model(first).Net == net; first++ {
			clients = append(clients, e.Clients[first])
			tasks = append(tasks, Task{e.Clients[first], r.alg.Model(first).State})
		}
		trained, err := e.LocalSGD(net, tasks, e.Rounds, FinalPhase, parts)
		if err != nil {
			return err
		}
		if _, err := r.post(locals(net, clients, trained)); err != nil {
			return err
		}
	}
	return nil
}

// checkpoint writes the run after so many rounds.
func (r *run) checkpoint(rounds int) error {
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
		Ledger: r.env.Ledger, Best: r.best, Last: r.last, Meta: saved.Meta, vectors: saved.Vectors,
	}
	return c.write(r.o.Checkpoint)
}
