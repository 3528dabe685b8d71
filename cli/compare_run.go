package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"feddag/internal/lockfile"
	"feddag/report"
)

// cellCommand is the command that a comparison runs for each of its runs. The help does not list it.
const cellCommand = "cell"

func init() { register(cellCommand, "", runCell) }

// inheritedLock is the file descriptor of the run directory's lock in the process of a run: the first descriptor after
// standard error.
const inheritedLock = 3

// runCell implements the process of one run of a comparison. It trains without printing results; if it fails, it prints the
// reason on standard output.
func runCell(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parse(args)
	if err == nil {
		o.locked = os.NewFile(inheritedLock, "lock") // the lock of the comparison, which holds it
		err = o.train(ctx, io.Discard, log)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(out, err)
		return errReported
	}
	return err
}

// run does the unfinished runs of this process's shard. A run that fails is recorded and does not stop the others. With
// --wait it then takes over runs that no other process works on, until every run of the comparison is finished or has failed.
func (p *plan) run(ctx context.Context, log io.Writer) error {
	mine := p.mine()
	finished := 0
	for _, c := range mine {
		if c.stage == done {
			finished++
		}
	}
	p.say(log, "%d runs in %s, %d of them finished", len(mine), p.o.out, finished)
	p.try(ctx, log, mine)
	if p.o.wait {
		p.waitForAll(ctx, log)
	}
	if ctx.Err() != nil {
		fmt.Fprintf(log, "interrupted; the same command continues\n")
		return ctx.Err()
	}
	return nil
}

// try does the unfinished ones of the given runs, one after another.
func (p *plan) try(ctx context.Context, log io.Writer, cells []*cell) {
	for i, c := range cells {
		if ctx.Err() != nil {
			return
		}
		if c.stage == done {
			continue
		}
		err := c.run(ctx, log, func() { p.say(log, "== %s, seed %d (%d of %d)", c.variant.name, c.seed, i+1, len(cells)) })
		if err != nil {
			if ctx.Err() == nil {
				c.failed = err.Error()
				fmt.Fprintf(log, "%s, seed %d: %s\n", c.variant.name, c.seed, c.failed)
			}
			continue
		}
		p.refresh(ctx, log)
	}
}

func (p *plan) say(log io.Writer, format string, a ...any) {
	if !p.o.quiet {
		fmt.Fprintf(log, format+"\n", a...)
	}
}

// run trains in a separate process, so that a crash does not stop the other runs and peak memory is measured per run. The
// process has its own process group, so that an interrupt from the keyboard reaches it only once, through this process, and
// it dies with this process. A run that another process has finished meanwhile is left as it is. begins is called before the
// training begins.
func (c *cell) run(ctx context.Context, log io.Writer, begins func()) error {
	c.failed, c.busy = "", false
	if err := os.MkdirAll(c.dir, 0o777); err != nil {
		return err
	}
	lock, err := report.LockDir(ctx, c.dir, log)
	if err != nil {
		var held *lockfile.HeldError
		c.busy = errors.As(err, &held)
		return err
	}
	defer lock.Release()
	if err := c.look(); err != nil || c.stage == done {
		return err
	}
	begins()
	runtime.LockOSThread() // Pdeathsig refers to the thread that starts the process
	defer runtime.UnlockOSThread()
	// Unlike os.Executable, this starts the same program even if its file has been rebuilt meanwhile.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{cellCommand}, c.args()...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, log
	cmd.Env = independent(os.Environ())
	cmd.ExtraFiles = []*os.File{lock.File()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	if text := strings.TrimSpace(said.String()); err != nil && text != "" {
		return errors.New(text)
	}
	if err != nil {
		return fmt.Errorf("its process ended with %w", err)
	}
	c.stage = done
	return nil
}

// launcherVariables are the environment variables by which launchers such as torchrun tell a process that it is one rank of
// many. The processes of a comparison are independent of each other, so these variables are removed for its runs. The local
// rank stays because it selects the GPU.
var launcherVariables = []string{"RANK", "WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE", "ROLE_RANK", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}

// independent returns the environment without the variables of launchers.
func independent(environment []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(launcherVariables, name) || strings.HasPrefix(name, "TORCHELASTIC_")
	})
}

