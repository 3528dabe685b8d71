package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"feddag/federation/data"
	"feddag/internal/numfmt"
	"feddag/report"
)

// assemble makes a comparison of runs. With differ, the algorithms may be compared after different numbers of rounds.
func (o *compareOptions) assemble(runs []keptRun, differ bool, log io.Writer) (*report.Comparison, error) {
	var missing []report.Missing
	var finished []keptRun
	runs = slices.Clone(runs)
	for i := range runs {
		r := &runs[i]
		if r.why == "" && r.summary.Rounds < r.after {
			r.why = fmt.Sprintf("%d of %d rounds", r.summary.Rounds, r.after)
		}
		if r.why != "" {
			missing = append(missing, report.Missing{Name: r.name, Seed: r.seed, Why: r.why})
			continue
		}
		if r.after == 0 {
			r.after = r.summary.Rounds
		}
		finished = append(finished, *r)
	}
	if len(finished) == 0 {
		return nil, noneFinished(runs)
	}
	if err := comparable(finished); err != nil {
		return nil, err
	}
	rounds, err := comparedRounds(finished, differ)
	if err != nil {
		return nil, err
	}
	first := finished[0]
	c := &report.Comparison{
		Dataset: first.partition.Dataset, DatasetTitle: data.Title(first.partition.Dataset), Partition: first.partition.String(), Clients: first.measured, Dealt: first.partition.Clients, Rounds: rounds, EvalShare: first.summary.EvalShare,
		Shared: sharedSettings(finished), Reference: o.reference, Confidence: o.confidence, Uncorrected: o.uncorrected, Targets: o.targets, Missing: missing,
	}
	if first.scenario != "" {
		c.Shared = append(c.Shared, report.Pair{Key: "scenario", Value: filepath.Base(first.config["scenario"])})
	}
	for _, r := range finished {
		i := slices.IndexFunc(c.Variants, func(v report.Variant) bool { return v.Name == r.name })
		if i < 0 {
			i = len(c.Variants)
			c.Variants = append(c.Variants, report.Variant{Name: r.name, Algorithm: r.algorithm, Settings: r.settings(c.Shared)})
		}
		cell := report.Cell{Seed: r.seed, Dir: r.dir, Summary: r.summary, Rounds: r.rounds}
		c.Variants[i].Cells = append(c.Variants[i].Cells, cell.Cut(r.after))
	}
	for _, v := range c.Variants {
		slices.SortFunc(v.Cells, func(a, b report.Cell) int { return cmp.Compare(a.Seed, b.Seed) })
	}
	if has := func(v report.Variant) bool { return v.Name == defaultAlgorithm }; c.Reference == "" && slices.ContainsFunc(c.Variants, has) {
		c.Reference = defaultAlgorithm
	}
	if err := o.setBeside(c, finished, log); err != nil {
		return nil, err
	}
	return c, c.Settle()
}

// comparedRounds returns the largest number of rounds after which one of the runs is compared. It is an error if the runs of an
// algorithm have different numbers and, unless differ is set, if any runs have.
func comparedRounds(runs []keptRun, differ bool) (int, error) {
	most := 0
	for _, r := range runs {
		for _, x := range runs {
			switch {
			case x.after == r.after:
			case !differ:
				return 0, fmt.Errorf("%s has %s, %s has %d: choose a number that all have with --rounds, or compare each algorithm after all of its rounds with --different-rounds",
					r.dir, numfmt.Count(r.after, "round"), x.dir, x.after)
			case x.name == r.name:
				return 0, fmt.Errorf("%s has %s, %s has %d: the runs of an algorithm must have the same number; choose one with --rounds",
					r.dir, numfmt.Count(r.after, "round"), x.dir, x.after)
			}
		}
		most = max(most, r.after)
	}
	return most, nil
}

func noneFinished(runs []keptRun) error {
	text := "no finished run to compare"
	for i, r := range runs {
		if i == 5 {
			text += fmt.Sprintf("; and %d more", len(runs)-i)
			break
		}
		text += fmt.Sprintf("; %s: %s", r.dir, r.why)
	}
	return errors.New(text)
}

