package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"

	"feddag/report"
)

// kept are the files of a run that the tables and curves of a comparison are made of. The directory becomes a run with
// the last one.
var kept = []string{report.SummaryFile, report.MetricsFile, report.ClientsFile, report.ScenarioFile, report.ConfigFile}

// keep copies finished runs to a directory, each with the files of kept and its partition's digest, and leaves out what
// only the machine it ran on knows: models, checkpoints, plots. A run that is there with as many rounds stays.
func keep(runs []ran, to string) error {
	for i := range runs {
		if r := &runs[i]; r.why == "" {
			if err := r.keep(runDir(to, r.name, strconv.FormatInt(r.seed, 10))); err != nil {
				return fmt.Errorf("keeping %s: %w", r.dir, err)
			}
		}
	}
	return nil
}

func (r *ran) keep(path string) error {
	if report.IsRun(path) {
		there, err := readRun(path)
		if err != nil {
			return err
		}
		if !r.like(&there) {
			return fmt.Errorf("%s holds a run with other settings or on another partition", path)
		}
		if there.why == "" && there.summary.Rounds >= r.summary.Rounds {
			return nil
		}
	}
	dir, err := report.Make(path)
	if err != nil {
		return err
	}
	if err := dir.WriteJSON(report.DigestFile, r.partition); err != nil {
		return err
	}
	for _, name := range kept {
		content, err := os.ReadFile(filepath.Join(r.dir, name))
		if name == report.ScenarioFile && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if name == report.ConfigFile {
			content = withoutPlaces(content)
		}
		err = dir.WriteFile(name, func(w io.Writer) error { _, err := w.Write(content); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// like says whether two runs differ in nothing but how far they are and where they ran.
func (r *ran) like(other *ran) bool {
	return r.algorithm == other.algorithm && r.seed == other.seed && r.partition.Hash == other.partition.Hash &&
		r.scenario == other.scenario && maps.EqualFunc(r.options(), other.options(), sameNumber)
}

// withoutPlaces is a config.yaml without the flags that say where things lay.
func withoutPlaces(config []byte) []byte {
	var left []byte
	for line := range bytes.Lines(config) {
		if !bytes.HasPrefix(line, []byte("out: ")) && !bytes.HasPrefix(line, []byte("data-dir: ")) {
			left = append(left, line...)
		}
	}
	return left
}
