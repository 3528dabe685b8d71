package cli

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"feddag/report"
	"feddag/torch/ranks/rankstest"
)

// long skips a test that takes minutes unless FEDDAG_LONG is set.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("FEDDAG_LONG") == "" {
		t.Skip("takes minutes: set FEDDAG_LONG=1")
	}
}

// longRun are the flags of a run in which ranks are killed.
func longRun(data, out string) []string {
	return small(data, out, "--workers", "1", "--rounds", "40", "--rate", "1")
}

// restarted runs ranks until they end by themselves, like a launcher: when one of them fails, the others are killed, and all
// ranks are restarted with the same command. harm is called with the ranks of each attempt and may kill or stop them; done is
// closed when the first rank has ended.
func restarted(t *testing.T, size int, args []string, harm func(attempt int, ranks []*rankProcess, done <-chan struct{})) (attempts int) {
	t.Helper()
	for attempt := 0; ; attempt++ {
		processes := startRanks(t, size, func(int) []string { return args })
		ended := make(chan int, size)
		for rank, p := range processes {
			go func() { p.Wait(); ended <- rank }()
		}
		done := make(chan struct{})
		harmed := make(chan struct{})
		go func() { harm(attempt, processes, done); close(harmed) }()
		failed := false
		for k := range size {
			rank := <-ended
			if k == 0 {
				close(done)
			}
			if processes[rank].ProcessState.ExitCode() != exitDone && !failed {
				failed = true
				<-harmed
				for _, p := range processes {
					p.Process.Kill()
				}
			}
		}
		if !failed {
			return attempt
		}
		if attempt > 300 {
			t.Fatalf("no attempt succeeds: %s", logs(processes))
		}
	}
}

// TestRanksKilled kills random ranks at random moments, FEDDAG_KILLS (50) times in all, and compares the files with those of
// an undisturbed process.
func TestRanksKilled(t *testing.T) {
	long(t)
	kills := numberFrom(t, "FEDDAG_KILLS", 50)
	data, tmp := mnist(t), t.TempDir()
	whole := filepath.Join(tmp, "whole")
	began := time.Now()
	must(t, longRun(data, whole)...)
	one := time.Since(began)
	files := runFiles(t, whole)
	done := 0
	for n := 0; done < kills; n++ {
		out := filepath.Join(tmp, fmt.Sprint("run", n))
		attempts := restarted(t, 2+n%2, longRun(data, out), func(_ int, ranks []*rankProcess, ended <-chan struct{}) {
			if done == kills {
				return
			}
			select {
			case <-ended:
			case <-time.After(time.Duration(rand.Float64() * float64(one))):
				done++
				ranks[rand.IntN(len(ranks))].Process.Kill()
			}
		})
		sameFiles(t, whole, out, files)
		t.Logf("run %d: %d attempts, %d kills so far", n, attempts+1, done)
	}
}

// TestRanksStopped stops random ranks at random moments. The others must end by themselves within a minute and name the rank,
// and the run must finally have the bytes of an undisturbed process.
func TestRanksStopped(t *testing.T) {
	long(t)
	stops := numberFrom(t, "FEDDAG_STOPS", 10)
	data, tmp := mnist(t), t.TempDir()
	whole, out := filepath.Join(tmp, "whole"), filepath.Join(tmp, "run")
	must(t, longRun(data, whole)...)
	files := runFiles(t, whole)
	done := 0
	restarted(t, 2, longRun(data, out), func(_ int, ranks []*rankProcess, ended <-chan struct{}) {
		if done == stops {
			return
		}
		// Wait for the rounds of this attempt, which continues from the last one.
		for before := countRounds(out); countRounds(out) <= before && done > 0 || countRounds(out) < 1; time.Sleep(time.Millisecond) {
			select {
			case <-ended:
				return
			default:
			}
		}
		victim := rand.IntN(len(ranks))
		ranks[victim].Process.Signal(syscall.SIGSTOP)
		began := time.Now()
		select {
		case <-ended:
		case <-time.After(60 * time.Second):
			t.Errorf("rank %d was stopped, and the other has not ended within a minute: %s", victim, logs(ranks))
		}
		done++
		text := ranks[1-victim].log.String()
		if want := fmt.Sprintf("rank %d", victim); !strings.Contains(text[strings.LastIndex(text, "feddag:")+1:], want) {
			t.Errorf("rank %d was stopped, and the other says %s", victim, text)
		}
		t.Logf("rank %d was stopped after %d rounds; the other ended after %.1f s", victim, countRounds(out), time.Since(began).Seconds())
	})
	if done < stops {
		t.Logf("the run was over after %d stops", done)
	}
	sameFiles(t, whole, out, files)
}

