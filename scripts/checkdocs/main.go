// Checkdocs runs the commands on the pages of the documentation according to their marks (package docblock).
// scripts/check_docs.sh starts it.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"feddag/internal/docblock"
)

func main() {
	c := checker{out: os.Stdout}
	flag.StringVar(&c.program, "program", "feddag", "the program that the pages call feddag")
	flag.BoolVar(&c.synthetic, "synthetic", false, "a small synthetic set in the place of Fashion-MNIST, as where there is none")
	flag.DurationVar(&c.limit, "limit", 30*time.Minute, "longest time of a block")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // so that the scratch folders are removed
	defer stop()
	if err := c.pages(ctx, flag.Args()); err != nil {
		fmt.Fprintf(os.Stderr, "check_docs: %v\n", err)
		os.Exit(1)
	}
}

// checker runs pages. It must be started in the root of the checkout.
type checker struct {
	program   string
	synthetic bool
	limit     time.Duration
	out       io.Writer

	root                 string
	ran, skipped, failed int
}

func (c *checker) pages(ctx context.Context, pages []string) (err error) {
	if c.root, err = os.Getwd(); err != nil {
		return err
	}
	if c.program, err = filepath.Abs(c.program); err != nil {
		return err
	}
	if len(pages) == 0 {
		if pages, err = docblock.Pages(c.root); err != nil {
			return err
		}
	}
	if !c.synthetic && exec.Command(c.program, "data", "info", "fashion-mnist").Run() != nil {
		fmt.Fprintln(c.out, "Fashion-MNIST is not found: a small synthetic set takes its place")
		c.synthetic = true
	}
	for _, page := range pages {
		if err := c.page(ctx, page); err != nil {
			return fmt.Errorf("%s: %w", page, err)
		}
	}
	fmt.Fprintf(c.out, "%d blocks ran, %d were skipped, %d failed\n", c.ran, c.skipped, c.failed)
	if c.failed > 0 {
		return fmt.Errorf("%d blocks failed", c.failed)
	}
	return nil
}

// page runs the blocks of a page in a separate folder. A block that fails ends the page, because later blocks may need its
// files.
func (c *checker) page(ctx context.Context, page string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	blocks, err := docblock.Parse(string(text))
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "feddag-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := c.furnish(dir); err != nil {
		return err
	}
	var printed strings.Builder // output since the last output block
	for _, b := range blocks {
		where := fmt.Sprintf("%s:%d", page, b.Line)
		reason := b.Mark.Reason
		switch b.Mark.Kind {
		case docblock.Output:
			if reason != "" || printed.Len() == 0 { // the commands before the output block were skipped
				continue
			}
			if missing := docblock.Missing(printed.String(), b.Code); missing != "" {
				c.failed++
				fmt.Fprintf(c.out, "FAIL %s: the commands before it do not print\n%sThey print\n%s", where, tail(missing), tail(printed.String()))
			}
			printed.Reset()
			continue
		case docblock.Run, docblock.SetUp:
			if reason = missingNeed(b.Mark.Needs); reason == "" {
				break
			}
			fallthrough
		case docblock.NotRun:
			c.skipped++
			fmt.Fprintf(c.out, "skip %s: %s\n", where, reason)
			continue
		default:
			continue
		}
		began := time.Now()
		output, failure := c.run(ctx, dir, b)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		printed.WriteString(output)
		if failure != nil {
			c.failed++
			fmt.Fprintf(c.out, "FAIL %s\n%s", failure.at(page), tail(output))
			return nil
		}
		c.ran++
		fmt.Fprintf(c.out, "ok   %s: %.1f s\n", where, time.Since(began).Seconds())
	}
	return nil
}

