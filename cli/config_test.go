package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// A run that the program left before it wrote YAML with a library goes on with
// the flags that it had.
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
		o.dealing.partition.Clients != 8 || len(o.source.extra) != 0 {
		t.Errorf("got %+v", o)
	}
}
