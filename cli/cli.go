// Package cli is the command line: one file per command, flags, progress, exit codes. Results go to standard output,
// logs and progress bars to standard error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	_ "feddag/federation/algorithm/all" // registers the algorithms
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// commit is set by the linker: -X feddag/cli.commit=...
var commit string

// command is a subcommand of the program. The file that implements it also registers it.
type command struct {
	summary string
	run     func(ctx context.Context, args []string, out, log io.Writer) error
}

var commands = map[string]command{}

func register(name, summary string, run func(ctx context.Context, args []string, out, log io.Writer) error) {
	commands[name] = command{summary, run}
}

// usageError is a mistake on the command line: exit code 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, a ...any) error { return usageError{fmt.Errorf(format, a...)} }

// Main runs the program and returns its exit code.
func Main(args []string, out, log io.Writer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(log, "feddag: a bug, please report it: %v\n%s", p, debug.Stack())
			code = exitFailed
		}
	}()
	// The process of a run in a comparison may get signals from the batch system and from the comparison, which terminates it
	// when necessary.
	ctx, stop := withSignals(context.Background(), len(args) > 0 && args[0] == cellCommand)
	defer stop()

	results := &firstError{Writer: out}
	err := dispatch(ctx, args, results, log)
	if err == nil {
		err = results.err
	}
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		fmt.Fprintf(log, "feddag: %v\n", err)
		return exitUsage
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.Is(err, errReported):
		return exitFailed
	}
	fmt.Fprintf(log, "feddag: %v\n", err)
	return exitFailed
}

// firstError remembers the first error of a writer, such as that of a full disk. A command that only prints a text does not
// check each line.
type firstError struct {
	io.Writer
	err error
}

// Write implements io.Writer.
func (w *firstError) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if w.err == nil {
		w.err = err
	}
	return n, err
}

// errReported is the error of a command that has already printed the reason.
var errReported = errors.New("")

func dispatch(ctx context.Context, args []string, out, log io.Writer) error {
	if len(args) == 0 {
		help(log)
		return usagef("no command given")
	}
	switch args[0] {
	case "-h", "--help":
		args[0] = "help"
	case "-v", "--version":
		args[0] = "version"
	}
	c, ok := commands[args[0]]
	if !ok {
		return unknownCommand(args[0])
	}
	return c.run(ctx, args[1:], out, log)
}

func commandNames() []string {
	names := []string{}
	for name, c := range commands {
		if c.summary == "" { // internal command
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// help lists the commands.
func help(w io.Writer) {
	var b strings.Builder
	b.WriteString("Feddag trains clustered federated learning: FedDAG (ICLR 2026) and what it is compared with.\n\n")
	b.WriteString("Usage: feddag COMMAND [flags]\n\nCommands:\n")
	for _, name := range commandNames() {
		fmt.Fprintf(&b, "  %-10s %s\n", name, commands[name].summary)
	}
	b.WriteString("\n`feddag COMMAND --help` explains a command's flags.\n")
	b.WriteString("Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted (continue with --resume).\n")
	io.WriteString(w, b.String())
}

func init() {
	register("help", "show this list, or the help of a command: `help COMMAND`, `help train all`", func(ctx context.Context, args []string, out, log io.Writer) error {
		if len(args) == 0 || args[0] == "--help" || args[0] == "-h" || args[0] == "help" {
			help(out)
			return nil
		}
		rest := args[1:]
		if args[0] == "data" && len(rest) > 0 { // feddag help data fetch
			return dispatch(ctx, []string{"data", rest[0], "--help"}, out, log)
		}
		return dispatch(ctx, append([]string{args[0], "--help"}, rest...), out, log)
	})
}
