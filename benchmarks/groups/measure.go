package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"feddag/federation/data"
	"feddag/internal/parallel"
	"feddag/internal/stream"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// measureAll prints the time and the memory of the sketches of all images of each set, and of the search for the groups of 1,000
// and 10,000 clients under concept shift.
func (o *options) measureAll(ctx context.Context) error {
	fmt.Printf("%d processors\n\n| what | set | clients | seconds | processor seconds | peak memory, GB |\n|---|---|---|---|---|---|\n", runtime.GOMAXPROCS(0))
	for _, name := range o.sets {
		s, err := newStore(ctx, name, o.cache, data.SearchDirs(o.dataDirs[name]))
		if err != nil {
			return err
		}
		report := func(what string, clients int, do func() error) error {
			u, err := measure(do)
			if err == nil {
				fmt.Printf("| %s | %s | %d | %.2f | %.2f | %.2f |\n", what, name, clients, u.wall, u.processor, float64(u.peak)/1e9)
			}
			return err
		}
		for _, clients := range []int{100, 1000, 10000} {
			c := cell{set: name, kind: "II", share: 1, clients: clients, seed: 1}
			x, err := c.federation(s.set)
			if err != nil {
				return err
			}
			if clients == 100 {
				if err := report("sketches", clients, func() error { return sketchAll(s, x) }); err != nil {
					return err
				}
				continue
			}
			sketches, scatter, err := c.sketches(x, s)
			if err != nil {
				return err
			}
			err = report("search", clients, func() error {
				_, err := groups.Find(sketches, scatter, groups.DefaultOptions())
				return err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// sketchAll computes the features of all images that the clients hold, and the clients' sketches, on all processors.
func sketchAll(s *store, x *federation) error {
	errs := make([]error, len(x.partition.Shards))
	parallel.For(len(errs), func(i int) {
		shard := x.partition.Shards[i]
		features, labels := mat.NewDense(len(shard.Train), s.extractor.Len(), nil), make([]int, len(shard.Train))
		for k, j := range shard.Train {
			labels[k] = int(shard.Label(x.label(j)))
			if err := s.extractor.Features(s.set.Image(s.set.Train, int(j)), features.RawRowView(k)); err != nil {
				errs[i] = err
				return
			}
		}
		_, _, errs[i] = groups.NewSketch(features, labels, s.set.Classes, stream.New(1, "benchmarks/groups: measure", uint64(i)))
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// usage is the time and memory of a piece of work.
type usage struct {
	wall, processor float64 // seconds
	peak            int64   // peak memory above the memory before the work, in bytes; 0 if the system does not report it
}

func measure(do func() error) (u usage, err error) {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // resets the peak; if that fails, the result is too high
	before := memory("VmRSS:")
	seconds := processorSeconds()
	began := time.Now()
	err = do()
	u.wall, u.processor = time.Since(began).Seconds(), processorSeconds()-seconds
	u.peak = memory("VmHWM:") - before
	return u, err
}

func processorSeconds() float64 {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return float64(r.Utime.Sec+r.Stime.Sec) + float64(r.Utime.Usec+r.Stime.Usec)/1e6
}

// memory returns a field of /proc/self/status in bytes.
func memory(field string) int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, text, _ := strings.Cut(string(status), field)
	number, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	kilobytes, _ := strconv.ParseInt(number, 10, 64)
	return kilobytes << 10
}
