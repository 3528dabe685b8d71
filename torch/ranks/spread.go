package ranks

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"sync/atomic"

	"feddag/internal/deal"
	"feddag/torch"
)

// Spread is an executor that distributes its jobs over ranks. Each rank runs its share of the jobs on its own executor, and
// all ranks get all results. Spread implements torch.Executor.
type Spread struct {
	inner     torch.Executor
	ranks     *Ranks
	cancelled atomic.Bool
	stop      func() bool // ends the watch for lost ranks

	closing sync.Mutex
	closed  bool

	progress sync.Mutex
	done     int64 // samples of the calls of Train that have ended, of all ranks
	before   int64 // progress of inner before the current call
	own, all int64 // samples of the current call, of this rank and of all ranks; 0 between two calls
}

// errInterrupted is the reason why the other ranks cannot continue when a rank is cancelled.
var errInterrupted = errors.New("it was interrupted")

// NewSpread returns an executor that runs this rank's share of the jobs on inner, of which it takes ownership. A call ends
// soon after a rank is lost.
func NewSpread(inner torch.Executor, r *Ranks) *Spread {
	s := &Spread{inner: inner, ranks: r}
	s.stop = context.AfterFunc(r.ctx, s.Cancel)
	return s
}

// Inner returns the executor that runs this rank's share of the jobs of x, which is x itself unless it is a Spread.
func Inner(x torch.Executor) torch.Executor {
	if s, ok := x.(*Spread); ok {
		return s.inner
	}
	return x
}

// Unwrap returns the executor of this rank's share.
func (s *Spread) Unwrap() torch.Executor { return s.inner }

// Close implements torch.Executor.
func (s *Spread) Close() {
	s.stop()
	s.closing.Lock()
	defer s.closing.Unlock()
	s.closed = true
	s.inner.Close()
}

// Cancel makes current and later calls end soon with an error. The calls of the other ranks end as well.
func (s *Spread) Cancel() {
	s.cancelled.Store(true)
	s.ranks.fail(errInterrupted)
	s.closing.Lock()
	defer s.closing.Unlock()
	if s.closed {
		return
	}
	if c, ok := s.inner.(interface{ Cancel() }); ok {
		c.Cancel()
	}
}

// Progress returns an estimate of the number of samples that all ranks have trained. For the current call, it assumes that
// the other ranks have made the same progress as this one.
func (s *Spread) Progress() int64 {
	s.progress.Lock()
	defer s.progress.Unlock()
	if s.own == 0 {
		return s.done
	}
	return s.done + min(s.all, int64(float64(s.trained()-s.before)*float64(s.all)/float64(s.own)))
}

// trained returns the progress of inner, or 0 if inner does not report any.
func (s *Spread) trained() int64 {
	if c, ok := s.inner.(interface{ Progress() int64 }); ok {
		return c.Progress()
	}
	return 0
}

// Train implements torch.Executor.
func (s *Spread) Train(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	costs := make([]int64, len(jobs))
	for i, j := range jobs {
		costs[i] = int64(len(j.Samples)) * int64(len(j.Order))
	}
	owner := deal.Longest(costs, s.ranks.Size())
	mine := deal.Of(owner, s.ranks.Rank())
	total, own := int64(0), int64(0)
	for i, c := range costs {
		total += c
		if owner[i] == s.ranks.Rank() {
			own += c
		}
	}
	s.begin(total, own)
	defer s.end()
	what := fmt.Sprintf("training %d clients (%016x)", len(jobs), trainingDigest(net, jobs, parts, sgd))
	some := make([]torch.Job, len(mine))
	for k, i := range mine {
		some[k] = jobs[i]
	}
	done, err := s.trainMine(net, images, some, parts, sgd)
	all, err := s.exchangeTrained(what, net, jobs, owner, done, parts, err)
	if err != nil {
		torch.CloseTrained(done)
		return nil, err
	}
	return all, nil
}

// trainMine runs this rank's jobs, one at a time on an executor that cannot be cancelled.
func (s *Spread) trainMine(net *torch.Network, images *torch.Images, jobs []torch.Job, parts torch.Part, sgd torch.SGD) ([]torch.Trained, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	if _, ok := s.inner.(interface{ Cancel() }); ok {
		return s.inner.Train(net, images, jobs, parts, sgd)
	}
	var trained []torch.Trained
	for i := range jobs {
		if s.cancelled.Load() {
			torch.CloseTrained(trained)
			return nil, torch.ErrCancelled
		}
		one, err := s.inner.Train(net, images, jobs[i:i+1], parts, sgd)
		if err != nil {
			torch.CloseTrained(trained)
			return nil, err
		}
		trained = append(trained, one...)
	}
	return trained, nil
}

// Predict implements torch.Executor.
func (s *Spread) Predict(net *torch.Network, images *torch.Images, jobs []torch.Prediction) ([]torch.Predicted, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	costs := make([]int64, len(jobs))
	h := fnv.New64a()
	for i, j := range jobs {
		costs[i] = int64(len(j.Samples))
		fmt.Fprintln(h, costs[i], j.LogProbabilities, j.Features)
	}
	owner := deal.Longest(costs, s.ranks.Size())
	mine := deal.Of(owner, s.ranks.Rank())
	some := make([]torch.Prediction, len(mine))
	for k, i := range mine {
		some[k] = jobs[i]
	}
	var done []torch.Predicted
	var err error
	switch {
	case s.cancelled.Load():
		err = torch.ErrCancelled
	case len(some) > 0:
		done, err = s.inner.Predict(net, images, some)
	}
	what := fmt.Sprintf("predicting with %d models (%016x)", len(jobs), h.Sum64())
	return s.exchangePredicted(what, net, jobs, owner, done, err)
}

// begin records that a call begins, with the numbers of samples of all ranks and of this rank.
func (s *Spread) begin(all, own int64) {
	s.progress.Lock()
	defer s.progress.Unlock()
	s.before, s.all, s.own = s.trained(), all, own
}

// end records that the call has ended.
func (s *Spread) end() {
	s.progress.Lock()
	defer s.progress.Unlock()
	s.done += s.all
	s.all, s.own = 0, 0
}

// trainingDigest identifies a call of Train.
func trainingDigest(net *torch.Network, jobs []torch.Job, parts torch.Part, sgd torch.SGD) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, net.Len(), parts, sgd.Batch, sgd.LearningRate, sgd.Momentum, sgd.WeightDecay, sgd.Adam, sgd.Whole)
	for _, j := range jobs {
		fmt.Fprintln(h, j.Client, len(j.Samples), len(j.Order), j.Seed)
	}
	return h.Sum64()
}

var _ torch.Executor = (*Spread)(nil)
