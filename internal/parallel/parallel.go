// Package parallel is the parallel loop of the program.
package parallel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// For calls f(0) .. f(n-1), each once, on as many goroutines as there are processors, and returns when all calls have
// returned. The calls start in ascending order.
func For(n int, f func(i int)) { ForWorkers(n, runtime.GOMAXPROCS(0), f) }

// ForWorkers is For on at most workers goroutines; on one if workers is below 1.
func ForWorkers(n, workers int, f func(i int)) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(n, max(workers, 1)) {
		wait.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wait.Wait()
}
