package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// shard is a part of the runs of a comparison. Several processes that each do a shard need no communication.
type shard struct {
	index, count int
	from         string // where the shard was specified: "" (all runs), "--shard", or an environment variable
}

// Set implements [pflag.Value]. The text is i/n.
func (s *shard) Set(text string) error {
	i, n, found := strings.Cut(text, "/")
	index, err := strconv.Atoi(i)
	count, err2 := strconv.Atoi(n)
	if !found || err != nil || err2 != nil || count < 1 || index < 0 || index >= count {
		return fmt.Errorf("use i/n with i from 0 to n-1, such as 0/4 for the first of four parts")
	}
	*s = shard{index, count, "--shard"}
	return nil
}

// String implements [pflag.Value].
func (s *shard) String() string {
	if s.count == 0 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.index, s.count)
}

// Type implements [pflag.Value].
func (*shard) Type() string { return "string" }

// slurmShard returns the part of the runs that a task of a Slurm array does. Outside of an array, these are all runs. getenv
// is [os.Getenv].
func slurmShard(getenv func(string) string) (shard, error) {
	if getenv("SLURM_ARRAY_TASK_ID") == "" || getenv("SLURM_ARRAY_TASK_COUNT") == "" {
		return shard{0, 1, ""}, nil
	}
	number := func(name string, otherwise int) (int, error) {
		text := getenv(name)
		if text == "" {
			return otherwise, nil
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return 0, usagef("the environment variable %s is %q, which is not a whole number: give --shard i/n", name, text)
		}
		return n, nil
	}
	var v [4]int
	for k, name := range []string{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_STEP"} {
		var err error
		if v[k], err = number(name, []int{0, 0, 0, 1}[k]); err != nil {
			return shard{}, err
		}
	}
	id, count, first, step := v[0], v[1], v[2], max(v[3], 1)
	index := (id - first) / step
	if count < 1 || index < 0 || index >= count || (id-first)%step != 0 {
		return shard{}, usagef("the Slurm array has %d tasks from %d in steps of %d, and no task %d among them (an array of single numbers has no steps): give --shard i/n", count, first, step, id)
	}
	return shard{index, count, "the Slurm array"}, nil
}

// setShard takes the shard from the environment unless --shard is given, and checks that the processes share a directory.
func (o *compareOptions) setShard(log io.Writer) error {
	if o.part.from == "" {
		var err error
		if o.part, err = slurmShard(os.Getenv); err != nil {
			return err
		}
	}
	if o.part.from == "" || o.part.count == 1 {
		return nil
	}
	if o.out == "" {
		return usagef("shard %s of the runs (from %s): the processes share one directory, so name it with --out; or give --shard 0/1 for a comparison of this process alone", o.part.String(), o.part.from)
	}
	if o.part.from != "--shard" {
		fmt.Fprintf(log, "shard %s of the runs, from %s; --shard 0/1 does all of them\n", o.part.String(), o.part.from)
	}
	return nil
}

// mine returns the runs of this process's shard. The order of the variants is rotated from seed to seed, so that no shard
// gets the same variant with every seed, whose runs may all take long.
func (p *plan) mine() []*cell {
	var mine []*cell
	for k, c := range p.cells {
		if (k+k/len(p.variants))%p.o.part.count == p.o.part.index {
			mine = append(mine, c)
		}
	}
	return mine
}

const (
	waitEvery   = 2 * time.Second        // time between two checks of the runs of other processes
	tablesEvery = 200 * time.Millisecond // time between two attempts to lock the comparison's own files
)

// waitForAll does the runs that no process is working on, and waits for the runs of other processes, until none is left.
func (p *plan) waitForAll(ctx context.Context, log io.Writer) {
	told := ""
	for ctx.Err() == nil {
		var left []*cell
		for _, c := range p.cells {
			if c.stage != done && (c.failed == "" || c.busy) {
				left = append(left, c)
			}
		}
		if len(left) == 0 {
			return
		}
		busy, finished := 0, 0
		for _, c := range left {
			if err := c.run(ctx, log, func() { p.say(log, "== %s, seed %d, which no process is doing", c.variant.name, c.seed) }); err != nil && ctx.Err() == nil {
				c.failed = err.Error()
				if !c.busy {
					fmt.Fprintf(log, "%s, seed %d: %s\n", c.variant.name, c.seed, c.failed)
				}
			}
			if c.busy {
				busy++
			}
			if c.stage == done {
				finished++
			}
		}
		if finished > 0 {
			p.refresh(ctx, log)
		}
		if busy == 0 {
			continue
		}
		if now := fmt.Sprintf("waiting for %d runs that other processes are doing", busy); now != told {
			p.say(log, "%s", now)
			told = now
		}
		pause(ctx, waitEvery)
	}
}

// pause waits for the duration d. It returns the cause if the context ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
