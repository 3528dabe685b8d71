package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"feddag/report"
)

// program starts the program as a separate process, which ends with the test.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd
}

// waitForRounds waits until a run has written the given number of rounds.
func waitForRounds(t *testing.T, run string, n int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
		if raw, err := os.ReadFile(filepath.Join(run, report.MetricsFile)); err == nil && bytes.Count(raw, []byte("\n")) >= n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has no %d rounds", run, n)
}

// TestOneProcessPerRun checks that only one process at a time writes to a run directory. A second process is told which one
// does, and may write if the first one was killed.
func TestOneProcessPerRun(t *testing.T) {
	data := mnist(t)
	t.Chdir(t.TempDir())
	out := filepath.Join("runs", "run")
	holder := program(t, small(data, out, "--rounds", "100000", "--algorithm", "fedavg", "--quiet")...)
	waitForRounds(t, out, 1)
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	who := fmt.Sprintf("in use by process %d on host %s, since 2", holder.Process.Pid, host)
	for _, args := range [][]string{
		{"train", "--resume", out},
		small(data, out),
		{"cluster", "--dataset", "mnist", "--data-dir", data, "--clients", "6", "--groups", "2", "--labels-per-group", "3", "--out", out},
		{"partition", "--dataset", "mnist", "--data-dir", data, "--clients", "6", "--groups", "2", "--labels-per-group", "3", "--out", out},
	} {
		code, _, log := feddag(args...)
		if code != exitFailed || !strings.Contains(log, who) {
			t.Errorf("feddag %v: exit code %d, want %q: %s", args, code, who, log)
		}
		if strings.Contains(log, "--resume") {
			t.Errorf("feddag %v: told to resume a live run: %s", args, log)
		}
	}
	if _, _, log := feddag("compare", "--read", out); strings.Contains(log, "in use") {
		t.Errorf("reading needs no lock: %s", log)
	}
	if _, stdout, _ := feddag("doctor"); !strings.Contains(stdout, out+": "+who) {
		t.Errorf("doctor does not name the holder:\n%s", stdout)
	}
	holder.Process.Kill()
	holder.Wait()
	raw := mustRead(t, out, report.MetricsFile)
	rounds := bytes.Count(raw, []byte("\n")) + 1
	if code, _, log := feddag("train", "--resume", out, "--rounds", strconv.Itoa(rounds)); code != exitDone {
		t.Fatalf("after kill -9: exit code %d: %s", code, log)
	}
	now := mustRead(t, out, report.MetricsFile)
	if n := bytes.Count(now, []byte("\n")); n != rounds {
		t.Errorf("%d lines of %d rounds", n, rounds)
	}
	if _, err := os.Stat(filepath.Join(out, report.LockFile)); err == nil {
		t.Error("the lock is left behind")
	}
}

// TestRunsOfTheSameSecond checks that jobs that begin in the same second without --out each get their own directory.
func TestRunsOfTheSameSecond(t *testing.T) {
	data := mnist(t)
	t.Chdir(t.TempDir())
	args := small(data, "")
	args = append(args[:len(args)-2], "--rounds", "1", "--algorithm", "fedavg", "--quiet", "--final-post=false") // without --out
	var jobs []*exec.Cmd
	for range 3 {
		jobs = append(jobs, program(t, args...))
	}
	for _, job := range jobs {
		if err := job.Wait(); err != nil {
			t.Errorf("a job failed: %v", err)
		}
	}
	summaries, err := filepath.Glob("runs/*/summary.json")
	if err != nil || len(summaries) != 3 {
		t.Errorf("the runs are %v (%v)", summaries, err)
	}
}
