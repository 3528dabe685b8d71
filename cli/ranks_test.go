package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"feddag/report"
	"feddag/torch"
	"feddag/torch/ranks/rankstest"
)

// rankProcess is one rank of a run in a separate process.
type rankProcess struct {
	*exec.Cmd
	out, log bytes.Buffer
}

// startRanks starts the given number of ranks on loopback. args returns the command line of each rank.
func startRanks(t *testing.T, size int, args func(rank int) []string) []*rankProcess {
	t.Helper()
	rankstest.Skip(t)
	port := rankstest.Port(t)
	processes := make([]*rankProcess, size)
	for rank := range processes {
		p := &rankProcess{Cmd: exec.Command(os.Args[0], args(rank)...)}
		p.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1", fmt.Sprint("RANK=", rank), fmt.Sprint("WORLD_SIZE=", size), "MASTER_ADDR=127.0.0.1",
			fmt.Sprint("MASTER_PORT=", port))
		p.Stdout, p.Stderr = &p.out, &p.log
		// Each rank has its own working directory, so that relative paths differ between ranks.
		p.Dir = t.TempDir()
		p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		processes[rank] = p
		t.Cleanup(func() { p.Process.Kill() })
	}
	return processes
}

// waitRanks waits for all ranks and returns their exit codes.
func waitRanks(processes []*rankProcess) (codes []int) {
	for _, p := range processes {
		p.Wait()
		codes = append(codes, p.ProcessState.ExitCode())
	}
	return codes
}

// logs returns the output of the ranks.
func logs(processes []*rankProcess) string {
	var b strings.Builder
	for rank, p := range processes {
		fmt.Fprintf(&b, "rank %d: %s\n", rank, p.log.String())
	}
	return b.String()
}

// mustRanks runs ranks, all of which must succeed.
func mustRanks(t *testing.T, size int, args func(rank int) []string) {
	t.Helper()
	processes := startRanks(t, size, args)
	for rank, code := range waitRanks(processes) {
		if code != exitDone {
			t.Fatalf("rank %d of %d: exit code %d:\n%s", rank, size, code, logs(processes))
		}
	}
}

// TestTrainOnRanks compares every file of a run on two ranks with the files of one process, and does the same for a run that
// three ranks begin and two finish. Only rank 0 writes.
func TestTrainOnRanks(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	whole, out := filepath.Join(tmp, "whole"), filepath.Join(tmp, "two")
	must(t, small(data, whole, "--workers", "1")...)
	files := runFiles(t, whole)
	other := func(rank int, out string) string { // only rank 0 has this directory
		if rank > 0 {
			return "nowhere/run"
		}
		return out
	}
	mustRanks(t, 2, func(rank int) []string { return small(data, other(rank, out), "--workers", "1") })
	sameFiles(t, whole, out, files)

	begun := filepath.Join(tmp, "three")
	mustRanks(t, 3, func(rank int) []string { return small(data, other(rank, begun), "--workers", "1", "--rounds", "1") })
	// The command of the launcher continues a run that it has begun.
	processes := startRanks(t, 2, func(rank int) []string {
		return []string{"train", "--resume", other(rank, begun), "--workers", "1", "--rounds", "3"}
	})
	for rank, code := range waitRanks(processes) {
		if code != exitDone {
			t.Fatalf("rank %d: exit code %d: %s", rank, code, logs(processes))
		}
		if _, err := os.Stat(filepath.Join(processes[rank].Dir, "nowhere")); err == nil {
			t.Errorf("rank %d has made a directory", rank)
		}
	}
	if a, b := mustRead(t, whole, "model/cluster-0.safetensors"), mustRead(t, begun, "model/cluster-0.safetensors"); !bytes.Equal(a, b) {
		t.Error("a run that three ranks began and two ended has other weights")
	}
}