// furnish puts copies of docs and benchmarks, and the program, into the folder of a page.
func (c *checker) furnish(dir string) error {
	for _, name := range []string{"docs", "benchmarks"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(c.root, name))); err != nil {
			return err
		}
	}
	// The flags of "with" are passed to the commands that compute, not to those that continue or read a run.
	wrapper := fmt.Sprintf(`#!/bin/bash
case " $* " in
*" --resume "* | *" --resume="* | *" --read "*) ;;
" train "* | " compare "* | " cluster "* | " bench "*) set -- "$@" $CHECK_DOCS_WITH ;;
esac
exec '%s' "$@"
`, strings.ReplaceAll(c.program, "'", `'\''`))
	if err := os.WriteFile(filepath.Join(dir, "feddag"), []byte(wrapper), 0o777); err != nil {
		return err
	}
	if c.synthetic {
		return writeFashion(filepath.Join(dir, "data", "fashion-mnist"))
	}
	return nil
}

// failure is a command that failed.
type failure struct {
	line    int
	command string
	err     error
}

func (f *failure) at(page string) string {
	return fmt.Sprintf("%s:%d: %v\n    %s\nThe last lines of what it printed:\n", page, f.line, f.err, f.command)
}

// run runs a block with bash, or with python3 if it is in Python, and returns its output.
func (c *checker) run(ctx context.Context, dir string, b docblock.Block) (output string, failed *failure) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	// Empty lines before the block make its line numbers the same as on the page.
	script := strings.Repeat("\n", b.Line-1) + strings.Join(b.Code, "\n") + "\n"
	place, file := filepath.Join(dir, ".failed"), filepath.Join(dir, ".block")
	cmd := exec.CommandContext(ctx, "python3", file)
	if b.Language != "python" {
		trap := fmt.Sprintf(`set -eEo pipefail; trap 'echo "$LINENO $BASH_COMMAND" >>"%s"' ERR`, place)
		cmd, script = exec.CommandContext(ctx, "bash", file), trap+script
	}
	if err := os.WriteFile(file, []byte(script), 0o666); err != nil {
		return "", &failure{b.Line, b.Code[0], err}
	}
	var printed bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &printed, &printed
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "CHECK_DOCS_WITH="+b.Mark.With)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return "", &failure{b.Line, b.Code[0], err}
	}
	if b.Mark.Interrupt > 0 {
		stop := time.AfterFunc(b.Mark.Interrupt, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) })
		defer stop.Stop()
	}
	err := cmd.Wait()
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %v", c.limit)
	} else if interrupted(err, b.Mark.Interrupt > 0) {
		err = nil
	}
	if err == nil {
		return printed.String(), nil
	}
	f := &failure{b.Line, b.Code[0], err}
	if at, readErr := os.ReadFile(place); readErr == nil {
		if first, _, _ := strings.Cut(string(at), "\n"); first != "" {
			fmt.Sscan(first, &f.line)
			_, f.command, _ = strings.Cut(first, " ")
		}
	}
	return printed.String(), f
}

// interrupted reports whether commands ended because they were meant to be interrupted.
func interrupted(err error, meant bool) bool {
	var exit *exec.ExitError
	if !meant || !errors.As(err, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return exit.ExitCode() == 130 || ok && status.Signaled() && status.Signal() == syscall.SIGINT
}

// missingNeed returns the reason why a block cannot run on this machine, or "" if it can.
func missingNeed(needs []string) string {
	for _, need := range needs {
		if module, ok := strings.CutPrefix(need, "python:"); ok {
			if exec.Command("python3", "-c", "import "+module).Run() != nil {
				return "python3 does not find the package " + module
			}
		} else if _, err := exec.LookPath(need); err != nil {
			return need + " is not installed"
		}
	}
	return ""
}

// tailLines is the number of lines of an output that a report shows. A launcher such as torchrun prints about twenty lines of
// its own after the error of the program that it started.
const tailLines = 40

// tail returns the last lines of a text, indented.
func tail(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > tailLines {
		lines = lines[len(lines)-tailLines:]
	}
	return "    " + strings.Join(lines, "\n    ") + "\n"
}
