// Package parallel provides the program's loop over independent pieces of work.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// For is [ForWorkers] with as many goroutines as there are processors.
func For(n int, do func(i int)) { ForWorkers(n, runtime.GOMAXPROCS(0), do) }

// ForWorkers calls do(0), do(1), ..., do(n-1), each once, on at most the given number of goroutines, and returns when all
// calls have returned. Fewer than one worker count as one.
//
// The calls start in ascending order, but run at the same time and end in any order. For a result that does not depend on
// the number of workers, a call must write only to places that belong to its index, and sums over the indices must be taken
// afterwards. A loop that can fail or be cancelled keeps an error per index, and lets do return at once when nothing more
// is to be done.
func ForWorkers(n, workers int, do func(i int)) {
	var next atomic.Int64
	var running sync.WaitGroup
	for range min(n, max(workers, 1)) {
		running.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	running.Wait()
}
