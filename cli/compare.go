package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"feddag/federation"
	"feddag/report"

	"github.com/spf13/pflag"
)

func init() {
	register("compare", "run several algorithms and seeds on one partition, and write tables and curves", compare)
}

const compareIntro = `Runs, or reads, several algorithms with several seeds on one partition, and writes tables (CSV, Markdown, LaTeX, HTML,
JSON) and curves (--plots). The last line on standard output is the comparison as one JSON object.

Usage: feddag compare --algorithms NAMES --seeds NUMBERS [--out DIR] [flags of train]
       feddag compare --read RUN_OR_ARCHIVE_OR_DIRECTORY...

The runs of a seed have the same partition and initial weights, and the same cohorts, unless a method chooses its clients
itself. Each run has its own directory below --out. Give the same command again to continue: finished runs stay, interrupted
runs continue, and runs with fewer rounds are extended. Several processes, on one machine or on many that share the directory,
may work on one comparison. Each does the runs that no other process works on, or its --shard of them. A run that fails does
not stop the others. --keep collects results of several machines in a directory or, if its name ends in .zip, in an archive.
It leaves out models and checkpoints, so a run that was kept cannot be extended.

Flags of train apply to all runs, and flags of an algorithm to the runs of the algorithms that have them. --with adds a variant:

    feddag compare --algorithms feddag,fedavg --seeds 1,2,3 --rounds 30 \
        --with 'feddag: --feddag-encoders 2' --with 'fedavg as slow FedAvg: --lr 0.001'
`

// compareOptions are the flags of compare itself.
type compareOptions struct {
	algorithms []string
	except     []string
	with       []string
	seeds      []string
	read       bool
	reference  string
	confidence float64
	// uncorrected disables the correction of the tables' intervals for multiple comparisons.
	uncorrected bool
	targets     []float64
	beside      string
	out         string
	keep        string
	plots       plotFormats
	part        shard
	wait        bool
	rounds      int  // --read: number of rounds to compare after
	differ      bool // --read: compare each algorithm after all of its rounds
	quiet       bool

	flags *pflag.FlagSet
}

func newCompareOptions() *compareOptions {
	o := &compareOptions{flags: newFlagSet()}
	f := o.flags
	f.StringSliceVar(&o.algorithms, "algorithms", nil, "names of the algorithms, separated by commas, or all; with --read, the names to show, in this order (default: all that were read, the most accurate first)")
	f.StringSliceVar(&o.except, "except", nil, "names of algorithms to leave out, separated by commas")
	f.StringArrayVar(&o.with, "with", nil, "variant of an algorithm with flags of its own, as 'ALGORITHM: FLAGS' or 'ALGORITHM as NAME: FLAGS'; may be repeated")
	f.StringSliceVar(&o.seeds, "seeds", nil, "random seeds, separated by commas (default 1,2,3; with --read, all seeds that were read)")
	f.BoolVar(&o.read, "read", false, "train nothing, but read the given runs, the runs in the given archives (.zip), or all runs and archives in the given directories")
	f.StringVar(&o.reference, "reference", "", "name of the algorithm with which the others are compared in pairs (default: feddag if it is among them, else the first)")
	f.Float64Var(&o.confidence, "confidence", 0.95, "confidence of the intervals of paired differences, between 0 and 1")
	f.BoolVar(&o.uncorrected, "uncorrected", false, "apply --confidence to each interval of a table separately, instead of to all intervals together (Holm's method)")
	f.Float64SliceVar(&o.targets, "target", nil, "accuracy before local training, in percent; a table says how many rounds, how much traffic and how much time each algorithm needs to reach it; several are separated by commas (default: the accuracy that the reference reaches)")
	f.StringVar(&o.beside, "beside", "", "CSV file of results that others report, which the table shows beside the results of the runs; its columns are algorithm, mean, std and source, and columns that are named like flags and say which setting a row belongs to")
	f.StringVar(&o.out, "out", "", "directory to write the comparison to (default runs/compare-DATASET-TIME; with --read DIR or --read DIR.zip: DIR)")
	f.StringVar(&o.keep, "keep", "", "directory or .zip file to copy the small files of every finished run to; --read makes the tables and curves again from these files")
	o.plots.flags(f)
	f.Var(&o.part, "shard", "part of the runs to do, as i/n: the i-th of n parts, with i from 0 to n-1 (default: the part of this task in a Slurm array, or else 0/1, all runs)")
	f.BoolVar(&o.wait, "wait", false, "after its own runs, take over runs that no process works on, and wait until all runs of the comparison are finished")
	f.IntVar(&o.rounds, "rounds", 0, "with --read: compare after this number of rounds (default: all rounds)")
	f.BoolVar(&o.differ, "different-rounds", false, "with --read: compare each algorithm after all of its rounds, although the numbers differ; for algorithms that train on equal numbers of samples in different numbers of rounds")
	return o
}

