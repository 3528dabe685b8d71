package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"feddag/internal/numfmt"
	"feddag/report"

	"github.com/spf13/pflag"
)

func init() {
	register("reproduce", "repeat a run and compare every byte, or run a table of the paper", reproduce)
	pages["reproduce"] = func() page {
		return page{intro: reproduceIntro, groups: []group{{title: "For a run", flags: newReproduceOptions().flags}, {title: "For a table", flags: newTableOptions().flags}}}
	}
}

const reproduceIntro = `Repeats a run from its config.yaml in a new directory and says whether every byte agrees: models, metrics (except for the
times), clients, clusters, partition. Exit code 0 if all agree, 1 if a file differs. The last line on standard output is the
result as one JSON object.

With --table it runs the settings of a table of the paper (feddag presets), algorithm by algorithm and seed by seed, and prints
the numbers of the paper beside ours. Give the same command again to continue. All other flags are those of feddag compare, and
apply to every run.

Usage: feddag reproduce RUN [--out DIR]
       feddag reproduce --table NUMBER --dataset NAME [--rounds T] [--seeds NUMBERS] [flags of compare]
`

// reproduceOptions are the flags of the repetition of a run.
type reproduceOptions struct {
	out, dataDir string
	workers      int
	quiet        bool

	flags *pflag.FlagSet
}

func newReproduceOptions() *reproduceOptions {
	o := &reproduceOptions{flags: newFlagSet()}
	o.flags.StringVar(&o.out, "out", "", "directory to write the repetition to (default runs/reproduced-RUN-TIME)")
	o.flags.StringVar(&o.dataDir, "data-dir", "", "folder in which to look for the data set first (default: where the run looked)")
	o.flags.IntVar(&o.workers, "workers", 0, "number of clients trained at the same time; no result depends on it; 0 for as many as the run had")
	o.flags.BoolVar(&o.quiet, "quiet", false, "print no progress on standard error")
	return o
}

func reproduce(ctx context.Context, args []string, out, log io.Writer) error {
	if table, err := scan(args, "table"); err != nil {
		return err
	} else if table != "" {
		return reproduceTable(ctx, args, out, log)
	}
	o := newReproduceOptions()
	switch err := parseFlags(o.flags, args); {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprintf(out, "%s\nFlags for a run:\n%s\nFlags for a table:\n%s", reproduceIntro, flagUsages(o.flags), flagUsages(newTableOptions().flags))
		return nil
	case err != nil:
		return flagError(err, "reproduce", o.flags)
	case o.flags.NArg() != 1:
		return usagef("reproduce takes the directory of one run, or --table and --dataset; got %d directories", o.flags.NArg())
	}
	return o.repeat(ctx, o.flags.Arg(0), out, log)
}

// repeat runs the training of a run directory again and compares.
func (o *reproduceOptions) repeat(ctx context.Context, path string, out, log io.Writer) error {
	first, err := report.Look(path)
	if err != nil {
		return usageError{err}
	}
	x, err := o.optionsOf(first)
	if err != nil {
		return err
	}
	if err := x.train(ctx, io.Discard, log); err != nil {
		if ctx.Err() != nil && x.out != "" {
			fmt.Fprintf(log, "interrupted; the repetition is in %s, and the same command begins again\n", x.out)
		}
		return err
	}
	second, err := report.Look(x.out)
	if err != nil {
		return err
	}
	files, err := report.CompareRuns(first, second)
	if err != nil {
		return err
	}
	return o.say(first, second, files, out)
}

// optionsOf returns the options for repeating a run: the flags in its config.yaml, and for flags that its version did not
// have, the values that correspond to that version.
func (o *reproduceOptions) optionsOf(first *report.Dir) (*options, error) {
	saved, err := first.ReadConfig()
	if err != nil {
		return nil, err
	}
	summary, err := first.ReadSummary()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usagef("%s is not finished: it has no %s; finish it with feddag train --resume %s", first.Path(), report.SummaryFile, first.Path())
	} else if err != nil {
		return nil, err
	}
	if summary.Rounds == 0 {
		return nil, usagef("%s has no rounds: it is not a run of feddag train", first.Path())
	}
	x, err := newOptions(saved["algorithm"])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", first.Path(report.ConfigFile), err)
	}
	if err := x.take(first.Path(), saved); err != nil {
		return nil, err
	}
	x.recorded, x.quiet, x.run.Rounds = true, o.quiet, summary.Rounds
	for flag, name := range inputCopies {
		f := x.flags.Lookup(flag)
		if f.Value.String() == "" {
			continue
		}
		if err := f.Value.Set(first.Path(name)); err != nil {
			return nil, err
		}
	}
	if o.dataDir != "" {
		x.dataDir = o.dataDir
	}
	switch {
	case o.workers < 0:
		return nil, usagef("--workers is %d: use 1 or more, or 0 for as many as the run had", o.workers)
	case o.workers > 0:
		x.workers = o.workers
	}
	if x.out = o.out; x.out == "" {
		x.out = fmt.Sprintf("runs/reproduced-%s-%s", filepath.Base(filepath.Clean(first.Path())), time.Now().Format(nameTime))
	}
	return x, x.check()
}

// reproduced is the result of the repetition, printed as the last line on standard output.
type reproduced struct {
	Run     string   `json:"run"`
	Copy    string   `json:"copy"`
	Same    bool     `json:"same"`
	Files   int      `json:"files"`
	Differ  []string `json:"differ"`
	Changes []string `json:"changes,omitempty"` // changes in what the bits of the results depend on
}

// say prints which files agree, and returns an error if one does not.
func (o *reproduceOptions) say(first, second *report.Dir, files []report.FileAgreement, out io.Writer) error {
	r := reproduced{Run: first.Path(), Copy: second.Path(), Files: len(files), Differ: []string{}}
	for _, f := range files {
		if f.Difference != "" {
			r.Differ = append(r.Differ, f.Name)
			fmt.Fprintf(out, "differs  %s: %s\n", f.Name, f.Difference)
		}
	}
	var was, is report.Env
	if first.ReadJSON(report.EnvFile, &was) == nil && second.ReadJSON(report.EnvFile, &is) == nil {
		if r.Changes = was.Changes(is); was.Feddag != is.Feddag {
			r.Changes = append(r.Changes, fmt.Sprintf("feddag %s, was %s", is.Feddag, was.Feddag))
		}
	}
	if r.Same = len(r.Differ) == 0; r.Same {
		fmt.Fprintf(out, "every byte agrees: %s of %s and %s\n", numfmt.Count(len(files), "file"), r.Run, r.Copy)
	} else {
		fmt.Fprintf(out, "%d of %s differ between %s and %s\n", len(r.Differ), numfmt.Count(len(files), "file"), r.Run, r.Copy)
		if len(r.Changes) > 0 {
			fmt.Fprintf(out, "the bits of a result depend on these, which have changed: %s\n", strings.Join(r.Changes, "; "))
		}
	}
	line, err := report.Marshal(r)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "%s\n", line); err != nil {
		return err
	}
	if !r.Same {
		return errReported
	}
	return nil
}

// without returns the arguments without the given flags and their values.
func without(args []string, flags ...string) (rest []string) {
	for i := 0; i < len(args); i++ {
		name, _, equals := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		if !strings.HasPrefix(args[i], "--") || !slices.Contains(flags, name) {
			rest = append(rest, args[i])
		} else if !equals {
			i++ // skip the value of the flag
		}
	}
	return rest
}
