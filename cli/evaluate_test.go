package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"feddag/internal/npy"
	"feddag/report"
)

// evaluated is the last line of `feddag evaluate`.
type evaluated struct {
	From    string `json:"models_from"`
	Rounds  int
	Agrees  *bool `json:"agrees_with_clients_csv"`
	Clients []struct {
		Client, Samples int
		Accuracy        float64
	}
}

// evaluateRun runs `feddag evaluate`, which must succeed.
func evaluateRun(t *testing.T, run, data string, more ...string) (e evaluated, log string) {
	t.Helper()
	code, out, log := feddag(append([]string{"evaluate", "--run", run, "--data-dir", data}, more...)...)
	if code != exitDone {
		t.Fatalf("%s: exit code %d: %s", run, code, log)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatalf("the last line is not JSON: %v", err)
	}
	return e, log
}

// TestEvaluateAgreesWithTheRun checks for all kinds of models with which clients predict that evaluate gets the scores of the
// run, from the kept models or from the checkpoint.
func TestEvaluateAgreesWithTheRun(t *testing.T) {
	data := mnist(t)
	scenario := filepath.Join(t.TempDir(), "scenario.json")
	write(t, scenario, []byte(`{"version": 2, "reserve": 0.2, "events": [{"round": 2, "join": [4]}, {"round": 3, "leave": 0}, {"round": 3, "swap": [1, 5]}]}`))
	for _, x := range []struct{ flags, from string }{
		{"--algorithm feddag", report.ModelsFile},
		{"--algorithm feddag-star --holdout 0.3 --eval-share 0.5", report.ModelsFile},
		{"--algorithm feddag --scenario " + scenario, report.ModelsFile},
		{"--algorithm local --engine batched", report.ModelsFile},
		{"--algorithm ifca --ifca-clusters 2 --eval-every 0", report.ModelsFile},
		{"--algorithm fedrc --fedrc-clusters 2", report.ModelsFile},
		{"--algorithm fedsoft --fedsoft-clusters 2", report.CheckpointFile},
		{"--algorithm per-fedavg --holdout 0.3", report.CheckpointFile},
	} {
		run := filepath.Join(t.TempDir(), "run")
		if code, _, log := feddag(small(data, run, strings.Fields(x.flags)...)...); code != exitDone {
			t.Fatalf("%s: exit code %d: %s", x.flags, code, log)
		}
		e, log := evaluateRun(t, run, data)
		if e.From != x.from || e.Agrees == nil || !*e.Agrees || e.Rounds != 3 {
			t.Errorf("%s: %+v\n%s", x.flags, e, log)
		}
		scored := 0
		for _, row := range clientRows(t, run) {
			if row["pre_accuracy"] != "" {
				scored++
			}
		}
		if len(e.Clients) != scored {
			t.Errorf("%s: %d clients are scored, in the run %d", x.flags, len(e.Clients), scored)
		}
	}
}

