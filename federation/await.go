package federation

import (
	"errors"
	"time"
)

// runCancellable runs call, which calls the executor, reports its progress to the observers five times per second, and cancels
// it when the run's context ends. p describes the work: Total is the number of training samples in this call.
func (e *Env) runCancellable(p Progress, call func() error) error {
	if err := e.ctx.Err(); err != nil {
		return err
	}
	counter, _ := e.Executor.(interface{ Progress() int64 })
	here := p.Total
	if e.span.total > 0 {
		p.Total = e.span.total
	}
	show := func(done int64) {
		p.Done = min(e.span.done+min(done, here), p.Total)
		if e.round != nil {
			p.InRound, p.Round, p.Share = true, e.round.round, e.round.advance(p.Phase, min(done, here))
		}
		for _, o := range e.Observers {
			o.Phase(p)
		}
	}
	var before int64
	if counter != nil {
		before = counter.Progress()
	}
	show(0)
	done := make(chan error, 1)
	go func() { done <- call() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	stop := e.ctx.Done()
	for {
		select {
		case err := <-done:
			if err != nil && e.ctx.Err() != nil {
				return errors.Join(e.ctx.Err(), err)
			}
			if err == nil {
				show(here)
				e.span.done += here
				if e.round != nil {
					e.round.finish(p.Phase, here)
				}
			}
			return err
		case <-stop:
			stop = nil
			if c, ok := e.Executor.(interface{ Cancel() }); ok {
				c.Cancel()
			}
		case <-tick.C:
			if counter != nil {
				show(counter.Progress() - before)
			}
		}
	}
}
