package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"

	"feddag/internal/spelling"
	"feddag/report"

	"github.com/spf13/pflag"
)

// keptRun is a run as its directory has it.
type keptRun struct {
	dir       string      // its path, of a run in an archive ARCHIVE/RUN
	files     *report.Dir // nil of a run that is not there
	name      string      // name of its variant
	algorithm string
	seed      int64
	config    map[string]string // every flag; those it does not have at their defaults
	summary   report.Summary
	rounds    []report.Round
	measured  int // clients that the accuracy at the end is over
	partition report.PartitionDigest
	scenario  string // its text; empty without
	why       string // it is in no table; empty for a finished run
}

// readRuns reads runs: directories, archives, and directories that hold some.
func readRuns(paths []string) ([]keptRun, error) {
	var dirs []*report.Dir
	for _, path := range paths {
		runs, err := report.Runs(path)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, runs...)
	}
	var runs []keptRun
	for _, dir := range dirs {
		r, err := readRun(dir)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, disambiguateNames(runs)
}

// readRun reads a run. One that is not finished has why set; what is there but damaged is an error.
func readRun(dir *report.Dir) (r keptRun, err error) {
	r.dir, r.files = dir.Path(), dir
	if r.config, err = dir.ReadConfig(); err != nil {
		return r, err
	}
	r.algorithm = r.config["algorithm"]
	r.name = r.label()
	if r.algorithm == "" {
		return r, fmt.Errorf("%s: it names no algorithm", dir.Path(report.ConfigFile))
	}
	if r.seed, err = strconv.ParseInt(r.config["seed"], 10, 64); err != nil {
		return r, fmt.Errorf("%s: seed %q is not a number", dir.Path(report.ConfigFile), r.config["seed"])
	}
	r.fillDefaults()
	if r.rounds, err = dir.ReadMetrics(); err != nil {
		return r, err
	}
	scenario, err := dir.ReadScenario()
	if err != nil {
		return r, err
	}
	if r.scenario, err = canonicalScenario(scenario); err != nil {
		return r, fmt.Errorf("%s: %w", dir.Path(report.ScenarioFile), err)
	}
	if r.partition, err = dir.ReadPartitionDigest(); err != nil {
		return r, err
	}
	switch r.summary, err = dir.ReadSummary(); {
	case errors.Is(err, fs.ErrNotExist):
		r.why = fmt.Sprintf("not finished: no %s, %d of %s rounds", report.SummaryFile, len(r.rounds), r.config["rounds"])
		return r, nil
	case err != nil:
		return r, err
	case r.summary.Rounds == 0:
		r.why = "it has no rounds"
		return r, nil
	case r.summary.Rounds < 0:
		return r, fmt.Errorf("%s says %d rounds", dir.Path(report.SummaryFile), r.summary.Rounds)
	case len(r.rounds) < r.summary.Rounds:
		return r, fmt.Errorf("%s says %d rounds, but %s has %d", dir.Path(report.SummaryFile), r.summary.Rounds, report.MetricsFile, len(r.rounds))
	}
	r.rounds = r.rounds[:r.summary.Rounds] // more where the run is being extended
	if r.measured, err = dir.CountClients(); r.summary.HeldOut != nil {
		r.measured -= r.summary.HeldOut.Clients // their scores stand apart
	}
	return r, err
}

// label is what the run calls itself.
func (r *keptRun) label() string {
	if label := r.config["label"]; label != "" {
		return label
	}
	return r.algorithm
}

// fillDefaults adds the flags that this program has and the one of the run did not have, or left out as they had no effect.
func (r *keptRun) fillDefaults() {
	o, err := newOptions(r.algorithm)
	if err != nil { // an algorithm of another program
		return
	}
	o.flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := r.config[f.Name]; !ok {
			r.config[f.Name] = earlierOf(f)
		}
	})
}

// perRun are the flags that may differ between the runs of one variant.
var perRun = append([]string{"seed", "data-seed", "device", "engine"}, free...)

// options are the flags that make a run's variant.
func (r *keptRun) options() map[string]string {
	dealt := map[string]bool{}
	if o, err := newOptions(r.algorithm); err == nil {
		o.groupFlags(dataGroup).VisitAll(func(f *pflag.Flag) { dealt[f.Name] = true }) // the partition speaks for them
	}
	x := map[string]string{}
	for key, value := range r.config {
		if !dealt[key] && !slices.Contains(perRun, key) && key != "algorithm" {
			x[key] = value
		}
	}
	return x
}

// disambiguateNames appends the flags in which they differ to the names of runs that have the same name.
func disambiguateNames(runs []keptRun) error {
	by := map[string][]*keptRun{}
	for i := range runs {
		by[runs[i].name] = append(by[runs[i].name], &runs[i])
	}
	for name, same := range by {
		values := map[string]map[string]bool{}
		for _, r := range same {
			for key, value := range r.options() {
				if values[key] == nil {
					values[key] = map[string]bool{}
				}
				values[key][value] = true
			}
			if r.algorithm != same[0].algorithm {
				return fmt.Errorf("%s and %s are both called %q, but one is %s and the other %s", same[0].dir, r.dir, name, same[0].algorithm, r.algorithm)
			}
		}
		for _, r := range same {
			for _, key := range slices.Sorted(maps.Keys(r.options())) {
				if len(values[key]) > 1 {
					r.name += fmt.Sprintf(" %s=%s", shortFlag(r.algorithm, key), r.options()[key])
				}
			}
		}
	}
	return nil
}

// choose keeps the names and seeds asked for, in that order.
func (o *compareOptions) choose(runs []keptRun) ([]keptRun, error) {
	var names, seeds []string
	for _, r := range runs {
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
		if s := strconv.FormatInt(r.seed, 10); !slices.Contains(seeds, s) {
			seeds = append(seeds, s)
		}
	}
	wanted := o.algorithms
	if len(wanted) == 0 || slices.Equal(wanted, []string{"all"}) {
		wanted = names
	}
	for _, name := range slices.Concat(wanted, o.except) {
		if err := spelling.OneOf("no such run: name", name, names); err != nil {
			return nil, usageError{err}
		}
	}
	for _, s := range o.seeds {
		if err := spelling.OneOf("no such run: seed", s, seeds); err != nil {
			return nil, usageError{err}
		}
	}
	var kept []keptRun
	for _, name := range wanted {
		for _, r := range runs {
			if r.name == name && !slices.Contains(o.except, name) && (len(o.seeds) == 0 || slices.Contains(o.seeds, strconv.FormatInt(r.seed, 10))) {
				kept = append(kept, r)
			}
		}
	}
	return kept, nil
}
