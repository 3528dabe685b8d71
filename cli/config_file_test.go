package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"feddag/report"
)

// configFile writes a file of flags.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flags.yaml")
	write(t, path, []byte(text))
	return path
}

// TestConfigOrder checks the order in which the command line, the environment, the file, the preset and the default determine
// a flag.
func TestConfigOrder(t *testing.T) {
	file := configFile(t, "preset: prototype\nepochs: 3\nbatch: 30\nlr: 0.3\nplots: \"svg pdf\"\nmodel: \"\"\n")
	t.Setenv("FEDDAG_BATCH", "20")
	t.Setenv("FEDDAG_LR", "0.2")
	o, err := parse([]string{"--config", file, "--lr=0.1", "--eval_every", "4"})
	if err != nil {
		t.Fatal(err)
	}
	if r := o.run; r.LearningRate != 0.1 || r.Batch != 20 || r.Epochs != 3 || r.Rounds != 161 || r.Rate != 0.2 || r.EvalEvery != 4 {
		t.Errorf("lr %g from the command line, batch %d from the environment, epochs %d from the file, rounds %d from the preset, rate %g by default, eval-every %d",
			r.LearningRate, r.Batch, r.Epochs, r.Rounds, r.Rate, r.EvalEvery)
	}
	if got := o.plots.String(); !strings.Contains(got, "pdf") {
		t.Errorf("plots are %s", got)
	}
	t.Setenv("FEDDAG_PLOTS", "svg,png") // as on the command line
	if o, err = parse([]string{"--config", file}); err != nil || o.plots.String() != "[svg,png]" {
		t.Errorf("FEDDAG_PLOTS=svg,png: %v", err)
	}
	os.Unsetenv("FEDDAG_PLOTS")
	if o, err = parse([]string{"--config", configFile(t, "plots: svg, pdf\n")}); err != nil || o.plots.String() != "[svg,pdf]" {
		t.Errorf("plots: svg, pdf in the file: %v", err)
	}
	t.Setenv("FEDDAG_CONFIG", configFile(t, "algorithm: ifca\nseed: 7\n"))
	if o, err = parse(nil); err != nil || o.algorithm != "ifca" || o.run.Seed != 7 {
		t.Errorf("the file of FEDDAG_CONFIG: %v", err)
	}
	t.Setenv("FEDDAG_ALGORITHM", "fedavg")
	if o, err = parse(nil); err != nil || o.algorithm != "fedavg" {
		t.Errorf("FEDDAG_ALGORITHM beside the file: %v", err)
	}
}

// TestConfigOfARun checks that a new run with the configuration of another run has the same models.
func TestConfigOfARun(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	first, second := filepath.Join(tmp, "first"), filepath.Join(tmp, "second")
	must(t, small(data, first, "--algorithm", "fedavg", "--rounds", "1", "--lr", "0.05")...)
	must(t, "train", "--config", filepath.Join(first, report.ConfigFile), "--out", second)
	const model = "model/global.safetensors"
	if string(mustRead(t, first, model)) != string(mustRead(t, second, model)) {
		t.Error("the configuration of a run gives another model")
	}
	if text := string(mustRead(t, second, report.ConfigFile)); !strings.Contains(text, "lr: 0.05") || strings.Contains(text, "\nconfig:") {
		t.Errorf("the configuration is\n%s", text)
	}
	// Without --out, it is not written to the directory of the other run.
	t.Chdir(tmp)
	must(t, "train", "--config", filepath.Join(first, report.ConfigFile))
	if found, _ := filepath.Glob("runs/fedavg-*/" + model); len(found) != 1 {
		t.Errorf("the run without --out is in %v", found)
	}
	// cluster ignores the flags that only rounds read.
	clustered := filepath.Join(tmp, "clustered")
	file := configFile(t, "algorithm: feddag\nrounds: 7\nepochs: 1\nfeddag-warmup-rounds: 1\n")
	must(t, "cluster", "--config", file, "--dataset", "mnist", "--data-dir", data, "--clients", "6", "--groups", "2", "--labels-per-group", "3", "--out", clustered)
	// A run that is resumed has its own configuration; the environment may change what --resume may.
	t.Setenv("FEDDAG_LR", "0.5")
	t.Setenv("FEDDAG_ROUNDS", "2")
	must(t, "train", "--resume", first)
	if n := strings.Count(string(mustRead(t, first, report.MetricsFile)), "\n"); n != 2 {
		t.Errorf("%d rounds after FEDDAG_ROUNDS=2", n)
	}
	if text := string(mustRead(t, first, report.ConfigFile)); !strings.Contains(text, "lr: 0.05") {
		t.Errorf("the configuration of the resumed run is\n%s", text)
	}
}

// TestConfigMistakes checks that errors name the file or the variable, and the nearest key.
func TestConfigMistakes(t *testing.T) {
	for _, c := range []struct{ text, variable, value, want string }{
		{"epochz: 3\n", "", "", "did you mean epochs?"},
		{"epochs: many\n", "", "", "flags.yaml: epochs is \"many\""},
		{"epochs: [1, 2]\n", "", "", "flags.yaml: line 1"},
		{"dataset-option: [size=32, channels=1]\n", "", "", "flags.yaml: line 1: the value of dataset-option is a list: write it as text, with blanks between the items"},
		{"seed: 1\nconfig: other.yaml\n", "", "", "flags.yaml: config names another file"},
		{"resume: runs/first\n", "", "", "flags.yaml: give --resume on the command line"},
		{"epochs: 1\nepochs: 2\n", "", "", "flags.yaml: "},
		{"algorithm: ifca\nfeddag-mask: 0.1\n", "", "", "feddag-mask is a flag of --algorithm feddag, not of ifca"},
		{"algorithm: nobody\n", "", "", "nobody"},
		{"partition: lda\ngroups: 3\n", "", "", "flags.yaml: --groups has no effect with --partition lda"},
		{"", "FEDDAG_EPOCHS", "x", "the environment variable FEDDAG_EPOCHS: epochs is \"x\""},
		{"partition: lda\n", "FEDDAG_GROUPS", "3", "the environment variable FEDDAG_GROUPS: --groups has no effect"},
	} {
		if c.variable != "" {
			t.Setenv(c.variable, c.value)
		}
		code, _, log := feddag("train", "--config", configFile(t, c.text))
		if code != exitUsage || !strings.Contains(log, c.want) {
			t.Errorf("%q %s: exit code %d, want %q: %s", c.text, c.variable, code, c.want, log)
		}
		if c.variable != "" {
			os.Unsetenv(c.variable)
		}
	}
	if code, _, log := feddag("train", "--config", "/nowhere.yaml"); code != exitUsage || !strings.Contains(log, "/nowhere.yaml") {
		t.Errorf("no such file: exit code %d: %s", code, log)
	}
	if code, _, log := feddag("train", "--resume", "/nowhere", "--config", configFile(t, "epochs: 1\n")); code == exitDone || log == "" {
		t.Errorf("--config beside --resume: exit code %d: %s", code, log)
	}
	t.Setenv("FEDDAG_ROUNDZ", "3")
	_, _, log := feddag("train", "--dataset", "mnist", "--data-dir", t.TempDir())
	if !strings.Contains(log, "FEDDAG_ROUNDZ names no flag; did you mean FEDDAG_ROUNDS?") {
		t.Errorf("a variable that names no flag: %s", log)
	}
}
