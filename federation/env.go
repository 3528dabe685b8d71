package federation

import (
	"context"
	"fmt"
	"slices"

	"feddag/federation/data"
	"feddag/torch"
)

// Env is what an algorithm works with: the settings of the run, the data on the device, the clients, and the executor that
// trains their models. [Env.Start] prepares it.
type Env struct {
	Options
	Data        *data.Set
	Train, Test *torch.Images // the splits of Data, on the device
	Clients     []*Client     // all clients by id, absent ones included, with the samples that they hold now; see [Env.Present]
	Device      torch.Device
	Executor    torch.Executor
	Peers       Peers // the processes that do the run together; nil if this process does it alone
	Workers     int   // goroutines for work outside the executor; values below 1 mean 1
	// Net returns the network of the run's model, with one encoder or with two.
	Net       func(dual bool) (*torch.Network, error)
	Scenario  *Scenario // nil if the clients do not change during the run
	Ledger    *Ledger   // if nil, Start makes an empty one
	Observers []Observer

	ctx        context.Context
	epochsOf   map[int]int       // local epochs of the current round's stragglers, by id
	initial    []float32         // θ^0 of SetInitialWeights; nil for random weights
	original   []*Client         // Clients as the partition made them; nil before Start
	population *population       // which clients are present and what they hold
	present    []*Client         // the present clients, by ascending id
	newcomers  int               // clients that have joined since the last search for the clusters
	seconds    map[Stage]float64 // wall time of each stage
	nested     float64           // seconds of the stages inside the stage that is running
	samples    int64             // training samples so far, counted once per epoch
	scores     scoreCache
	confusion  [][]int     // see RoundResult; nil unless it is counted
	subsets    testSubsets // used if EvalShare is below 1
	uses       map[int]Use // what the clients of a Predictor predicted with in their last evaluation, by id
	warnings   []warning   // warnings of this run so far, each once
	span       span
	round      *roundProgress // nil outside of rounds
}

// span counts the training samples of local trainings that observers see as one piece of work.
type span struct{ done, total int64 }

// Span tells the observers that the following local trainings are one piece of work, in which each of the clients trains the
// given number of times. The caller calls end after the last of these trainings.
func (e *Env) Span(clients []*Client, times int) (end func()) {
	for _, c := range clients {
		e.span.total += int64(times) * int64(e.Epochs) * int64(c.Size())
	}
	return func() { e.span = span{} }
}

// Start checks the options and the clients and prepares the environment for an algorithm. [Run] calls it. A caller that uses an
// algorithm without Run must call it. The run ends when ctx does.
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
	e.original = e.originalClients()
	p, err := newPopulation(e.Data, e.original, s)
	if err != nil {
		return err
	}
	e.population, e.newcomers = p, 0
	e.syncClients()
	e.ctx = ctx
	e.scores, e.subsets, e.uses = scoreCache{}, testSubsets{}, nil // the options may have changed since the last run
	e.Workers = max(1, e.Workers)
	if e.Ledger == nil {
		e.Ledger = NewLedger(len(e.Clients))
	}
	if e.seconds == nil {
		e.seconds = map[Stage]float64{}
	}
	return nil
}

// originalClients returns the clients as the partition made them, before any event of a scenario. Start may be called again.
func (e *Env) originalClients() []*Client {
	if e.original != nil {
		return e.original
	}
	return e.Clients
}

// syncClients sets Clients and the list of the present clients from the population.
func (e *Env) syncClients() {
	e.Clients, e.present = slices.Clone(e.population.Clients), e.population.present()
}

// Present returns the clients that take part in the run now, by ascending id.
func (e *Env) Present() []*Client { return e.present }

// ClientsMayChange reports whether clients may join, leave or change their samples later in the run. This is so if there is a
// scenario or if some clients are absent now.
func (e *Env) ClientsMayChange() bool { return e.Scenario != nil || len(e.present) < len(e.Clients) }

// Counts returns n_i,c, the number of a client's training samples of each class, [Data.Classes]. The classes are the labels that
// the client uses.
func (e *Env) Counts(c *Client) []int {
	counts := make([]int, e.Data.Classes)
	for _, k := range c.Train {
		counts[e.Label(c, k)]++
	}
	return counts
}

// checkClients returns an error that names the first client whose samples or label map do not fit the data set.
func (e *Env) checkClients() error {
	for i, c := range e.Clients {
		if c.ID != i {
			return fmt.Errorf("client %d is at position %d", c.ID, i)
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
			return fmt.Errorf("client %d maps %d labels, but %s has %d", i, len(c.LabelMap), e.Data.Name, e.Data.Classes)
		}
	}
	return nil
}

// within reports whether all indices are in [0, n).
func within(indices []int32, n int) bool {
	for _, i := range indices {
		if i < 0 || int(i) >= n {
			return false
		}
	}
	return true
}

// Err returns the error of the run's context, which is nil while the run may go on. A method that works outside the executor for
// a long time calls Err repeatedly.
func (e *Env) Err() error { return e.ctx.Err() }

// Label returns the label that a client uses for a training image, given by its index.
func (e *Env) Label(c *Client, sample int32) uint8 {
	l := e.Data.Train.Labels[sample]
	if c.LabelMap != nil {
		return c.LabelMap[l]
	}
	return l
}
