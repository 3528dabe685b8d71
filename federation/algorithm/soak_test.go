package algorithm_test

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/torch"
)

// TestSoak checks over two hundred rounds that the number of live handles stays constant and resident memory within 5 percent.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("two hundred rounds are too long for -short")
	}
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "feddag")
	if err := errors.Join(e.Start(context.Background()), a.Init(e)); err != nil {
		t.Fatal(err)
	}
	r := federation.NewRunner(e, a, federation.RunOptions{})
	var live, rss int64
	for round := range 200 {
		if err := r.Round(round); err != nil {
			t.Fatal(err)
		}
		switch round {
		case 49:
			rss = resident(t) // collects what earlier tests left
			live, _ = torch.Live()
		case 199:
			if now, _ := torch.Live(); now > live {
				t.Errorf("%d live handles after round 200, %d after round 50", now, live)
			}
			if now := resident(t); float64(now) > 1.05*float64(rss) {
				t.Errorf("%d bytes resident after round 200, %d after round 50", now, rss)
			}
		}
	}
}

// resident returns the resident memory of this process in bytes, after a collection.
func resident(t *testing.T) int64 {
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
	return pages * int64(os.Getpagesize())
}
