package cli

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// python returns an interpreter that has the modules, or skips the test.
func python(t *testing.T, modules ...string) string {
	t.Helper()
	name := os.Getenv("FEDDAG_PYTHON")
	if name == "" {
		name = "python3"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no Python: %v (FEDDAG_PYTHON names one)", err)
	}
	if out, err := exec.Command(path, "-c", "import "+strings.Join(modules, ", ")).CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Skipf("%s lacks a module: %s (FEDDAG_PYTHON names an interpreter that has %s)", path, lines[len(lines)-1], strings.Join(modules, ", "))
	}
	return path
}

// pythonLoop runs docs/load_model.py for each line of its input, in one process because importing torch takes seconds.
const pythonLoop = `
import runpy, sys
for line in sys.stdin:
    sys.argv = ["load_model.py"] + line.split("\t")
    runpy.run_path(%q, run_name="__main__")
`

// TestPythonLoadsModels checks that docs/load_model.py gets each client's accuracies as in clients.csv, to the last digit,
// for one encoder and for two, for all kinds of layers, for clients with their own labels, and for a mixture of models.
func TestPythonLoadsModels(t *testing.T) {
	interpreter := python(t, "torch", "numpy", "safetensors")
	data := mnist(t)
	var input strings.Builder
	var want, rows []string
	runs := []string{
		"--algorithm feddag --model lenet --dropout 0.1 --groups 2 --labels-per-group 5",
		"--algorithm feddag --model cnn --groups 2 --labels-per-group 5",
		"--algorithm feddag --model resnet9 --groups 2 --labels-per-group 5 --rounds 1 --rate 0.25",
		"--algorithm fedavg --model lenet --groups 2 --labels-per-group 5 --eval-share 0.5",
		"--algorithm fedavg --model cnn --groups 2 --labels-per-group 5",
		"--algorithm fedavg --model resnet9 --groups 2 --labels-per-group 5 --rounds 1 --rate 0.25",
		"--algorithm feddag --partition concept-shift",
		"--algorithm fedrc --fedrc-clusters 2 --partition feature-skew",
	}
	if os.Getenv("FEDDAG_LONG") != "" {
		runs = append(runs, "--algorithm fedavg --model resnet18 --norm group --groups 2 --labels-per-group 5 --rounds 1")
	}
	for i, flags := range runs {
		out := filepath.Join(t.TempDir(), "run")
		images := filepath.Join(t.TempDir(), "test.npz")
		train := plain(data, out, append([]string{"--clients", "4", "--epochs", "2", "--lr", "0.05", "--final-post=false"}, strings.Fields(flags)...)...)
		if code, _, log := feddag(train...); code != exitDone {
			t.Fatalf("%s: exit code %d: %s", flags, code, log)
		}
		if code, _, log := feddag("evaluate", "--run", out, "--images", images, "--data-dir", data); code != exitDone {
			t.Fatalf("%s: evaluate: exit code %d: %s", flags, code, log)
		}
		for client, c := range clientRows(t, out) {
			if i > 0 && client > 1 {
				break
			}
			fmt.Fprintf(&input, "%s\t%s\t%d\n", out, images, client)
			want = append(want, c["pre_balanced_accuracy"]+" "+c["pre_accuracy"])
			rows = append(rows, fmt.Sprintf("%s, client %d", flags, client))
		}
	}
	script, err := filepath.Abs("../docs/load_model.py")
	if err != nil {
		t.Fatal(err)
	}
	run := exec.Command(interpreter, "-c", fmt.Sprintf(pythonLoop, script))
	run.Stdin = strings.NewReader(input.String())
	raw, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	got := strings.Split(strings.TrimSpace(string(raw)), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines of output, want %d:\n%s", len(got), len(want), raw)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s: Python computes %s, clients.csv has %s", rows[i], got[i], want[i])
		}
	}
	slices.Sort(want)
	if len(slices.Compact(want)) < 5 {
		t.Errorf("the accuracies are too much alike to tell anything: %s", want)
	}
}

// clientRows reads clients.csv and returns the cells of each client by column.
func clientRows(t *testing.T, run string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(run, "clients.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for k, name := range lines[0] {
			row[name] = line[k]
		}
		rows = append(rows, row)
	}
	return rows
}
