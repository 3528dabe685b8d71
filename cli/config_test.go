package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// TestResumeConfigOfOldProgram checks that a run from before the program wrote YAML with a library continues with its flags.
func TestResumeConfigOfOldProgram(t *testing.T) {
	raw, err := os.ReadFile("../report/testdata/run/config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "config.yaml"), raw)
	o, err := parse([]string{"--resume", dir})
	if err != nil {
		t.Fatal(err)
	}
	if o.algorithm != "feddag" || o.label != "tiny: one" || o.run.EvalEvery != 2 || o.run.Rate != 0.5 || o.run.WeightDecay != 1e-4 ||
		o.partitionFlags.partition.Clients != 8 || len(o.source.extra) != 0 {
		t.Errorf("got %+v", o)
	}
}

// TestBenchmarkArchives checks that the archives of the benchmarks can be read, and that their runs have flags that this
// version knows.
func TestBenchmarkArchives(t *testing.T) {
	archives, err := filepath.Glob("../benchmarks/results/*/*.zip")
	if err != nil || len(archives) == 0 {
		t.Fatalf("archives %v, %v", archives, err)
	}
	for _, path := range archives {
		runs, err := readRuns([]string{path})
		if err != nil {
			t.Error(err)
		}
		for _, r := range runs {
			if r.why != "" || r.measured == 0 {
				t.Errorf("%s: %s, %d clients measured", r.dir, r.why, r.measured)
			}
			o, err := newOptions(r.algorithm)
			if err != nil {
				t.Error(err)
				continue
			}
			saved, err := r.files.ReadConfig()
			if err != nil {
				t.Error(err)
			} else if err := o.take(r.dir, saved); err != nil {
				t.Error(err)
			}
		}
	}
}
