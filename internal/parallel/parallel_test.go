package parallel

import (
	"sync/atomic"
	"testing"
)

// Every index is called once, whatever the number of workers, and never more calls run at a time than there are workers.
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
				t.Errorf("%d calls ran at a time on %d workers", most.Load(), workers)
			}
		}
	}
	var sum atomic.Int64
	For(101, func(i int) { sum.Add(int64(i)) })
	if sum.Load() != 5050 {
		t.Errorf("the indices sum to %d", sum.Load())
	}
}
