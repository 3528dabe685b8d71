package cli

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"feddag/report"
	"feddag/torch"
)

// TestEvaluateFlagsHaveAnEffect checks the flags of evaluate for the place of the data set, how it is read, the device, and
// the output.
func TestEvaluateFlagsHaveAnEffect(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	run, moved := filepath.Join(tmp, "run"), filepath.Join(tmp, "moved")
	must(t, small(data, run, "--algorithm=per-fedavg", "--rounds=1", "--final-post=false")...)
	rename(t, data, moved)
	t.Setenv("HOME", tmp)
	t.Setenv("FEDDAG_DATA_DIR", "")
	t.Chdir(tmp)
	checkFails(t, exitFailed, []string{"mnist", "not found"}, "evaluate", "--run="+run)
	for _, flag := range []string{"--data-dir=" + moved, "--dataset=mnist --data-dir=" + moved} {
		must(t, append([]string{"evaluate", "--run=" + run}, strings.Fields(flag)...)...)
	}
	for flag, quiet := range map[string]bool{"--quiet": true, "--quiet=false": false} {
		if _, log := evaluateRun(t, run, moved, flag); strings.Contains(log, "not every model is in") == quiet {
			t.Errorf("%s: %q", flag, log)
		}
	}
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	if info.CUDADevices == 0 {
		checkFails(t, exitUsage, []string{"cuda"}, "evaluate", "--run="+run, "--data-dir="+moved, "--device=cuda")
	}

	checkThreads(t, func(workers string) int {
		f := newEvaluateFlags()
		if err := f.all.Parse([]string{"--run=" + run, "--data-dir=" + moved, "--quiet", "--workers=" + workers}); err != nil {
			t.Fatal(err)
		}
		s, err := openStored(t.Context(), f.run, func(o *options) error { return f.change(o, io.Discard) }, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return threadCount(t)
	})

	images, elsewhere := imageFolder(t), filepath.Join(tmp, "elsewhere")
	run = filepath.Join(tmp, "folder-run")
	must(t, folderRun("folder:"+images, tmp, run, "--rounds=1", "--dataset-option=size=32", "--final-post=false")...)
	rename(t, images, elsewhere)
	const option = "--dataset-option=size=32"
	checkFails(t, exitFailed, []string{images}, "evaluate", "--run="+run, option)
	must(t, "evaluate", "--run="+run, option, "--dataset=folder:"+elsewhere)
	checkFails(t, exitFailed, []string{"partition"}, "evaluate", "--run="+run, "--dataset-option=size=28", "--dataset=folder:"+elsewhere)
}

// TestReproduceFlagsHaveAnEffect checks the flags of the repetition of a run.
func TestReproduceFlagsHaveAnEffect(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	run, copied := filepath.Join(tmp, "run"), filepath.Join(tmp, "copy")
	must(t, small(data, run, "--algorithm=fedavg", "--rounds=1", "--workers=2", "--final-post=false")...)
	rename(t, data, filepath.Join(tmp, "moved"))
	t.Setenv("HOME", tmp)
	t.Setenv("FEDDAG_DATA_DIR", "")
	t.Chdir(tmp)
	checkFails(t, exitFailed, []string{"mnist", "not found"}, "reproduce", run, "--out="+copied)
	code, _, log := feddag("reproduce", run, "--out="+copied, "--data-dir="+filepath.Join(tmp, "moved"), "--workers=3", "--quiet")
	if code != exitDone || log != "" {
		t.Fatalf("exit code %d: %s", code, log)
	}
	var env report.Env
	if err := json.Unmarshal(mustRead(t, copied, report.EnvFile), &env); err != nil || env.Workers != 3 {
		t.Errorf("%d workers (%v)", env.Workers, err)
	}
	if code, _, log := feddag("reproduce", run, "--data-dir="+filepath.Join(tmp, "moved")); code != exitDone || log == "" {
		t.Errorf("without --quiet: exit code %d: %q", code, log)
	}

	// A preset that does not exist is an error before the runs of the table.
	table := filepath.Join(tmp, "table")
	checkFails(t, exitUsage, []string{"nobody"}, "reproduce", "--table=18", "--dataset=svhn", "--preset=nobody", "--out="+table)
	if found, _ := filepath.Glob(filepath.Join(table, "*.csv")); len(found) == 0 {
		t.Error("the numbers of the paper are not in --out")
	}
}
