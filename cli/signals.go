package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// withSignals returns a context that ends at the first signal that asks the program to stop: Ctrl-C, SIGTERM, and SIGUSR1 or
// SIGXCPU, which batch systems send before the time of a job is over (sbatch --signal=USR1@120). A second SIGINT or SIGTERM
// ends the program at once, unless patient is true. SIGUSR1 and SIGXCPU never end it at once and do not count as the first
// signal, because batch systems send several of them, followed by SIGTERM.
func withSignals(parent context.Context, patient bool) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGXCPU)
	done := make(chan struct{})
	var handler sync.WaitGroup
	handler.Go(func() {
		for {
			select {
			case s := <-signals:
				cancel()
				if (s == os.Interrupt || s == syscall.SIGTERM) && !patient {
					signal.Reset(os.Interrupt, syscall.SIGTERM)
				}
			case <-done:
				return
			}
		}
	})
	return ctx, sync.OnceFunc(func() {
		signal.Stop(signals)
		close(done)
		handler.Wait() // It must not reset the signals of a later context.
		cancel()
	})
}