// TestRanksResumeInputs checks that ranks which resume a run get the files that the run keeps a copy of from rank 0.
func TestRanksResumeInputs(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	first := filepath.Join(tmp, "first")
	must(t, small(data, first, "--algorithm", "fedavg", "--rounds", "1", "--final-post=false")...)
	scenario, weights := filepath.Join(tmp, "scenario.json"), filepath.Join(first, "model", "global.safetensors")
	write(t, scenario, []byte(`{"version": 2, "events": [{"round": 2, "leave": 0}]}`))
	args := func(out, rounds string) []string {
		return small(data, out, "--algorithm", "fedavg", "--workers", "1", "--final-post=false", "--rounds", rounds, "--scenario", scenario, "--initial-weights", weights)
	}
	whole, out := filepath.Join(tmp, "whole"), filepath.Join(tmp, "run")
	must(t, args(whole, "3")...)
	mustRanks(t, 2, func(int) []string { return args(out, "2") })
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	mustRanks(t, 2, func(int) []string { return []string{"train", "--resume", out, "--workers", "1", "--rounds", "3"} })
	if a, b := mustRead(t, whole, "model/global.safetensors"), mustRead(t, out, "model/global.safetensors"); !bytes.Equal(a, b) {
		t.Error("the run has other weights")
	}
}

// TestRanksGoOn interrupts one of two ranks. Both must end, and the same command must continue and give the bytes of one
// process.
func TestRanksGoOn(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	whole, out := filepath.Join(tmp, "whole"), filepath.Join(tmp, "run")
	args := func(out string) []string {
		return small(data, out, "--algorithm", "fedavg", "--workers", "1", "--rounds", "30", "--final-post=false")
	}
	must(t, args(whole)...)
	processes := startRanks(t, 2, func(int) []string { return args(out) })
	waitForRounds(t, out, 1)
	processes[1].Process.Signal(syscall.SIGTERM)
	codes := waitRanks(processes)
	if codes[0] == exitDone {
		t.Skip("the run was over too soon")
	}
	if codes[1] != exitInterrupted || codes[0] != exitFailed || !strings.Contains(processes[0].log.String(), "rank 1 (host") {
		t.Errorf("exit codes %v: %s", codes, logs(processes))
	}
	if _, err := os.Stat(filepath.Join(out, report.SummaryFile)); err == nil {
		t.Fatal("the interrupted run has a summary")
	}
	processes = startRanks(t, 2, func(int) []string { return args(out) })
	if codes := waitRanks(processes); codes[0] != exitDone || codes[1] != exitDone || !strings.Contains(processes[0].log.String(), "continuing it") {
		t.Fatalf("exit codes %v: %s", codes, logs(processes))
	}
	if a, b := mustRead(t, whole, "model/global.safetensors"), mustRead(t, out, "model/global.safetensors"); !bytes.Equal(a, b) {
		t.Error("the run that was interrupted has other weights")
	}
	// The command does not continue another run.
	processes = startRanks(t, 2, func(int) []string { return append(args(out), "--lr", "0.5") })
	if codes := waitRanks(processes); codes[0] != exitUsage || codes[1] == exitDone || !strings.Contains(processes[0].log.String(), "--lr") {
		t.Errorf("another learning rate: exit codes %v: %s", codes, logs(processes))
	}
}