func (o *compareOptions) usage(out io.Writer) {
	fmt.Fprintf(out, "%s\nFlags:\n%s\nAlso the flags of train (feddag train --help), except --algorithm, --seed, --label, --resume, --early-stopping, --dry-run\n"+
		"and --distributed.\n", compareIntro, flagUsages(o.flags))
}

func compare(ctx context.Context, args []string, out, log io.Writer) error {
	o := newCompareOptions()
	if slices.ContainsFunc(args, asksToRead) {
		return o.readOnly(args, out, log)
	}
	shared, err := o.parse(args)
	if errors.Is(err, pflag.ErrHelp) {
		o.usage(out)
		return nil
	}
	if err != nil {
		return err
	}
	if o.differ {
		return usagef("--different-rounds needs --read; to train algorithms for different numbers of rounds, use --with 'ALGORITHM: --rounds N'")
	}
	if err := o.setShard(log); err != nil {
		return err
	}
	p, err := o.plan(shared)
	if err != nil {
		return err
	}
	if err := p.checkMoved(ctx, log); err != nil {
		return err
	}
	if err := p.run(ctx, log); err != nil {
		return err
	}
	return p.finish(ctx, out, log)
}

// asksToRead reports whether an argument is --read with a true value.
func asksToRead(arg string) bool {
	value, given := strings.CutPrefix(arg, "--read=")
	yes, _ := strconv.ParseBool(value) // another value is an error of the flags
	return arg == "--read" || given && yes
}

// readOnly compares existing runs.
func (o *compareOptions) readOnly(args []string, out, log io.Writer) error {
	o.flags.BoolVar(&o.quiet, "quiet", false, "print no notes on standard error")
	if err := parseFlags(o.flags, args); errors.Is(err, pflag.ErrHelp) {
		o.usage(out)
		return nil
	} else if err != nil {
		return o.explain(err, o.flags)
	}
	if err := o.check(); err != nil {
		return err
	}
	switch {
	case o.flags.NArg() == 0:
		return usagef("--read needs runs, archives of runs, or directories that hold some")
	case len(o.with) > 0:
		return usagef("--with runs a variant; with --read there is nothing to run")
	case o.rounds < 0:
		return usagef("--rounds is %d: use 1 or more", o.rounds)
	case o.rounds > 0 && o.differ:
		return usagef("--different-rounds compares each algorithm after all of its rounds: leave it or --rounds out")
	}
	dirs := o.flags.Args()
	done := waiting(log, o.quiet, "reading the runs")
	runs, err := readRuns(dirs)
	done()
	if err != nil {
		return err
	}
	if runs, err = o.choose(runs); err != nil {
		return err
	}
	for i := range runs {
		runs[i].after = o.rounds
	}
	c, err := o.assemble(runs, o.differ, log)
	if err != nil {
		return err
	}
	if len(o.algorithms) == 0 {
		c = c.Ranked()
	}
	if o.out == "" {
		if len(dirs) == 1 && !report.IsRun(dirs[0]) {
			o.out = strings.TrimSuffix(dirs[0], report.ArchiveSuffix)
		}
	}
	if !o.quiet {
		for _, m := range c.Missing {
			fmt.Fprintf(log, "not in the tables: %s, seed %d: %s\n", m.Name, m.Seed, m.Why)
		}
	}
	dir, err := o.makeOut(c.Dataset)
	if err != nil {
		return err
	}
	return o.write(dir, c, runs, out, log)
}

// makeOut makes the directory of the comparison: --out, which may exist, or a new one with a unique name.
func (o *compareOptions) makeOut(dataset string) (dir *report.Dir, err error) {
	if o.out != "" {
		return report.Make(o.out)
	}
	if dir, err = report.MakeNew(fmt.Sprintf("runs/compare-%s-%s", dataset, time.Now().Format(nameTime)), nameSuffix()); err == nil {
		o.out = dir.Path()
	}
	return dir, err
}

