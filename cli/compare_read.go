package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"feddag/internal/spelling"
	"feddag/report"

	"github.com/spf13/pflag"
)

// keptRun is a run as read from its directory.
type keptRun struct {
	dir       string      // path of the run; ARCHIVE/RUN for a run in an archive
	files     *report.Dir // nil if the run does not exist
	name      string      // name of its variant
	algorithm string
	seed      int64
	config    map[string]string // every flag; flags that the run did not record have their defaults
	summary   report.Summary
	rounds    []report.Round
	after     int // number of rounds after which the run is compared; 0 for all of its rounds
	measured  int // number of clients in the mean of the final accuracy
	partition report.PartitionDigest
	scenario  string // text of the scenario; empty if there is none
	why       string // why the run is in no table; empty for a finished run
}

// readRuns reads the runs at the paths: run directories, archives of runs, and directories that contain either.
func readRuns(paths []string) ([]keptRun, error) {
	var dirs []*report.Dir
	seen := map[string]bool{}
	for _, path := range paths {
		runs, err := report.Runs(path)
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			place, err := filepath.Abs(run.Path())
			if err != nil {
				return nil, err
			}
			if !seen[place] { // two paths may contain the same run
				dirs = append(dirs, run)
			}
			seen[place] = true
		}
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

// readRun reads a run. If the run is not finished, its field why is set. A damaged file is an error.
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
		return r, fmt.Errorf("%s records %d rounds", dir.Path(report.SummaryFile), r.summary.Rounds)
	case len(r.rounds) < r.summary.Rounds:
		return r, fmt.Errorf("%s records %d rounds, but %s has %d", dir.Path(report.SummaryFile), r.summary.Rounds, report.MetricsFile, len(r.rounds))
	}
	r.rounds = r.rounds[:r.summary.Rounds] // there are more rounds while the run is being extended
	for i, line := range r.rounds {
		if line.Round != i+1 {
			return r, fmt.Errorf("%s, line %d: it has round %d, but round %d is next: the file is damaged", dir.Path(report.MetricsFile), i+1, line.Round, i+1)
		}
	}
	if r.measured, err = dir.CountClients(); r.summary.HeldOut != nil {
		r.measured -= r.summary.HeldOut.Clients // the scores of held-out clients are separate
	}
	return r, err
}

// label returns the label of the run, which is the algorithm by default.
func (r *keptRun) label() string {
	if label := r.config["label"]; label != "" {
		return label
	}
	return r.algorithm
}

// fillDefaults adds the flags that the run did not record, because the version that made the run did not have them or because
// they had no effect.
func (r *keptRun) fillDefaults() {
	o, err := newOptions(r.algorithm)
	if err != nil { // an algorithm that this version does not have
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

// options returns the flags that distinguish the variant of a run from other variants.
func (r *keptRun) options() map[string]string {
	dealt := map[string]bool{}
	if o, err := newOptions(r.algorithm); err == nil {
		o.groupFlags(dataGroup).VisitAll(func(f *pflag.Flag) { dealt[f.Name] = true }) // the digest of the partition stands for these flags
	}
	x := map[string]string{}
	for key, value := range r.config {
		if !dealt[key] && !slices.Contains(perRun, key) && key != "algorithm" {
			x[key] = value
		}
	}
	return x
}

// disambiguateNames makes equal names of different variants unique by appending the flags in which the variants differ. If a name
// is then that of another variant, the two are compared again.
func disambiguateNames(runs []keptRun) error {
	for range runs { // every time but the last, some runs get different names
		by := map[string][]*keptRun{}
		for i := range runs {
			by[runs[i].name] = append(by[runs[i].name], &runs[i])
		}
		changed := false
		for _, name := range slices.Sorted(maps.Keys(by)) {
			differ, err := renameVariants(name, by[name])
			if err != nil {
				return err
			}
			changed = changed || differ
		}
		if !changed {
			break
		}
	}
	return nil
}

// renameVariants appends to the names of runs, which are equal, the flags in which the variants differ, and reports whether there
// are any.
func renameVariants(name string, same []*keptRun) (differ bool, err error) {
	values := map[string]map[string]bool{}
	for _, r := range same {
		for key, value := range r.options() {
			if values[key] == nil {
				values[key] = map[string]bool{}
			}
			values[key][value] = true
		}
		if r.algorithm != same[0].algorithm {
			return false, fmt.Errorf("%s and %s are both called %q, but one is %s and the other %s", same[0].dir, r.dir, name, same[0].algorithm, r.algorithm)
		}
	}
	for _, r := range same {
		for _, key := range slices.Sorted(maps.Keys(r.options())) {
			if len(values[key]) > 1 {
				r.name += fmt.Sprintf(" %s=%s", shortFlag(r.algorithm, key), r.options()[key])
				differ = true
			}
		}
	}
	return differ, nil
}

// choose returns the runs with the requested names and seeds, in the order of the names.
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
	for i, name := range wanted {
		if slices.Contains(wanted[:i], name) {
			return nil, usagef("--algorithms: %s is given twice", name)
		}
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
