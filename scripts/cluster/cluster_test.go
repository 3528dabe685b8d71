// Package cluster tests the scripts that distribute comparisons and runs over machines.
package cluster

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// recorder writes a program that replaces feddag: it records its arguments in a file and then runs a line of bash. It returns
// the program and the file.
func recorder(t *testing.T, line string) (program, notes string) {
	t.Helper()
	dir := t.TempDir()
	program, notes = filepath.Join(dir, "feddag"), filepath.Join(dir, "notes")
	text := "#!/bin/bash\nprintf '%s\\n' \"$*\" >>" + notes + "\n" + line + "\n"
	if err := os.WriteFile(program, []byte(text), 0o777); err != nil {
		t.Fatal(err)
	}
	return program, notes
}

// noted waits for the arguments that a recorder records, and returns a line per call.
func noted(t *testing.T, notes string) []string {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if raw, err := os.ReadFile(notes); err == nil && len(raw) > 0 {
			return strings.Split(strings.TrimSpace(string(raw)), "\n")
		}
	}
	t.Fatal("the program was not called")
	return nil
}

// TestSlurmArray checks that a task of the array calls compare, passes the signal before the time limit on, and ends with the
// exit code of the program.
func TestSlurmArray(t *testing.T) {
	program, notes := recorder(t, `trap 'exit 130' USR1; for k in {1..600}; do sleep 0.1; done; exit 7`)
	cmd := exec.Command("bash", "slurm_array.sh", "--quiet")
	cmd.Env = append(os.Environ(), "FEDDAG="+program, "OUT=o", "ARGS=--algorithms ifca --seeds 1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if got, want := noted(t, notes), "compare --out o --algorithms ifca --seeds 1 --quiet"; len(got) != 1 || got[0] != want {
		t.Errorf("called %q, want %q", got, want)
	}
	time.Sleep(200 * time.Millisecond) // until the program has set its trap
	if err := cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want the program's 130", code)
	}
}

// TestParallel checks that each GPU gets its own process and that the tables are made at the end.
func TestParallel(t *testing.T) {
	if _, err := exec.LookPath("parallel"); err != nil {
		t.Skip("GNU parallel is not installed")
	}
	program, notes := recorder(t, "")
	cmd := exec.Command("bash", "parallel.sh", "3", "o", "--algorithms", "ifca")
	cmd.Env = append(os.Environ(), "FEDDAG="+program)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	got := noted(t, notes)
	if len(got) != 4 || got[3] != "compare --read o" {
		t.Fatalf("called %q", got)
	}
	if lines := strings.Join(got[:3], "\n"); strings.Contains(lines, "compare --read") {
		t.Errorf("the tables are made before the runs end:\n%s", lines)
	}
	for _, device := range []string{"cuda:0", "cuda:1", "cuda:2"} {
		if all := strings.Join(got, "\n"); strings.Count(all, "compare --out o --device "+device+" --wait --algorithms ifca") != 1 {
			t.Errorf("%s is not used once:\n%s", device, all)
		}
	}
}

// TestKubernetes checks that the manifest is a Job with as many shards as pods.
func TestKubernetes(t *testing.T) {
	raw, err := os.ReadFile("kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var job struct {
		Kind string
		Spec struct {
			CompletionMode           string `yaml:"completionMode"`
			Completions, Parallelism int
			Template                 struct {
				Spec struct {
					Containers []struct{ Args []string }
				}
			}
		}
	}
	if err := yaml.Unmarshal(raw, &job); err != nil {
		t.Fatal(err)
	}
	s := job.Spec
	if job.Kind != "Job" || s.CompletionMode != "Indexed" || s.Completions != 4 || s.Parallelism != 4 || len(s.Template.Spec.Containers) != 1 {
		t.Fatalf("the manifest is %+v", job)
	}
	if args := strings.Join(s.Template.Spec.Containers[0].Args, " "); !strings.HasPrefix(args, "compare --shard=$(JOB_COMPLETION_INDEX)/4 --out=/runs/") {
		t.Errorf("the arguments are %q", args)
	}
}

// TestSlurmRanks checks that srun starts the run and ends all tasks when one fails.
func TestSlurmRanks(t *testing.T) {
	program, notes := recorder(t, "exit 3")
	srun := filepath.Join(filepath.Dir(program), "srun")
	if err := os.Rename(program, srun); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "slurm_ranks.sh", "--quiet")
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(srun)+":"+os.Getenv("PATH"), "FEDDAG=f", "OUT=o", "ARGS=--algorithm ifca --seed 1")
	cmd.Run()
	if got, want := noted(t, notes), "--kill-on-bad-exit=1 f train --out o --algorithm ifca --seed 1 --quiet"; len(got) != 1 || got[0] != want {
		t.Errorf("srun was called with %q, want %q", got, want)
	}
	if code := cmd.ProcessState.ExitCode(); code != 3 {
		t.Errorf("exit code %d, want srun's 3", code)
	}
}

// TestPyTorchJob checks that all pods of the manifest run the same command and that only the master has the volume.
func TestPyTorchJob(t *testing.T) {
	raw, err := os.ReadFile("pytorchjob.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type replica struct {
		Replicas      int
		RestartPolicy string `yaml:"restartPolicy"`
		Template      struct {
			Spec struct {
				Containers []struct {
					Name         string
					Args         []string
					VolumeMounts []any `yaml:"volumeMounts"`
				}
			}
		}
	}
	var job struct {
		Kind string
		Spec struct {
			Replicas map[string]replica `yaml:"pytorchReplicaSpecs"`
		}
	}
	if err := yaml.Unmarshal(raw, &job); err != nil {
		t.Fatal(err)
	}
	master, worker := job.Spec.Replicas["Master"], job.Spec.Replicas["Worker"]
	if job.Kind != "PyTorchJob" || len(job.Spec.Replicas) != 2 || master.Replicas != 1 || worker.Replicas < 1 ||
		len(master.Template.Spec.Containers) != 1 || len(worker.Template.Spec.Containers) != 1 {
		t.Fatalf("the manifest is %+v", job)
	}
	m, w := master.Template.Spec.Containers[0], worker.Template.Spec.Containers[0]
	// The operator sets its variables in the container with this name.
	if m.Name != "pytorch" || w.Name != "pytorch" || strings.Join(m.Args, " ") != strings.Join(w.Args, " ") || m.Args[0] != "train" {
		t.Errorf("the containers are %+v and %+v", m, w)
	}
	if len(m.VolumeMounts) != 1 || len(w.VolumeMounts) != 0 {
		t.Error("the master alone writes")
	}
	if master.RestartPolicy != "OnFailure" || worker.RestartPolicy != "OnFailure" {
		t.Error("pods are not started anew")
	}
}