// TestEvaluateOfOtherRuns checks that evaluate scores the checkpoint of an unfinished run and of a run of an earlier version,
// and that it detects a changed model.
func TestEvaluateOfOtherRuns(t *testing.T) {
	data, run := mnist(t), filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(small(data, run, "--epochs", "3", "--lr", "0.05")...); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	if e, _ := evaluateRun(t, run, data, "--client", "3,1"); len(e.Clients) != 2 || e.Clients[0].Client != 1 || !*e.Agrees {
		t.Errorf("two clients: %+v", e)
	}
	images := filepath.Join(t.TempDir(), "train.npz")
	e, _ := evaluateRun(t, run, data, "--split", "train", "--images", images)
	if e.Agrees != nil || e.Clients[0].Samples == 60 || e.Clients[0].Samples < 5 {
		t.Errorf("the training split: %+v", e)
	}
	if n := arrayLen(t, images, "images"); n != 300*28*28 {
		t.Errorf("%d values in the training images", n)
	}

	model := filepath.Join(run, "model/cluster-0.safetensors")
	raw, err := os.ReadFile(model)
	if err != nil {
		t.Fatal(err)
	}
	start, err := os.ReadFile(filepath.Join(run, "model/start-0.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, model, start)
	if e, _ := evaluateRun(t, run, data); *e.Agrees {
		t.Error("the initial model has the scores of the trained one")
	}
	write(t, model, raw[:len(raw)-4])
	checkFails(t, exitFailed, []string{"cluster-0.safetensors", "ends within"}, "evaluate", "--run", run, "--data-dir", data)
	if err := os.Remove(model); err != nil {
		t.Fatal(err)
	}
	checkFails(t, exitFailed, []string{"client 0", "cluster-0.safetensors", "no such file"}, "evaluate", "--run", run, "--data-dir", data)

	if err := os.Remove(filepath.Join(run, report.ModelsFile)); err != nil {
		t.Fatal(err)
	}
	if e, log := evaluateRun(t, run, data); e.From != report.CheckpointFile || !*e.Agrees || !strings.Contains(log, "checkpoint") {
		t.Errorf("without %s: %+v", report.ModelsFile, e)
	}
	checkFails(t, exitUsage, []string{"--client 6", "0 to 5"}, "evaluate", "--run", run, "--data-dir", data, "--client", "6")
	if err := os.RemoveAll(filepath.Join(run, "checkpoint")); err != nil {
		t.Fatal(err)
	}
	checkFails(t, exitFailed, []string{run, report.ModelsFile, report.CheckpointFile}, "evaluate", "--run", run, "--data-dir", data)
}

// TestEvaluateCheckpoints checks that evaluate scores the checkpoint of a run that began with given weights, from which held-out
// clients may start, and of a run on another device.
func TestEvaluateCheckpoints(t *testing.T) {
	data, dir := mnist(t), t.TempDir()
	first, weights := filepath.Join(dir, "first"), filepath.Join(dir, "weights.safetensors")
	must(t, small(data, first, "--algorithm", "fedavg", "--rounds", "1")...)
	write(t, weights, mustRead(t, first, "model/global.safetensors"))
	for k, flags := range []string{
		"--algorithm per-fedavg --initial-weights " + weights,
		"--algorithm feddag --feddag-clustering similarity --holdout 0.3 --initial-weights " + weights,
		"--algorithm per-fedavg --engine batched",
	} {
		run := filepath.Join(dir, strconv.Itoa(k))
		must(t, small(data, run, strings.Fields(flags)...)...)
		if err := os.Remove(filepath.Join(run, report.ModelsFile)); err != nil {
			t.Fatal(err)
		}
		if e, log := evaluateRun(t, run, data); e.From != report.CheckpointFile || e.Agrees == nil || !*e.Agrees {
			t.Errorf("%s: %+v\n%s", flags, e, log)
		}
		if e, log := evaluateRun(t, run, data, "--device", "auto"); e.From != report.CheckpointFile || len(e.Clients) == 0 {
			t.Errorf("%s, --device auto: %+v\n%s", flags, e, log)
		}
	}
}

// TestEvaluateUsage checks that wrong usage is reported before any data are read.
func TestEvaluateUsage(t *testing.T) {
	checkFails(t, exitUsage, []string{"--run DIR"}, "evaluate")
	checkFails(t, exitUsage, []string{"split", `"tset"`, "test"}, "evaluate", "--run", "x", "--split", "tset")
	checkFails(t, exitFailed, []string{"not a run directory"}, "evaluate", "--run", t.TempDir())
	checkFails(t, exitUsage, []string{"--splt", "--split"}, "evaluate", "--splt", "test")
	checkFails(t, exitUsage, []string{"--workers is 0"}, "evaluate", "--run", "x", "--workers", "0")
	checkFails(t, exitUsage, []string{`"runs/x"`, "--run"}, "evaluate", "runs/x")
}

// checkFails runs the program, which must end with the exit code and a one-line error that contains all of the words.
func checkFails(t *testing.T, want int, words []string, args ...string) {
	t.Helper()
	code, _, log := feddag(args...)
	lines := strings.Split(strings.TrimSpace(log), "\n")
	last := lines[len(lines)-1]
	if code != want || slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(last, w) }) {
		t.Errorf("%s: exit code %d, want %d with %q:\n%s", args, code, want, words, log)
	}
}

// arrayLen returns the number of elements of an array in a .npz file.
func arrayLen(t *testing.T, path, name string) int {
	t.Helper()
	archive, err := npy.OpenArchive(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	file, err := archive.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	a, err := npy.Read(file, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return a.Len()
}
