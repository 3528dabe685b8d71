package federation

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"feddag/federation/data"
	"feddag/torch"
)

// Options are what every algorithm shares.
type Options struct {
	Rounds int     // T
	Rate   float64 // R, the share of the clients sampled in a round
	Seed   uint64  // of everything but the partition

	Epochs       int     // E, of a local training
	Batch        int     // samples a step
	LearningRate float64 // η
	Momentum     float64
	WeightDecay  float64

	EvalEvery       int  // all clients are evaluated every so many rounds, and after the last
	CheckpointEvery int  // rounds between checkpoints
	FinalPost       bool // after the last round, train every client once more and evaluate

	OnDivergence string // StopOnDivergence, DropOnDivergence
}

// DefaultOptions are the paper's (section 5 and appendix B.1).
func DefaultOptions() Options {
	return Options{
		Rounds: 200, Rate: 0.2, Epochs: 10, Batch: 64, LearningRate: 0.01, Momentum: 0.5, WeightDecay: 1e-4,
		EvalEvery: 1, CheckpointEvery: 1, FinalPost: true, OnDivergence: StopOnDivergence,
	}
}

// Validate reports the first option that has no meaning. The names are those of the flags.
func (o Options) Validate() error {
	bad := func(flag string, value any, want string) error {
		return fmt.Errorf("--%s is %v: use %s", flag, value, want)
	}
	finite := func(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }
	switch {
	case o.Rounds < 0:
		return bad("rounds", o.Rounds, "0 or more")
	case !(o.Rate > 0 && o.Rate <= 1):
		return bad("rate", o.Rate, "a share of the clients above 0, at most 1; this one samples nobody or too many")
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
	case o.EvalEvery < 1:
		return bad("eval-every", o.EvalEvery, "1 or more")
	case o.OnDivergence != StopOnDivergence && o.OnDivergence != DropOnDivergence:
		return bad("on-divergence", o.OnDivergence, "stop or drop")
	case o.CheckpointEvery < 1:
		return bad("checkpoint-every", o.CheckpointEvery, "1 or more")
	}
	return nil
}

// Env is the world an algorithm runs in.
type Env struct {
	Options
	Data        *data.Set
	Train, Test *torch.Images // Data's splits, on the device
	Clients     []*Client     // by id, absent ones too, with what they hold now; those who are there: Present
	Device      torch.Device
	Executor    torch.Executor
	Workers     int // goroutines for work outside the executor
	// Net describes the run's model, with one encoder or two.
	Net       func(dual bool) (*torch.Network, error)
	Scenario  *Scenario // nil if nothing happens to the clients
	Ledger    *Ledger
	Observers []Observer

	ctx     context.Context
	dealt   []*Client          // Clients as the partition has them; nil before Start
	world   *world             // who is there and what they hold
	present []*Client          // of Clients
	arrived int                // newcomers since the last search for the clusters
	seconds map[string]float64 // by stage: warmup, clustering, ...
	samples int64              // trained so far
	scores  scoreCache
	span    span
}

// span is a piece of work of several calls, which observers see as one.
type span struct{ done, total int64 }

// spanning tells the observers that the following local trainings, of each client times times, are one piece of work.
func (e *Env) Span(clients []*Client, times int) (end func()) {
	for _, c := range clients {
		e.span.total += int64(times) * int64(e.Epochs) * int64(c.Size())
	}
	return func() { e.span = span{} }
}

// Start readies the environment: an algorithm may be given it afterwards. Run calls it; a caller that uses an
// algorithm without Run does so itself.
func (e *Env) Start(ctx context.Context) error {
	if err := e.Validate(); err != nil {
		return err
	}
	if len(e.Clients) == 0 {
		return fmt.Errorf("no clients")
	}
	if err := e.checkClients(); err != nil {
		return err
	}
	s := e.Scenario
	if s == nil {
		s = &Scenario{}
	}
	e.dealt = e.dealtClients()
	w, err := newWorld(e.Data, e.dealt, s)
	if err != nil {
		return err
	}
	e.world, e.arrived = w, 0
	e.syncWorld()
	e.ctx = ctx
	e.Workers = max(1, e.Workers)
	if e.Ledger == nil {
		e.Ledger = NewLedger(len(e.Clients))
	}
	if e.seconds == nil {
		e.seconds = map[string]float64{}
	}
	return nil
}

// dealtClients returns the clients as the partition has them.
func (e *Env) dealtClients() []*Client {
	if e.dealt != nil {
		return e.dealt
	}
	return e.Clients
}

// enter takes over who is there and what they hold.
func (e *Env) syncWorld() { e.Clients, e.present = slices.Clone(e.world.Clients), e.world.present() }

// Present returns the clients that take part now, by ascending id.
func (e *Env) Present() []*Client { return e.present }

// changes says whether clients may come, leave or change.
func (e *Env) ClientsMayChange() bool { return e.Scenario != nil || len(e.present) < len(e.Clients) }

// Counts returns a client's training samples of each class n_i,c, by the labels that it uses.
func (e *Env) Counts(c *Client) []int {
	counts := make([]int, e.Data.Classes)
	for _, k := range c.Train {
		counts[e.Label(c, k)]++
	}
	return counts
}

func (e *Env) checkClients() error {
	for i, c := range e.Clients {
		if c.ID != i {
			return fmt.Errorf("client %d stands at position %d", c.ID, i)
		}
		if c.Size() == 0 {
			return fmt.Errorf("client %d has no training samples", i)
		}
		if n := e.Data.Train.Len(); !within(c.Train, n) {
			return fmt.Errorf("client %d has a training sample outside the %d of %s", i, n, e.Data.Name)
		}
		if n := e.Data.Test.Len(); !within(c.Test, n) {
			return fmt.Errorf("client %d has a test sample outside the %d of %s", i, n, e.Data.Name)
		}
		if c.LabelMap != nil && len(c.LabelMap) != e.Data.Classes {
			return fmt.Errorf("client %d maps %d labels, %s has %d", i, len(c.LabelMap), e.Data.Name, e.Data.Classes)
		}
	}
	return nil
}

func within(indices []int32, n int) bool {
	for _, i := range indices {
		if i < 0 || int(i) >= n {
			return false
		}
	}
	return true
}

// Err returns the reason why the run must end: that of its context. A method asks it between two pieces of long work of its
// own.
func (e *Env) Err() error { return e.ctx.Err() }

// Seconds returns the wall time of each stage so far: warmup, clustering, ...
func (e *Env) Seconds() map[string]float64 { return e.seconds }

// stage adds the wall time of f to a stage.
func (e *Env) Stage(name string, f func() error) error {
	start := time.Now()
	defer func() { e.seconds[name] += time.Since(start).Seconds() }()
	return f()
}

// label returns the label a client uses for a training image.
func (e *Env) Label(c *Client, sample int32) uint8 {
	l := e.Data.Train.Labels[sample]
	if c.LabelMap != nil {
		return c.LabelMap[l]
	}
	return l
}
