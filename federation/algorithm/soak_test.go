package algorithm_test

import (
	"context"
	"errors"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// usage has the resources of a process.
type usage struct {
	handles, resident       int64
	descriptors, goroutines int
}

// TestSoak checks over two hundred rounds of each engine, or five hundred with FEDDAG_LONG, that live handles, open files and
// goroutines stay constant and that resident memory stays within 5 percent.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("two hundred rounds are too long for -short")
	}
	rounds, warmUp := 200, 50
	if os.Getenv("FEDDAG_LONG") != "" {
		rounds, warmUp = 500, 100
	}
	for _, engine := range []string{"serial", "batched", "eager"} {
		t.Run(engine, func(t *testing.T) {
			e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag --feddag-encoders 2")
			useEngine(t, e, engine)
			if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
				t.Fatal(err)
			}
			r := federation.NewRunner(e, a, federation.RunOptions{})
			var before usage
			for round := range rounds {
				if err := r.Round(round); err != nil {
					t.Fatal(err)
				}
				if round == warmUp-1 {
					before = used(t)
				}
			}
			after := used(t)
			t.Logf("after %d rounds %+v, after %d rounds %+v", warmUp, before, rounds, after)
			if after.handles > before.handles {
				t.Errorf("%d live handles after round %d, %d after round %d", after.handles, rounds, before.handles, warmUp)
			}
			if float64(after.resident) > 1.05*float64(before.resident) {
				t.Errorf("%d bytes resident after round %d, %d after round %d", after.resident, rounds, before.resident, warmUp)
			}
			if after.descriptors > before.descriptors || after.goroutines > before.goroutines {
				t.Errorf("%d open files and %d goroutines after round %d, %d and %d after round %d",
					after.descriptors, after.goroutines, rounds, before.descriptors, before.goroutines, warmUp)
			}
		})
	}
}

// useEngine replaces the executor of an environment on the CPU.
func useEngine(t *testing.T, e *federation.Env, name string) {
	t.Helper()
	switch name {
	case "batched":
		b, err := torch.NewBatched(e.Device, torch.BatchedOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		e.Executor = b
	case "eager":
		x, err := torch.NewEager()
		if err != nil {
			t.Fatal(err)
		}
		e.Executor = x
	}
}

// used measures this process after a garbage collection, which frees the memory of earlier tests.
func used(t *testing.T) (u usage) {
	t.Helper()
	debug.FreeOSMemory()
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(raw))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	u.handles, _ = torch.Live()
	u.resident, u.descriptors, u.goroutines = pages*int64(os.Getpagesize()), len(open), runtime.NumGoroutine()
	return u
}
