package cli

import (
	"errors"
	"fmt"
	"maps"
	"strconv"

	"feddag/report"
)

// keep copies what tables and curves are made of, of every finished run, to a directory or an archive. A run that is there
// with as many rounds stays.
func keep(runs []keptRun, to string) (err error) {
	kept, err := report.OpenKept(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, kept.Close()) }()
	same := map[string]int{} // runs that are called alike
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

// ownName is the name of the run's directory in a comparison that has no other variant of its label.
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

// like says whether two runs differ in nothing but how far they are and where they ran.
func (r *keptRun) like(other *keptRun) bool {
	return r.algorithm == other.algorithm && r.seed == other.seed && r.partition.Hash == other.partition.Hash &&
		r.scenario == other.scenario && maps.EqualFunc(r.options(), other.options(), sameNumber)
}
