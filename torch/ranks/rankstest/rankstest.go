// Package rankstest runs several ranks in one test process.
package rankstest

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"feddag/torch"
	"feddag/torch/ranks"
)

// Port returns a port of the loopback interface that was free a moment ago.
func Port(t testing.TB) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

// Options returns options with which ranks quickly notice that another rank is lost.
func Options() ranks.Options {
	o := ranks.DefaultOptions()
	o.Join, o.Beat, o.Silence = time.Minute, 50*time.Millisecond, 2*time.Second
	return o
}

// Skip skips the test if the program was built without c10d.
func Skip(t testing.TB) {
	t.Helper()
	if torch.GroupBackends() == "" {
		t.Skip(torch.ErrNoGroups)
	}
}

// Run calls do for each of the given number of ranks at the same time, on loopback, and returns their errors. If a rank
// fails, its error is its reason for leaving.
func Run(t testing.TB, size int, o ranks.Options, do func(r *ranks.Ranks) error) []error {
	t.Helper()
	Skip(t)
	port := Port(t)
	errs := make([]error, size)
	var running sync.WaitGroup
	for rank := range size {
		running.Go(func() {
			if rank > 0 { // If the store does not exist yet, the next attempt is only made after a second.
				time.Sleep(50 * time.Millisecond)
			}
			r, err := ranks.Join(context.Background(), ranks.Place{
				Rank: rank, Size: size, Host: "127.0.0.1", Port: port, Serve: true, Attempt: "test",
			}, o)
			if err == nil {
				if err = do(r); err == nil {
					err = r.End()
				}
				r.Close(err)
			}
			errs[rank] = err
		})
	}
	running.Wait()
	return errs
}