// TestRanksThatDisagree checks that ranks with different settings end with the reason before they have written anything.
func TestRanksThatDisagree(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	otherData := mnist(t)
	images := mustRead(t, otherData, "train-images-idx3-ubyte")
	images[len(images)-1]++
	write(t, filepath.Join(otherData, "train-images-idx3-ubyte"), images)
	scenario := filepath.Join(tmp, "scenario.json")
	write(t, scenario, []byte(`{"version": 2, "events": [{"round": 2, "leave": 0}]}`))
	var weights []string // files of different weights, in different folders
	for seed := range 2 {
		out := filepath.Join(t.TempDir(), "run")
		must(t, small(data, out, "--algorithm", "fedavg", "--rounds", "1", "--final-post=false", "--seed", fmt.Sprint(seed))...)
		weights = append(weights, filepath.Join(out, "model", "global.safetensors"))
	}
	for name, c := range map[string]struct {
		size int
		code int
		args func(rank int) []string
		want []string
	}{
		"flags": {2, exitFailed, func(rank int) []string {
			return small(data, filepath.Join(tmp, "a"), "--lr", fmt.Sprint(0.1+float64(rank)))
		},
			[]string{"rank 1 (host", "--lr 1.1", "and rank 0 (host", "has 0.1"}},
		"early stopping": {2, exitFailed, func(rank int) []string { // a flag that may change on --resume
			return small(data, filepath.Join(tmp, "b"), "--early-stopping", fmt.Sprint(rank))
		}, []string{"--early-stopping 1", "has 0"}},
		"data": {2, exitFailed, func(rank int) []string { return small([]string{data, otherData}[rank], filepath.Join(tmp, "c")) },
			[]string{"rank 1 (host", "a data set whose content has the hash"}},
		"scenarios": {2, exitFailed, func(rank int) []string {
			return append(small(data, filepath.Join(tmp, "d")), [][]string{nil, {"--scenario", scenario}}[rank]...)
		}, []string{"a scenario with the hash"}},
		"initial weights": {2, exitFailed, func(rank int) []string {
			return small(data, filepath.Join(tmp, "g"), "--algorithm", "fedavg", "--initial-weights", weights[rank])
		}, []string{"initial weights with the hash"}},
		"too many": {3, exitUsage, func(rank int) []string {
			return plain(data, filepath.Join(tmp, "e"), "--algorithm", "fedavg", "--partition", "iid", "--clients", "2")
		}, []string{"3 ranks and 2 clients"}},
		"a mistake": {2, exitUsage, func(rank int) []string { return small(data, filepath.Join(tmp, "f"), "--lrr", "1") },
			[]string{"did you mean --lr?"}},
	} {
		processes := startRanks(t, c.size, c.args)
		for rank, code := range waitRanks(processes) {
			text := processes[rank].log.String()
			for _, want := range c.want {
				if code != c.code || !strings.Contains(text, want) {
					t.Errorf("%s: rank %d: exit code %d, and the message lacks %q: %s", name, rank, code, want, text)
				}
			}
		}
	}
	if runs, _ := filepath.Glob(filepath.Join(tmp, "*", "config.yaml")); len(runs) > 0 {
		t.Errorf("there are runs: %v", runs)
	}
}

// TestDistributedOff checks that a process ignores launchers with --distributed off, and otherwise needs all of their
// variables.
func TestDistributedOff(t *testing.T) {
	data := mnist(t)
	t.Setenv("RANK", "1")
	t.Setenv("WORLD_SIZE", "2")
	t.Setenv("MASTER_ADDR", "")
	args := small(data, filepath.Join(t.TempDir(), "run"), "--algorithm", "fedavg", "--rounds", "1", "--final-post=false")
	if code, _, log := feddag(args...); code != exitUsage || !strings.Contains(log, "MASTER_ADDR") {
		t.Errorf("without MASTER_ADDR: exit code %d: %s", code, log)
	}
	if code, _, log := feddag(append(args, "--distributed", "on")...); code != exitUsage || !strings.Contains(log, "auto, off") {
		t.Errorf("--distributed on: exit code %d: %s", code, log)
	}
	must(t, append(args, "--distributed", "off")...)
	t.Setenv("FEDDAG_DISTRIBUTED", "off")
	must(t, small(data, filepath.Join(t.TempDir(), "run"), "--algorithm", "fedavg", "--rounds", "1", "--final-post=false")...)
}

// TestRanksWithoutGloo runs a rank of a program whose library has no process groups, as if it was built without Gloo's
// headers. It must end before it waits for the others, and say what to install.
func TestRanksWithoutGloo(t *testing.T) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("there is no C compiler: ", err)
	}
	dir := t.TempDir()
	source, library := filepath.Join(dir, "none.c"), filepath.Join(dir, "none.so")
	write(t, source, []byte("int fd_group_backends(void) { return 0; }\n")) // as in torch/shim/group.cc without FD_GLOO
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, more := range [][]string{nil, {"--distributed", "off"}} {
		out := filepath.Join(dir, fmt.Sprint("run", len(more)))
		args := append(small(mnist(t), out, "--algorithm", "fedavg", "--rounds", "1", "--final-post=false"), more...)
		c := exec.Command(os.Args[0], args...)
		c.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1", "LD_PRELOAD="+library, "RANK=0", "WORLD_SIZE=2", "MASTER_ADDR=127.0.0.1",
			fmt.Sprint("MASTER_PORT=", rankstest.Port(t)))
		text, _ := c.CombinedOutput()
		switch code := c.ProcessState.ExitCode(); {
		case more != nil && code != exitDone:
			t.Errorf("one process: exit code %d: %s", code, text)
		case more == nil && (code != exitFailed || !strings.Contains(string(text), torch.ErrNoGroups.Error())):
			t.Errorf("exit code %d, and the message lacks %q: %s", code, torch.ErrNoGroups, text)
		}
	}
}