// comparison reads the finished runs and compares them.
func (p *plan) comparison(log io.Writer) (*report.Comparison, []keptRun, error) {
	var runs []keptRun
	for _, c := range p.cells {
		r, err := c.read()
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, r)
	}
	c, err := p.o.assemble(runs, true, log)
	return c, runs, err
}

// read reads a run, which may be finished, unfinished, or missing.
func (c *cell) read() (keptRun, error) {
	r := keptRun{dir: c.dir, name: c.variant.name, algorithm: c.variant.algorithm, seed: int64(c.seed)}
	var err error
	if report.IsRun(c.dir) {
		var dir *report.Dir
		if dir, err = report.Look(c.dir); err == nil {
			r, err = readRun(dir)
		}
		r.name = c.variant.name
	} else {
		r.why = "not begun"
	}
	r.after = c.options.run.Rounds
	if r.why == "" && c.failed != "" && r.summary.Rounds < r.after {
		r.why = "it has fewer rounds"
	}
	if r.why != "" && c.failed != "" {
		r.why = firstLine(c.failed)
	}
	return r, err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// refresh updates the tables and curves after a run, if there is something to show yet. It does nothing while another process
// is writing them.
func (p *plan) refresh(ctx context.Context, log io.Writer) {
	lock, err := report.LockDir(ctx, p.out.Path(), io.Discard)
	if err != nil {
		var held *lockfile.HeldError
		if !errors.As(err, &held) {
			p.say(log, "tables so far: %v", err)
		}
		return
	}
	defer lock.Release()
	c, runs, err := p.comparison(io.Discard)
	if err == nil {
		if err = link(p.out, c); err == nil {
			err = p.out.WriteComparison(c, p.o.plots)
		}
	}
	if err == nil && p.o.keep != "" {
		err = keep(runs, p.o.keep)
	}
	if err != nil {
		p.say(log, "tables so far: %v", err)
	}
}

// finish writes and prints the comparison, and returns an error if a run failed. Several processes of one comparison write it
// one after another.
func (p *plan) finish(ctx context.Context, out, log io.Writer) error {
	if len(p.mine()) == 0 && !p.o.wait {
		p.say(log, "shard %s of the comparison has no run: there are %d runs", p.o.part.String(), len(p.cells))
		return nil
	}
	lock, err := p.lockTables(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	c, runs, err := p.comparison(log)
	if err == nil {
		err = p.o.write(p.out, c, runs, out, log)
	}
	if failed := p.failures(log); failed {
		if err != nil {
			fmt.Fprintf(log, "feddag: %v\n", err)
		}
		return errReported
	}
	return err
}

// lockTables waits for the lock of the comparison's own files.
func (p *plan) lockTables(ctx context.Context) (*lockfile.Lock, error) {
	for {
		lock, err := report.LockDir(ctx, p.out.Path(), io.Discard)
		var held *lockfile.HeldError
		if !errors.As(err, &held) {
			return lock, err
		}
		if err := pause(ctx, tablesEvery); err != nil {
			return nil, err
		}
	}
}

// failures lists the runs that failed, grouped by reason, and reports whether there are any.
func (p *plan) failures(log io.Writer) bool {
	var reasons []string
	by := map[string][]string{}
	failed := 0
	for _, c := range p.cells {
		if c.failed == "" {
			continue
		}
		if !c.busy {
			failed++
		}
		if by[c.failed] == nil {
			reasons = append(reasons, c.failed)
		}
		by[c.failed] = append(by[c.failed], fmt.Sprintf("%s, seed %d", c.variant.name, c.seed))
	}
	for _, reason := range slices.Clone(reasons) {
		fmt.Fprintf(log, "not finished: %s: %s\n", strings.Join(by[reason], "; "), reason)
	}
	if failed > 0 {
		fmt.Fprintf(log, "%d of %d runs failed; the same command tries them again\n", failed, len(p.cells))
	}
	return failed > 0
}
