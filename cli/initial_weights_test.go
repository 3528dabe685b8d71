package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestInitialWeights checks that a run begins with the model of another run and keeps a copy that a resumed run reads. Files
// of other networks and other kinds of files are refused.
func TestInitialWeights(t *testing.T) {
	data, dir := mnist(t), t.TempDir()
	read := func(parts ...string) []byte {
		t.Helper()
		raw, err := os.ReadFile(filepath.Join(append([]string{dir}, parts...)...))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	run := func(want int, args ...string) string {
		t.Helper()
		code, _, log := feddag(args...)
		if code != want {
			t.Fatalf("%v: exit code %d: %s", args, code, log)
		}
		return log
	}
	first, file := filepath.Join(dir, "first"), filepath.Join(dir, "weights.safetensors")
	fedavg := func(out string, more ...string) []string {
		return small(data, filepath.Join(dir, out), append([]string{"--algorithm", "fedavg"}, more...)...)
	}
	run(exitDone, small(data, first, "--algorithm", "fedavg", "--rounds", "1")...)
	write(t, file, read("first", "model", "global.safetensors"))

	run(exitDone, fedavg("whole", "--rounds", "2", "--initial-weights", file)...)
	if !bytes.Equal(read("whole", "model", "start-global.safetensors"), read("first", "model", "global.safetensors")) {
		t.Error("the run did not start from the file")
	}
	run(exitDone, fedavg("run", "--rounds", "0", "--initial-weights", file)...)
	if err := os.RemoveAll(filepath.Join(dir, "run", "checkpoint")); err != nil { // as if it had been killed before its first checkpoint
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil { // the run has its own copy
		t.Fatal(err)
	}
	run(exitDone, "train", "--resume", filepath.Join(dir, "run"), "--rounds", "2")
	if !bytes.Equal(read("whole", "model", "global.safetensors"), read("run", "model", "global.safetensors")) {
		t.Error("the resumed run ends elsewhere")
	}
	for _, c := range []struct {
		file  string
		want  int
		hints []string
	}{
		{file, exitFailed, []string{file, "no such file"}},
		{filepath.Join(dir, "whole", "config.yaml"), exitFailed, []string{"config.yaml", "safetensors"}},
	} {
		log := run(c.want, fedavg("refused", "--initial-weights", c.file)...)
		for _, hint := range c.hints {
			if !strings.Contains(log, hint) {
				t.Errorf("no %q in %s", hint, log)
			}
		}
	}
	log := run(exitUsage, fedavg("refused", "--model", "cnn", "--initial-weights", filepath.Join(dir, "whole", "model", "global.safetensors"))...)
	if !strings.Contains(log, "does not fit --model cnn") || !strings.Contains(log, "primary.conv1.weight has the shape [6 1 5 5]") {
		t.Errorf("another network: %s", log)
	}
	if _, err := os.Stat(filepath.Join(dir, "refused")); err == nil {
		t.Error("a refused run has a directory")
	}
}
