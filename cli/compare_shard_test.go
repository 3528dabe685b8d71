package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// sweepRuns are the runs of the comparison of [sweep].
var sweepRuns = func() (names []string) {
	for _, algorithm := range []string{"fedavg", "fedprox", "ifca", "local"} {
		for seed := 1; seed <= 3; seed++ {
			names = append(names, fmt.Sprintf("%s-%d", algorithm, seed))
		}
	}
	return names
}()

// sweep are the flags of a comparison of twelve runs.
func sweep(t *testing.T, data, out string, more ...string) []string {
	return little(t, data, out, append([]string{"--algorithms", "fedavg,fedprox,ifca,local", "--seeds", "1,2,3", "--rounds", "3", "--final-post=false"}, more...)...)
}

// checkSweep compares the runs of a sweep with those of another byte by byte, and checks that the tables have all of them.
func checkSweep(t *testing.T, want, got string) {
	t.Helper()
	for _, run := range sweepRuns {
		models, err := filepath.Glob(filepath.Join(want, run, "model", "*.safetensors"))
		if err != nil || len(models) < 2 {
			t.Fatalf("%s has the models %v (%v)", run, models, err)
		}
		for _, file := range append(models, filepath.Join(want, run, "clients.csv")) {
			name, err := filepath.Rel(want, file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(mustRead(t, file), mustRead(t, got, name)) {
				t.Errorf("%s differs from the one that a single process makes", name)
			}
		}
		if n := bytes.Count(mustRead(t, got, run, "metrics.jsonl"), []byte("\n")); n != 3 {
			t.Errorf("%s has %d lines of metrics, want one per round: it was run more than once", run, n)
		}
	}
	if n := bytes.Count(mustRead(t, got, "runs.csv"), []byte("\n")); n != len(sweepRuns)+1 {
		t.Errorf("runs.csv has %d lines, want a heading and %d runs", n, len(sweepRuns))
	}
}

// beginnings returns the number of runs that begin according to the log of a comparison.
func beginnings(log string) map[string]int {
	counts := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^== (\S+), seed (\d)`).FindAllStringSubmatch(log, -1) {
		counts[m[1]+"-"+m[2]]++
	}
	return counts
}

// TestSweep runs a comparison with one process, with three processes of which one is killed, and with three shards. It checks
// that all give the same bytes and that no run is trained twice.
func TestSweep(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	serial := filepath.Join(tmp, "serial")
	must(t, sweep(t, data, serial, "--quiet")...)

	t.Run("killed", func(t *testing.T) {
		out := filepath.Join(tmp, "together")
		var logs [3]bytes.Buffer
		var workers [3]*exec.Cmd
		for k := range workers {
			workers[k] = exec.Command(os.Args[0], sweep(t, data, out, "--wait")...)
			workers[k].Stderr = &logs[k]
			if err := workers[k].Start(); err != nil {
				t.Fatal(err)
			}
			defer workers[k].Process.Kill()
		}
		// One of the processes is killed during any of its runs.
		for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			if started, err := filepath.Glob(filepath.Join(out, "*", "metrics.jsonl")); err == nil && len(started) > 0 {
				break
			}
		}
		workers[1].Process.Kill()
		workers[1].Wait()
		total := beginnings(logs[1].String())
		last := ""
		if lines := regexp.MustCompile(`(?m)^== (\S+), seed (\d)`).FindAllStringSubmatch(logs[1].String(), -1); len(lines) > 0 {
			last = lines[len(lines)-1][1] + "-" + lines[len(lines)-1][2]
		}
		for _, k := range []int{0, 2} {
			if err := workers[k].Wait(); err != nil {
				t.Errorf("worker %d: %v: %s", k, err, logs[k].String())
			}
			for run, n := range beginnings(logs[k].String()) {
				total[run] += n
			}
		}
		for _, run := range sweepRuns {
			if n := total[run]; n != 1 && !(run == last && n == 2) {
				t.Errorf("%s was begun %d times", run, n)
			}
		}
		checkSweep(t, serial, out)
	})

	t.Run("shards", func(t *testing.T) {
		out := filepath.Join(tmp, "shards")
		total := map[string]int{}
		for k := range 3 {
			args := sweep(t, data, out)
			if k == 1 { // as a task of a Slurm array that begins at 1
				t.Setenv("SLURM_ARRAY_TASK_ID", "2")
				t.Setenv("SLURM_ARRAY_TASK_COUNT", "3")
				t.Setenv("SLURM_ARRAY_TASK_MIN", "1")
			} else {
				args = append(args, "--shard", fmt.Sprintf("%d/3", k))
			}
			code, _, log := feddag(args...)
			if code != exitDone {
				t.Fatalf("shard %d: exit code %d: %s", k, code, log)
			}
			if n := beginnings(log); len(n) != 4 {
				t.Errorf("shard %d ran %v, want four runs", k, n)
			}
			for run, n := range beginnings(log) {
				total[run] += n
			}
		}
		for _, run := range sweepRuns {
			if total[run] != 1 {
				t.Errorf("%s was begun %d times", run, total[run])
			}
		}
		checkSweep(t, serial, out)
	})
}

// TestShardMistakes checks the errors for shards that do not exist, and for processes without a common directory.
func TestShardMistakes(t *testing.T) {
	for _, c := range []struct {
		env  []string
		args []string
		want string
	}{
		{nil, []string{"--shard", "4/4"}, "i from 0 to n-1"},
		{nil, []string{"--shard", "1"}, "i from 0 to n-1"},
		{nil, []string{"--shard", "0/0"}, "i from 0 to n-1"},
		{nil, []string{"--shard", "1/2"}, "--out"},
		{[]string{"SLURM_ARRAY_TASK_ID=3", "SLURM_ARRAY_TASK_COUNT=4"}, nil, "--shard 0/1"},
		{[]string{"SLURM_ARRAY_TASK_ID=x", "SLURM_ARRAY_TASK_COUNT=4"}, nil, "SLURM_ARRAY_TASK_ID is \"x\""},
		{[]string{"SLURM_ARRAY_TASK_ID=7", "SLURM_ARRAY_TASK_COUNT=3", "SLURM_ARRAY_TASK_MIN=1"}, nil, "no task 7"},
	} {
		for _, v := range c.env {
			name, value, _ := strings.Cut(v, "=")
			t.Setenv(name, value)
		}
		code, _, log := feddag(append([]string{"compare", "--algorithms", "fedavg"}, c.args...)...)
		if code != exitUsage || !strings.Contains(log, c.want) {
			t.Errorf("%v %v: exit code %d, want %q: %s", c.env, c.args, code, c.want, log)
		}
		for _, v := range c.env {
			name, _, _ := strings.Cut(v, "=")
			os.Unsetenv(name)
		}
	}
}

// TestSlurmShard checks the shard of each task for arrays with different starts and steps.
func TestSlurmShard(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "0/1"},
		{map[string]string{"SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "0"}, "0/3"},
		{map[string]string{"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "3", "SLURM_ARRAY_TASK_MIN": "1"}, "2/3"},
		{map[string]string{"SLURM_ARRAY_TASK_ID": "20", "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "5"}, "2/4"},
	} {
		s, err := slurmShard(func(name string) string { return c.env[name] })
		if err != nil || s.String() != c.want {
			t.Errorf("%v: %s, %v, want %s", c.env, s.String(), err, c.want)
		}
	}
}

// TestLocalDevice checks which GPU is selected for a process that shares its machine with others.
func TestLocalDevice(t *testing.T) {
	for _, c := range []struct {
		devices int
		env     map[string]string
		want    string
	}{
		{0, map[string]string{"LOCAL_RANK": "3"}, "auto"},
		{1, map[string]string{"LOCAL_RANK": "3"}, "auto"},
		{4, nil, "auto"},
		{4, map[string]string{"LOCAL_RANK": "3", "SLURM_LOCALID": "1"}, "cuda:3"},
		{2, map[string]string{"SLURM_LOCALID": "3"}, "cuda:1"},
		{8, map[string]string{"OMPI_COMM_WORLD_LOCAL_RANK": "0"}, "cuda:0"},
	} {
		got, err := localDevice(c.devices, func(name string) string { return c.env[name] })
		if err != nil || got != c.want {
			t.Errorf("%d devices, %v: %s, %v, want %s", c.devices, c.env, got, err, c.want)
		}
	}
	if _, err := localDevice(2, func(string) string { return "-1" }); err == nil || !strings.Contains(err.Error(), "LOCAL_RANK") {
		t.Errorf("a negative rank: %v", err)
	}
}

// TestIndependent checks that the runs of a comparison do not see the variables of a launcher.
func TestIndependent(t *testing.T) {
	got := independent([]string{"RANK=1", "PATH=/bin", "WORLD_SIZE=2", "LOCAL_RANK=1", "TORCHELASTIC_RUN_ID=x", "MASTER_ADDR=h", "RANKING=1"})
	if want := []string{"PATH=/bin", "LOCAL_RANK=1", "RANKING=1"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
