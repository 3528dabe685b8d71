package parallel

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestForWorkers checks that every index is called once, and that at most one call per worker runs at the same time.
func TestForWorkers(t *testing.T) {
	for _, n := range []int{-1, 0, 1, 5, 1000} {
		for _, workers := range []int{-1, 0, 1, 3, 64} {
			calls := make([]atomic.Int32, max(n, 0))
			var running, most atomic.Int32
			ForWorkers(n, workers, func(i int) {
				for now, seen := running.Add(1), most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				calls[i].Add(1)
				running.Add(-1)
			})
			for i := range calls {
				if k := calls[i].Load(); k != 1 {
					t.Errorf("%d calls on %d workers: index %d was called %d times", n, workers, i, k)
				}
			}
			if int(most.Load()) > max(workers, 1) {
				t.Errorf("%d calls ran at the same time on %d workers", most.Load(), workers)
			}
		}
	}
	var sum atomic.Int64
	For(101, func(i int) { sum.Add(int64(i)) })
	if sum.Load() != 5050 {
		t.Errorf("the indices sum to %d", sum.Load())
	}
}

// TestForWorkersRunsAtTheSameTime checks that as many calls run at the same time as there are workers: each of the first ones
// waits for the others.
func TestForWorkersRunsAtTheSameTime(t *testing.T) {
	const workers = 3
	var all sync.WaitGroup
	all.Add(workers)
	done := make(chan struct{})
	go func() {
		ForWorkers(4*workers, workers, func(i int) {
			if i < workers {
				all.Done()
				all.Wait()
			}
		})
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the calls wait for each other: they do not run at the same time")
	}
}

// TestOneWorkerIsInOrder checks that a single worker calls the indices in ascending order.
func TestOneWorkerIsInOrder(t *testing.T) {
	var order []int
	ForWorkers(20, 1, func(i int) { order = append(order, i) })
	for k, i := range order {
		if k != i {
			t.Fatalf("the order is %v", order)
		}
	}
}
