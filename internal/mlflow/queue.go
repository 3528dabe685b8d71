package mlflow

import (
	"context"
	"sync"
	"time"
)

// The first and the longest wait between attempts while the server does not answer. The wait doubles after each attempt.
const (
	firstWait = time.Second
	longWait  = 30 * time.Second
)

// Queue sends requests in the background, in order. If a request fails temporarily, for example because the server is down,
// it is repeated until the queue is closed, and the requests behind it wait. A request that the server refuses is dropped.
// The caller never waits for the server.
type Queue struct {
	first, long time.Duration // waits

	mu      sync.Mutex
	tasks   []func(context.Context) error
	problem error // the last problem; nil after it was returned
	failing bool  // whether the first task cannot be sent now
	dropped int   // tasks that the server refused
	closing bool

	wake chan struct{} // has an element when there is something new
	done chan struct{} // closed when the worker has ended
	stop context.CancelFunc
}

// NewQueue starts a queue. The caller must close it.
func NewQueue() *Queue { return newQueue(firstWait, longWait) }

func newQueue(first, long time.Duration) *Queue {
	ctx, stop := context.WithCancel(context.Background())
	q := &Queue{first: first, long: long, wake: make(chan struct{}, 1), done: make(chan struct{}), stop: stop}
	go q.work(ctx)
	return q
}

// Add puts a request at the end of the queue.
func (q *Queue) Add(task func(context.Context) error) {
	q.mu.Lock()
	q.tasks = append(q.tasks, task)
	q.mu.Unlock()
	q.signal()
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// Problem returns the error of a request that failed since the last call, or nil if none did. A server that stays down counts
// as one problem.
func (q *Queue) Problem() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	p := q.problem
	q.problem = nil
	return p
}

// Close waits until everything is sent, but no longer than the given time, and returns the number of requests that were not
// sent.
func (q *Queue) Close(wait time.Duration) (unsent int) {
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	q.signal()
	select {
	case <-q.done:
	case <-time.After(wait):
	}
	q.stop()
	<-q.done
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.tasks) + q.dropped
}

// work sends the requests until the queue is closed and empty, or ctx ends.
func (q *Queue) work(ctx context.Context) {
	defer close(q.done)
	wait := q.first
	for {
		task, closing := q.next()
		if task == nil {
			if closing {
				return
			}
			select {
			case <-q.wake:
			case <-ctx.Done():
				return
			}
			continue
		}
		err := task(ctx)
		if ctx.Err() != nil {
			return
		}
		if !temporary(err) {
			q.sent(err)
			wait = q.first
			continue
		}
		q.failed(err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-q.wake: // there is more to send, or the queue is closed
		case <-ctx.Done():
		}
		timer.Stop()
		if wait = min(2*wait, q.long); closing {
			wait = q.first
		}
	}
}

// next returns the first request, or nil if there is none.
func (q *Queue) next() (task func(context.Context) error, closing bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) > 0 {
		task = q.tasks[0]
	}
	return task, q.closing
}

// sent removes the first request. err is set if the server refused it.
func (q *Queue) sent(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks[0] = nil
	q.tasks, q.failing = q.tasks[1:], false
	if err != nil {
		q.problem = err
		q.dropped++
	}
}

// failed records that the first request cannot be sent now.
func (q *Queue) failed(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.failing {
		q.problem, q.failing = err, true
	}
}