// comparable returns an error that names two runs, unless all runs have the same data set and kind of partition, the runs of
// each seed have the same partition, and no two runs have the same variant and seed.
func comparable(runs []keptRun) error {
	first := runs[0]
	bySeed := map[int64]keptRun{}
	seen := map[string]keptRun{}
	for _, r := range runs {
		a, b := first.partition, r.partition
		if err := a.SameData(b); err != nil {
			return fmt.Errorf("%s and %s are on different data sets: %w; compare runs of one data set", first.dir, r.dir, err)
		}
		switch {
		case a.String() != b.String() || a.Clients != b.Clients:
			return fmt.Errorf("%s has the partition %s of %d clients, %s %s of %d: compare runs of one partition", first.dir, a.String(), a.Clients, r.dir, b.String(), b.Clients)
		}
		if other, ok := bySeed[r.seed]; !ok {
			bySeed[r.seed] = r
		} else if !other.partition.SameHolders(r.partition) {
			return fmt.Errorf("%s and %s have seed %d but different partitions (another --data-seed or --partition-file?): the runs of a seed must share theirs", other.dir, r.dir, r.seed)
		}
		if first.scenario != r.scenario {
			return fmt.Errorf("%s and %s have different scenarios: compare runs with the same scenario", first.dir, r.dir)
		}
		if x, y := evalShare(first), evalShare(r); x != y {
			return fmt.Errorf("the accuracies of %s are on a share of %g of the test sets (--eval-share), those of %s on %g: compare runs with the same share", first.dir, x, r.dir, y)
		}
		key := fmt.Sprintf("%s\n%d", r.name, r.seed)
		if other, ok := seen[key]; ok {
			return fmt.Errorf("%s and %s are both %s with seed %d: take one", other.dir, r.dir, r.name, r.seed)
		}
		seen[key] = r
	}
	return nil
}

// evalShare returns the share of the test sets on which the accuracies of a run are computed. Runs of older versions use all
// images.
func evalShare(r keptRun) float64 {
	if r.summary.EvalShare == 0 {
		return 1
	}
	return r.summary.EvalShare
}

// unlessNoted marks a setting that some runs changed, which the settings of their algorithms show.
const unlessNoted = "unless noted"

// sharedSettings returns the flags that have the same value in all runs, including the device, sorted by name. For a flag
// that only some runs changed, it returns the default.
func sharedSettings(runs []keptRun) []report.Pair {
	var pairs []report.Pair
	for _, key := range slices.Sorted(maps.Keys(runs[0].config)) {
		if slices.Contains(perRun, key) && key != "device" && key != "data-seed" {
			continue
		}
		place := slices.Contains(dataPlace, key) // the same data set may be in a different place for each run
		value, all, same := runs[0].config[key], true, true
		for _, r := range runs {
			other, ok := r.config[key]
			all, same = all && ok, same && ok && sameNumber(value, other)
		}
		if same {
			pairs = append(pairs, report.Pair{Key: key, Value: value})
		} else if all && !place && !slices.Contains(perRun, key) {
			if o, err := newOptions(runs[0].algorithm); err == nil {
				pairs = append(pairs, report.Pair{Key: key, Value: defaultOf(o.flags.Lookup(key)), Comment: unlessNoted})
			}
		}
	}
	return pairs
}

// settings returns the flags that distinguish a run: they are neither shared by all runs nor at their defaults.
func (r *keptRun) settings(shared []report.Pair) []report.Pair {
	defaults, err := newOptions(r.algorithm)
	if err != nil {
		return nil
	}
	var pairs []report.Pair
	options := r.options()
	for _, key := range slices.Sorted(maps.Keys(options)) {
		f := defaults.flags.Lookup(key)
		common := slices.ContainsFunc(shared, func(p report.Pair) bool { return p.Key == key && p.Comment == "" })
		if !common && f != nil && !sameNumber(defaultOf(f), options[key]) {
			pairs = append(pairs, report.Pair{Key: key, Value: options[key]})
		}
	}
	return pairs
}

// setBeside reads the results that others report for the setting of these runs.
func (o *compareOptions) setBeside(c *report.Comparison, runs []keptRun, log io.Writer) error {
	if o.beside == "" {
		return nil
	}
	settings := map[string]string{}
	for _, r := range runs {
		for key := range r.config {
			settings[key] = "" // known, but the runs have different values
		}
	}
	for _, p := range c.Shared {
		if p.Comment == "" {
			settings[p.Key] = p.Value
		}
	}
	first := runs[0].partition
	for _, p := range first.Parameters() {
		settings[p.Key] = p.Value
	}
	settings["dataset"], settings["partition"], settings["clients"] = first.Dataset, first.Kind, strconv.Itoa(first.Clients)
	var err error
	if c.Beside, err = report.ReadBeside(o.beside, settings); err != nil {
		return err
	}
	if len(c.Beside) == 0 && !o.quiet {
		fmt.Fprintf(log, "%s has no row of this setting: %s, %s, %d clients\n", o.beside, c.Dataset, c.Partition, c.Clients)
	}
	return nil
}

// link makes the paths of the runs relative to the directory of the comparison, and finds out which runs have a report page.
func link(dir *report.Dir, c *report.Comparison) error {
	base, err := filepath.Abs(dir.Path())
	if err != nil {
		return err
	}
	for _, v := range c.Variants {
		for i := range v.Cells {
			path, err := filepath.Abs(v.Cells[i].Dir)
			if err != nil {
				return err
			}
			_, err = os.Stat(filepath.Join(path, report.HTMLFile))
			v.Cells[i].Page = err == nil
			if rel, err := filepath.Rel(base, path); err == nil {
				path = rel
			}
			v.Cells[i].Dir = filepath.ToSlash(path)
		}
	}
	return nil
}
