package cli

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"feddag/report"
)

// keep copies the files from which tables and curves are made, for every finished run, to a directory or an archive. A run
// that it already has with at least as many rounds is not replaced.
func keep(runs []keptRun, to string) (err error) {
	kept, err := report.OpenKept(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	same := map[string]int{} // number of runs with the same name
	for i := range runs {
		same[runs[i].ownName()]++
	}
	for i := range runs {
		r := &runs[i]
		if r.why != "" {
			continue
		}
		name := r.ownName()
		if same[name] > 1 {
			name = runName(r.name, strconv.FormatInt(r.seed, 10))
		}
		if err := r.keep(kept, name); err != nil {
			return fmt.Errorf("keeping %s: %w", r.dir, err)
		}
	}
	return nil
}

// ownName returns the name of the run's directory in a comparison in which no other variant has the same label.
func (r *keptRun) ownName() string { return runName(r.label(), strconv.FormatInt(r.seed, 10)) }

func (r *keptRun) keep(kept *report.Kept, name string) error {
	if dir := kept.Run(name); dir != nil {
		there, err := readRun(dir)
		if err != nil {
			return err
		}
		if !r.like(&there) {
			return fmt.Errorf("%s holds a run with other settings or on another partition", dir.Path())
		}
		if there.why == "" && there.summary.Rounds >= r.summary.Rounds {
			return nil
		}
	}
	return kept.Keep(name, r.files)
}

// like reports whether two runs differ only in their number of rounds and in where they ran.
func (r *keptRun) like(other *keptRun) bool {
	return r.algorithm == other.algorithm && r.seed == other.seed && r.partition.Hash == other.partition.Hash &&
		r.scenario == other.scenario && maps.EqualFunc(r.options(), other.options(), sameNumber)
}
