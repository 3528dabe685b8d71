package torch

import (
	"errors"
	"runtime"
	"slices"
	"sync/atomic"

	"feddag/internal/parallel"
)

// autograd is the eager executor of an engine. It trains jobs with an objective that the engine does not know.
type autograd struct {
	workers   int // number of jobs at a time; 1 on a GPU
	cancelled atomic.Bool
	samples   atomic.Int64 // samples trained so far
}

// train trains every job by itself, so that the results do not depend on how many are trained at a time. If jobs fail, it
// returns the error of the first of them.
func (a *autograd) train(net *Network, images *Images, jobs []Job, parts Part, sgd SGD) ([]Trained, error) {
	eager := &Eager{
		stop: func() error {
			if a.cancelled.Load() {
				return ErrCancelled
			}
			return nil
		},
		batch: func(samples int) { a.samples.Add(int64(samples)) },
	}
	trained, errs := make([]Trained, len(jobs)), make([]error, len(jobs))
	schedule := make([]int, len(jobs)) // start with the longest job, as the engine does
	for i := range schedule {
		schedule[i] = i
	}
	slices.SortStableFunc(schedule, func(i, k int) int { return len(jobs[k].Samples) - len(jobs[i].Samples) })
	var failed atomic.Int64
	parallel.ForWorkers(len(schedule), a.workers, func(k int) {
		if failed.Load() > 0 {
			return
		}
		runtime.LockOSThread() // libtorch keeps settings and memory per thread
		defer runtime.UnlockOSThread()
		i := schedule[k]
		if trained[i], errs[i] = eager.trainOne(net, images, jobs[i], parts, sgd); errs[i] != nil {
			failed.Add(1)
		}
	})
	i := slices.IndexFunc(errs, func(err error) bool { return err != nil && !errors.Is(err, ErrCancelled) })
	if i < 0 {
		i = slices.IndexFunc(errs, func(err error) bool { return err != nil })
	}
	if i >= 0 {
		CloseTrained(trained)
		return nil, errs[i]
	}
	return trained, nil
}
