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

// inheritedLock is the descriptor of the run directory's lock in the process of a run: the first one after standard error.
const inheritedLock = 3

// runCell is the process of one run of a comparison: train without its results, and why it failed on standard output.
func runCell(ctx context.Context, args []string, out, log io.Writer) error {
	o, err := parse(args)
	if err == nil {
		o.locked = os.NewFile(inheritedLock, "lock") // of the comparison, which holds it
		err = o.train(ctx, io.Discard, log)
	}
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(out, err)
		return errReported
	}
	return err
}

// run does what is left to do. A run that fails is noted and does not stop the others.
func (p *plan) run(ctx context.Context, log io.Writer) error {
	finished := 0
	for _, c := range p.cells {
		if c.stage == done {
			finished++
		}
	}
	p.say(log, "%d runs in %s, %d of them finished", len(p.cells), p.o.out, finished)
	for i, c := range p.cells {
		if ctx.Err() != nil {
			break
		}
		if c.stage == done {
			continue
		}
		p.say(log, "== %s, seed %d (%d of %d)", c.variant.name, c.seed, i+1, len(p.cells))
		err := c.run(ctx, log)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			c.failed = err.Error()
			fmt.Fprintf(log, "%s, seed %d: %s\n", c.variant.name, c.seed, c.failed)
			continue
		}
		c.stage = done
		p.refresh(log)
	}
	if ctx.Err() != nil {
		fmt.Fprintf(log, "interrupted; the same command continues\n")
		return ctx.Err()
	}
	return nil
}

func (p *plan) say(log io.Writer, format string, a ...any) {
	if !p.o.quiet {
		fmt.Fprintf(log, format+"\n", a...)
	}
}

// run trains in a process of its own: whatever ends it, the others go on, and its peak memory is its own. The process
// has its own group, so that an interrupt from the keyboard reaches it once, through this one, and it dies with this
// one.
func (c *cell) run(ctx context.Context, log io.Writer) error {
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
	if c.stage == fresh && report.IsRun(c.dir) { // another process was at it since
		c.stage = begun
	}
	runtime.LockOSThread() // Pdeathsig is of the thread that starts the process
	defer runtime.UnlockOSThread()
	// Not os.Executable: this very program, even where the file has been built anew meanwhile.
	cmd := exec.CommandContext(ctx, "/proc/self/exe", append([]string{cellCommand}, c.args()...)...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, log
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
	return nil
}

// comparison reads the runs that are finished.
func (p *plan) comparison(log io.Writer) (*report.Comparison, []keptRun, error) {
	var runs []keptRun
	for _, c := range p.cells {
		r, err := c.read(p.rounds)
		if err != nil {
			return nil, nil, err
		}
		runs = append(runs, r)
	}
	c, err := p.o.assemble(runs, p.rounds, log)
	return c, runs, err
}

// read reads a run that may be finished, unfinished, or not there.
func (c *cell) read(rounds int) (keptRun, error) {
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
	if r.why == "" && c.failed != "" && r.summary.Rounds < rounds {
		r.why = "of fewer rounds"
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

// refresh brings tables and curves up to date after a run, as far as there is something to show.
func (p *plan) refresh(log io.Writer) {
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

// finish writes and prints the comparison, and fails if a run did.
func (p *plan) finish(out, log io.Writer) error {
	c, runs, err := p.comparison(log)
	if err == nil {
		err = p.o.write(p.out, c, runs, out)
	}
	if failed := p.failures(log); failed {
		if err != nil {
			fmt.Fprintf(log, "feddag: %v\n", err)
		}
		return errReported
	}
	return err
}

// failures lists the runs that failed, those of one reason together.
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
