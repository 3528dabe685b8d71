package cli

import (
	"encoding/json"
	"io"
	"path/filepath"
	"testing"

	"feddag/federation"
	"feddag/report"
	"feddag/torch"
)

// TestCheckpointEvery checks the round of the checkpoint of a run that fails in its second round.
func TestCheckpointEvery(t *testing.T) {
	data := mnist(t)
	for every, want := range map[string]int{"1": 1, "2": 0} {
		out := filepath.Join(t.TempDir(), "run")
		if code, _, log := feddag(small(data, out, "--algorithm=fedavg", "--lr=1e30", "--checkpoint-every="+every)...); code != exitFailed {
			t.Fatalf("exit code %d: %s", code, log)
		}
		c, err := federation.ReadCheckpoint(filepath.Join(out, report.CheckpointFile))
		if err != nil {
			t.Fatal(err)
		}
		if c.Rounds != want {
			t.Errorf("--checkpoint-every %s: the checkpoint is of round %d, want %d", every, c.Rounds, want)
		}
	}
}

// TestQuietTraining checks that a run prints nothing on standard error with --quiet, and something without it.
func TestQuietTraining(t *testing.T) {
	data := mnist(t)
	for flag, quiet := range map[string]bool{"--quiet": true, "--quiet=false": false} {
		code, _, log := feddag(small(data, filepath.Join(t.TempDir(), "run"), "--algorithm=fedavg", "--rounds=1", flag)...)
		if code != exitDone || (log == "") != quiet {
			t.Errorf("%s: exit code %d: %q", flag, code, log)
		}
	}
}

// TestDataDirOfTraining checks that a run uses the images in the folder that --data-dir names.
func TestDataDirOfTraining(t *testing.T) {
	var runs []string
	for k := range 2 {
		data, out := mnist(t), filepath.Join(t.TempDir(), "run")
		if k > 0 {
			raw := mustRead(t, data, "train-images-idx3-ubyte")
			raw[len(raw)-1] ^= 0xff
			write(t, filepath.Join(data, "train-images-idx3-ubyte"), raw)
		}
		must(t, small(data, out, "--algorithm=fedavg", "--rounds=1")...)
		runs = append(runs, out)
	}
	if !differ(t, runs[0], runs[1]) {
		t.Error("runs with the images of two folders are the same")
	}
}

// TestWorkersAreThreads checks that train starts as many threads as --workers says.
func TestWorkersAreThreads(t *testing.T) {
	data := mnist(t)
	checkThreads(t, func(workers string) int {
		o, err := parse(small(data, "", "--workers="+workers)[1:])
		if err != nil {
			t.Fatal(err)
		}
		o.dryRun = true // a dry run makes no directory
		s, err := open(t.Context(), o, "", io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		return threadCount(t)
	})
}

// TestDeterministic checks that the engines on CPUs and GPUs compute with the arithmetic that --deterministic and --precision
// select, and that a run records it.
func TestDeterministic(t *testing.T) {
	for _, engine := range []string{"serial", "batched"} {
		for flag, want := range map[string]bool{"--deterministic": true, "--deterministic=false": false} {
			o, err := parse([]string{"--device=cpu", "--engine=" + engine, flag})
			if err != nil {
				t.Fatal(err)
			}
			x, err := o.machine.executor(torch.CPU, 1)
			if err != nil {
				t.Fatal(err)
			}
			if a := x.(interface{ Arithmetic() torch.Arithmetic }).Arithmetic(); a.Deterministic != want {
				t.Errorf("%s, %s: %+v", engine, flag, a)
			}
			x.Close()
		}
	}
	out := filepath.Join(t.TempDir(), "run")
	must(t, small(mnist(t), out, "--algorithm=fedavg", "--rounds=0", "--deterministic")...)
	var env report.Env
	if err := json.Unmarshal(mustRead(t, out, report.EnvFile), &env); err != nil || !env.Deterministic {
		t.Errorf("env.json says %+v (%v)", env, err)
	}
}