// given is a flag of train that was given to compare.
type given struct{ name, value string }

// parse splits the command line into compare's own flags, which it sets, and the flags of train, which it returns.
func (o *compareOptions) parse(args []string) (shared []given, err error) {
	own := map[string]bool{"help": true}
	o.flags.VisitAll(func(f *pflag.Flag) { own[f.Name] = f.Name != "rounds" }) // without --read, --rounds is a flag of train
	all := newFlagSet()
	o.flags.VisitAll(func(f *pflag.Flag) {
		if own[f.Name] {
			all.AddFlag(f)
		}
	})
	for _, algorithm := range federation.Names() {
		x, err := newOptions(algorithm)
		if err != nil {
			return nil, err
		}
		x.flags.VisitAll(func(f *pflag.Flag) {
			if all.Lookup(f.Name) == nil && instead[f.Name] == "" {
				all.AddFlag(f)
			}
		})
	}
	err = all.ParseAll(args, func(f *pflag.Flag, value string) error {
		if own[f.Name] {
			f.Changed = true
			if err := f.Value.Set(value); err != nil {
				return fmt.Errorf("invalid argument %q for \"--%s\" flag: %w", value, f.Name, err)
			}
			return nil
		}
		shared = append(shared, given{f.Name, value})
		return nil
	})
	if errors.Is(err, pflag.ErrHelp) {
		return nil, err
	}
	if err != nil {
		return nil, o.explain(err, all)
	}
	if all.NArg() > 0 {
		return nil, usagef("unexpected argument %q; flags start with --, directories go with --read", all.Arg(0))
	}
	return shared, o.check()
}

// instead says what to use in place of the flags that compare sets itself.
var instead = map[string]string{
	"algorithm":      "use --algorithms",
	"seed":           "use --seeds",
	"label":          "name a variant with --with 'ALGORITHM as NAME: FLAGS'",
	"early-stopping": "a comparison has runs of the same number of rounds, --rounds",
	"resume":         "the same command again continues a comparison",
}

// explain turns an error in the flags into a helpful message.
func (o *compareOptions) explain(err error, known *pflag.FlagSet) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError{err}
	}
	name := unknown.GetSpecifiedName()
	if hint := instead[flagName(name)]; hint != "" {
		return usagef("compare has no --%s: %s", name, hint)
	}
	help := "feddag compare --help"
	if o.read {
		help += "; with --read nothing is trained"
	}
	return unknownFlag(name, help, known)
}

// check finds mistakes in compare's own flags.
func (o *compareOptions) check() error {
	if !(o.confidence > 0 && o.confidence < 1) {
		return usagef("--confidence is %g: use a number between 0 and 1", o.confidence)
	}
	for _, t := range o.targets {
		if !(t > 0 && t <= 100) {
			return usagef("--target is %g: use percent, above 0, at most 100", t)
		}
	}
	var seen []string
	for i, s := range o.seeds {
		s = strings.TrimSpace(s)
		seed, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			return usagef("--seeds: %q is not a whole number of 0 or more", s)
		}
		if s = strconv.FormatUint(seed, 10); slices.Contains(seen, s) {
			return usagef("--seeds: %s is given twice", s)
		}
		seen = append(seen, s)
		o.seeds[i] = s
	}
	for _, list := range [][]string{o.algorithms, o.except} {
		for i := range list {
			list[i] = strings.TrimSpace(list[i])
		}
	}
	return nil
}

// write writes a comparison to its directory and prints it.
func (o *compareOptions) write(dir *report.Dir, c *report.Comparison, runs []keptRun, out, log io.Writer) error {
	if o.keep != "" {
		if err := keep(runs, o.keep); err != nil {
			return err
		}
	}
	if err := link(dir, c); err != nil {
		return err
	}
	done := waiting(log, o.quiet, "writing tables and curves")
	err := dir.WriteComparison(c, o.plots)
	done()
	if err != nil {
		return err
	}
	line, err := report.Marshal(c.Summary())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\npage: %s\n%s\n", c.Text(), dir.Path(report.CompareHTML), line)
	return err
}