// TestTorchrun checks that the ranks continue the same run, even without --out, when torchrun restarts them after one was
// killed.
func TestTorchrun(t *testing.T) {
	long(t)
	rankstest.Skip(t)
	torchrun, err := exec.LookPath("torchrun")
	if err != nil {
		t.Skip("there is no torchrun: ", err)
	}
	data, tmp := mnist(t), t.TempDir()
	whole := filepath.Join(tmp, "whole")
	must(t, longRun(data, whole)...)
	// The agent's store persists over the attempts, but it can only be used by a program with the same version of PyTorch.
	for _, held := range []string{"1", "0"} {
		args := longRun(data, filepath.Join(tmp, "run"+held))
		cmd := exec.Command(torchrun, append([]string{"--standalone", "--no-python", "--nproc-per-node=2", "--max-restarts=3", os.Args[0]}, args...)...)
		cmd.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1", "TORCH_DISABLE_SHARE_RDZV_TCP_STORE="+held)
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(tmp, "run"+held)
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for countRounds(out) < 2 && len(ended) == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if len(ended) == 0 {
			killChild(t, cmd.Process.Pid)
		}
		err := <-ended
		if err != nil && strings.Contains(log.String(), "TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1") && held == "0" {
			t.Log("this torchrun is of another version than libtorch, which the message says")
			continue
		}
		if err != nil {
			t.Fatalf("%v: %s", err, log.String())
		}
		if !strings.Contains(log.String(), "continuing it") {
			t.Errorf("torchrun has started nothing anew: %s", log.String())
		}
		if a, b := mustRead(t, whole, "model/cluster-0.safetensors"), mustRead(t, out, "model/cluster-0.safetensors"); !bytes.Equal(a, b) {
			t.Error("other weights than those of one process")
		}
	}
}

// killChild kills a child of a process.
func killChild(t *testing.T, parent int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tasks {
		for _, child := range strings.Fields(string(mustRead(t, file))) {
			pid, err := strconv.Atoi(child)
			if err != nil {
				t.Fatal(err)
			}
			program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
			if err == nil && program == must1(os.Executable()) {
				syscall.Kill(pid, syscall.SIGKILL)
				return
			}
		}
	}
	t.Error("torchrun has no child that is this program")
}

// must1 returns a value without its error.
func must1(text string, _ error) string { return text }

// TestRanksOverNetworks runs two ranks in network namespaces that a virtual cable connects, and disconnects the cable during
// a round. Both sides must end within a minute; when the cable is connected again, the same command must continue and give
// the bytes of one process.
func TestRanksOverNetworks(t *testing.T) {
	long(t)
	rankstest.Skip(t)
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	a, b := fmt.Sprintf("fda%d", os.Getpid()), fmt.Sprintf("fdb%d", os.Getpid())
	if err := ip("netns", "add", a); err != nil {
		t.Skip("network namespaces are not permitted: ", err)
	}
	t.Cleanup(func() { ip("netns", "del", a); ip("netns", "del", b) })
	for _, args := range [][]string{
		{"netns", "add", b}, {"-n", a, "link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", b},
		{"-n", a, "addr", "add", "10.77.0.1/24", "dev", "v0"}, {"-n", b, "addr", "add", "10.77.0.2/24", "dev", "v1"},
		{"-n", a, "link", "set", "v0", "up"}, {"-n", b, "link", "set", "v1", "up"}, {"-n", a, "link", "set", "lo", "up"}, {"-n", b, "link", "set", "lo", "up"},
	} {
		if err := ip(args...); err != nil {
			t.Skip("network namespaces are not permitted: ", err)
		}
	}
	data, tmp := mnist(t), t.TempDir()
	whole, out := filepath.Join(tmp, "whole"), filepath.Join(tmp, "run")
	must(t, longRun(data, whole)...)
	start := func() []*rankProcess {
		var processes []*rankProcess
		for rank, namespace := range []string{a, b} {
			p := &rankProcess{Cmd: exec.Command("ip", append([]string{"netns", "exec", namespace, os.Args[0]}, longRun(data, out)...)...)}
			p.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1", fmt.Sprint("RANK=", rank), "WORLD_SIZE=2", "MASTER_ADDR=10.77.0.1", "MASTER_PORT=29511")
			p.Stdout, p.Stderr = &p.out, &p.log
			if err := p.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { p.Process.Kill() })
			processes = append(processes, p)
		}
		return processes
	}
	processes := start()
	waitForRounds(t, out, 2)
	if err := ip("-n", a, "link", "set", "v0", "down"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for rank, code := range waitRanks(processes) {
		if code == exitDone || time.Since(began) > time.Minute {
			t.Errorf("rank %d ended with exit code %d after %v: %s", rank, code, time.Since(began), logs(processes))
		}
	}
	t.Logf("both have ended after %.1f s:\n%s", time.Since(began).Seconds(), logs(processes))
	if err := ip("-n", a, "link", "set", "v0", "up"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(out, report.SummaryFile)); err == nil {
		t.Fatal("the run that was cut has a summary")
	}
	processes = start()
	if codes := waitRanks(processes); codes[0] != exitDone || codes[1] != exitDone {
		t.Fatalf("exit codes %v: %s", codes, logs(processes))
	}
	if a, b := mustRead(t, whole, "model/cluster-0.safetensors"), mustRead(t, out, "model/cluster-0.safetensors"); !bytes.Equal(a, b) {
		t.Error("other weights than those of one process")
	}
}
