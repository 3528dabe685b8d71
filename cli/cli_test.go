package cli

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"feddag/report"
	"feddag/torch"
)

// TestMain makes the test binary work as the program, so that tests can kill it.
func TestMain(m *testing.M) {
	if os.Getenv("FEDDAG_TEST_PROGRAM") == "1" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// mnist writes a small data set in MNIST's files and returns its folder.
func mnist(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mnist")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for k, name := range []string{"train", "t10k"} {
		n := []int{300, 60}[k]
		images := header(0x803, n, 28, 28)
		labels := header(0x801, n)
		for i := range n {
			labels = append(labels, byte(i%10))
			for p := range 28 * 28 {
				bright := 0
				if p/28/2 == i%10 {
					bright = 180
				}
				images = append(images, byte(bright+r.IntN(70)))
			}
		}
		write(t, filepath.Join(dir, name+"-images-idx3-ubyte"), images)
		write(t, filepath.Join(dir, name+"-labels-idx1-ubyte"), labels)
	}
	return dir
}

func header(words ...int) (b []byte) {
	for _, w := range words {
		b = binary.BigEndian.AppendUint32(b, uint32(w))
	}
	return b
}

func write(t *testing.T, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o666); err != nil {
		t.Fatal(err)
	}
}

// feddag runs the program in this process.
func feddag(args ...string) (code int, out, log string) {
	var o, l bytes.Buffer
	code = Main(args, &o, &l)
	return code, o.String(), l.String()
}

// small are the flags of a run of a few seconds.
func small(data, out string, more ...string) []string {
	return plain(data, out, append([]string{"--clients", "6", "--groups", "2", "--labels-per-group", "3"}, more...)...)
}

// plain are the flags of small except those of its partition.
func plain(data, out string, more ...string) []string {
	return append([]string{"train", "--dataset", "mnist", "--data-dir", data, "--rounds", "3", "--rate", "0.5", "--epochs", "1",
		"--device", "cpu", "--out", out}, more...)
}

func TestTrainLeavesARunDirectory(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "run")
	code, stdout, log := feddag(small(data, out)...)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var summary map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil {
		t.Fatalf("the last line is not JSON: %v", err)
	}
	for _, key := range []string{"algorithm", "dataset", "rounds", "clusters", "final", "best", "last10", "bytes_up", "bytes_down",
		"seconds", "seconds_per_round", "samples_per_second", "peak_rss_bytes", "device", "precision", "seed"} {
		if _, ok := summary[key]; !ok {
			t.Errorf("the summary lacks %s", key)
		}
	}
	for _, name := range []string{"config.yaml", "env.json", "partition.json", "clusters.json", "metrics.jsonl", "clients.csv",
		"summary.json", "proximity.npy", report.CheckpointFile, "report.html", "plots/accuracy.svg", "plots/dendrogram.svg",
		"plots/proximity.svg", "model/initial.safetensors", "model/start-0.safetensors", "model/cluster-0.safetensors"} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: missing or empty (%v)", name, err)
		}
	}
	if n := strings.Count(log, "\nround "); n != 3 {
		t.Errorf("%d lines of rounds in the log:\n%s", n, log)
	}

	// The same partition from its file and the same flags give the same weights.
	again := filepath.Join(t.TempDir(), "again")
	if code, _, log := feddag(plain(data, again, "--partition-file", filepath.Join(out, "partition.json"), "--plots", "png,pdf")...); code != exitDone {
		t.Errorf("--partition-file: exit code %d: %s", code, log)
	}
	a, _ := os.ReadFile(filepath.Join(out, "model/cluster-0.safetensors"))
	if b, err := os.ReadFile(filepath.Join(again, "model/cluster-0.safetensors")); !bytes.Equal(a, b) {
		t.Errorf("--partition-file: other weights (%v)", err)
	}
	// The formats of the run are also used after a resume.
	for _, ending := range []string{"png", "pdf"} {
		if err := os.Remove(filepath.Join(again, "plots/accuracy."+ending)); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(again, "plots/dendrogram."+ending)); err != nil {
			t.Error(err)
		}
	}
	if code, _, log := feddag("train", "--resume", again, "--rounds", "4"); code != exitDone || !strings.Contains(log, "round 4/4") {
		t.Errorf("a round more: exit code %d: %s", code, log)
	}

	for _, ending := range []string{"png", "pdf"} {
		if _, err := os.Stat(filepath.Join(again, "plots/accuracy."+ending)); err != nil {
			t.Error(err)
		}
	}

	// Once more into the same folder.
	if code, _, log := feddag(small(data, out)...); code != exitFailed || !strings.Contains(log, "--resume") {
		t.Errorf("exit code %d: %s", code, log)
	}
	// A complete run resumes to the same end.
	if code, _, log := feddag("train", "--resume", out); code != exitDone || strings.Contains(log, "warning: ") {
		t.Errorf("resume of a complete run: exit code %d: %s", code, log)
	}
	// The error for another algorithm is not about the flags of this one in config.yaml.
	if code, _, log := feddag("train", "--resume", out, "--algorithm", "fedavg"); code != exitUsage || !strings.Contains(log, "--algorithm cannot change on --resume: "+out+" is a run of feddag") {
		t.Errorf("resume with another algorithm: exit code %d: %s", code, log)
	}
	// A run that was begun with another BLAS kernel, as on another processor, has the same end and a warning.
	environment := filepath.Join(out, report.EnvFile)
	var env report.Env
	if err := json.Unmarshal(mustRead(t, environment), &env); err != nil {
		t.Fatal(err)
	}
	other := strings.Replace(string(mustRead(t, environment)), env.BLASKernel, "OpenBLAS 0.1 Katmai", 1)
	write(t, environment, []byte(other))
	if code, _, log := feddag("train", "--resume", out); code != exitDone ||
		strings.Count(log, "warning: ") != 1 || !strings.Contains(log, "BLAS kernel "+env.BLASKernel+", was OpenBLAS 0.1 Katmai\n") {
		t.Errorf("resume with another BLAS kernel: exit code %d: %s", code, log)
	}
	// A configuration of an earlier version that lacked some of today's flags.
	older := filepath.Join(again, "config.yaml")
	lines = nil
	for line := range strings.Lines(string(mustRead(t, older))) {
		if !strings.HasPrefix(line, "lr: ") && !strings.HasPrefix(line, "feddag-delta: ") && !strings.HasPrefix(line, "partition-option: ") {
			lines = append(lines, line)
		}
	}
	write(t, older, []byte(strings.Join(lines, "")))
	if code, _, log := feddag("train", "--resume", again, "--rounds", "5"); code != exitDone || !strings.Contains(log, "round 5/5") {
		t.Errorf("resume of an older program's run: exit code %d: %s", code, log)
	}
	// Another configuration in config.yaml with the old checkpoint.
	path := filepath.Join(out, "config.yaml")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, bytes.Replace(raw, []byte("\nlr: 0.01"), []byte("\nlr: 0.02"), 1))
	if code, _, log := feddag("train", "--resume", out); code != exitFailed || !strings.Contains(log, "another configuration") {
		t.Errorf("exit code %d: %s", code, log)
	}
	write(t, path, append(raw, "lrr: 1\n"...))
	if code, _, log := feddag("train", "--resume", out); code != exitFailed || !strings.Contains(log, "did you mean lr?") {
		t.Errorf("exit code %d: %s", code, log)
	}
	write(t, path, raw)
	write(t, filepath.Join(out, report.CheckpointFile), []byte("half"))
	if code, _, log := feddag("train", "--resume", out); code != exitFailed || !strings.Contains(log, "half written") {
		t.Errorf("exit code %d: %s", code, log)
	}
	if err := os.Remove(filepath.Join(out, report.CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	if code, _, log := feddag("train", "--resume", out); code != exitFailed || !strings.Contains(log, "cannot be continued") {
		t.Errorf("exit code %d: %s", code, log)
	}
}

// TestSignalsAndResume checks that a run that a signal stops after a round and that is then resumed gives the same bytes in
// every model file.
func TestSignalsAndResume(t *testing.T) {
	data := mnist(t)
	whole := filepath.Join(t.TempDir(), "whole")
	if code, _, log := feddag(small(data, whole, "--rounds", "12")...); code != exitDone {
		t.Fatal(log)
	}
	for name, signal := range map[string]syscall.Signal{"interrupt": syscall.SIGINT, "terminate": syscall.SIGTERM, "kill": syscall.SIGKILL,
		"user": syscall.SIGUSR1, "cpu-time": syscall.SIGXCPU} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "run")
			cmd := exec.Command(os.Args[0], small(data, out, "--rounds", "12", "--workers", "1")...)
			cmd.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for range 600 {
				if info, err := os.Stat(filepath.Join(out, "metrics.jsonl")); err == nil && info.Size() > 0 {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			cmd.Process.Signal(signal)
			cmd.Wait()
			t.Log(cmd.ProcessState)
			if code := cmd.ProcessState.ExitCode(); signal != syscall.SIGKILL && code != exitInterrupted && code != exitDone {
				t.Errorf("exit code %d", code)
			}
			if code, _, log := feddag("train", "--resume", out, "--workers", "2"); code != exitDone {
				t.Fatalf("resume: exit code %d: %s", code, log)
			}
			for _, name := range []string{"cluster-0", "start-0", "initial"} {
				a, err := os.ReadFile(filepath.Join(whole, "model", name+".safetensors"))
				if err != nil {
					t.Fatal(err)
				}
				b, err := os.ReadFile(filepath.Join(out, "model", name+".safetensors"))
				if err != nil || !bytes.Equal(a, b) {
					t.Errorf("%s.safetensors differs after the resume (%v)", name, err)
				}
			}
			if raw, _ := os.ReadFile(filepath.Join(out, "metrics.jsonl")); bytes.Count(raw, []byte("\n")) != 12 {
				t.Errorf("metrics.jsonl has %d lines", bytes.Count(raw, []byte("\n")))
			}
		})
	}
}

func TestClusterStopsBeforeTheRounds(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	data := mnist(t)
	for _, flag := range []string{"--rounds=3", "--rate=0.5", "--eval-every=1", "--final-post", "--feddag-sources=sum", "--resume=" + out} {
		name, _, _ := strings.Cut(flag, "=")
		code, _, log := feddag("cluster", "--dataset", "mnist", "--data-dir", data, "--out", out, flag)
		if code != exitUsage || !strings.Contains(log, name+" has no effect in cluster, which stops before the rounds") {
			t.Errorf("%s: exit code %d: %s", flag, code, log)
		}
	}
	code, stdout, log := feddag(tinyCluster(data, out)...)
	if code != exitDone {
		t.Fatal(log)
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var summary struct{ Clusters int }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &summary); err != nil || summary.Clusters < 1 {
		t.Errorf("last line %s (%v)", lines[len(lines)-1], err)
	}
	if _, err := os.Stat(filepath.Join(out, "metrics.jsonl")); err == nil {
		t.Error("cluster trained")
	}
}

func TestOtherRunsEnd(t *testing.T) {
	data := mnist(t)
	for _, more := range [][]string{
		{"--rounds", "0"},
		{"--algorithm", "fedavg", "--eval-every", "2", "--checkpoint-every", "2"},
		{"--algorithm=feddag-star", "--preset", "paper", "--rounds", "1"},
		{"--preset", "prototype", "--rounds", "1", "--final-post=false"},
		{"--partition", "iid", "--clients", "6", "--rounds", "1", "--engine", "eager"},
	} {
		args := small(data, filepath.Join(t.TempDir(), "run"), more...)
		if more[0] == "--partition" {
			args = plain(data, filepath.Join(t.TempDir(), "run"), more...)
		}
		if code, _, log := feddag(args...); code != exitDone {
			t.Errorf("%v: exit code %d: %s", more, code, log)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	data := mnist(t)
	truncated := mnist(t)
	if err := os.Truncate(filepath.Join(truncated, "train-images-idx3-ubyte"), 5000); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, []byte("x"))
	out := filepath.Join(t.TempDir(), "run")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, exitUsage, "no command"},
		{[]string{"trian"}, exitUsage, "did you mean train?"},
		{[]string{"train", "--rouns", "3"}, exitUsage, "did you mean --rounds?"},
		{[]string{"train", "--rounds", "three"}, exitUsage, "--rounds"},
		{[]string{"train", "--rounds"}, exitUsage, "--rounds"},
		{[]string{"train", "now"}, exitUsage, "now"},
		{[]string{"train", "--algorithm", "fedavgg"}, exitUsage, "did you mean fedavg?"},
		{[]string{"train", "--algorithm"}, exitUsage, "needs a value"},
		{[]string{"train", "--algorithm", "fedavg", "--feddag-top-k", "3"}, exitUsage, "of --algorithm feddag"},
		{[]string{"train", "--dataset", "fashionmnit"}, exitUsage, "did you mean fashion-mnist?"},
		{[]string{"train", "--model", "lenett"}, exitUsage, "did you mean lenet?"},
		{[]string{"train", "--partition", "lad"}, exitUsage, "did you mean lda?"},
		{[]string{"train", "--preset", "papper"}, exitUsage, "did you mean paper?"},
		{[]string{"train", "--engine", "bached"}, exitUsage, "did you mean batched?"},
		{[]string{"train", "--precision", "bf61"}, exitUsage, "did you mean bf16?"},
		{[]string{"train", "--precision", "bf16", "--engine", "serial"}, exitUsage, "add --engine batched"},
		{[]string{"train", "--precision", "tf32", "--engine", "eager"}, exitUsage, "fp32 only"},
		{[]string{"train", "--memory", "lots"}, exitUsage, "is not a number of bytes"},
		{[]string{"train", "--memory", "1GB", "--engine", "serial"}, exitUsage, "add --engine batched"},
		{small(data, out, "--precision", "tf32"), exitUsage, "only GPUs have --precision tf32"},
		{[]string{"bench", "--general-kernels", "--engine", "serial"}, exitUsage, "add --engine batched"},
		{[]string{"bench", "--general-kernels", "--engine", "batched", "--device", "cpu"}, exitUsage, "only GPUs have --general-kernels"},
		{[]string{"bench", "--fused-kernels", "--engine", "serial"}, exitUsage, "add --engine batched"},
		{[]string{"bench", "--fused-kernels", "--engine", "batched", "--device", "cpu"}, exitUsage, "only GPUs have --fused-kernels"},
		{[]string{"bench", "--fused-kernels", "--general-kernels", "--engine", "batched"}, exitUsage, "leave out --general-kernels"},
		{small(data, out, "--precision", "bf16"), exitUsage, "add --engine batched"},
		{[]string{"train", "--rate", "0"}, exitUsage, "no client would be sampled"},
		{[]string{"train", "--rate", "1.1"}, exitUsage, "--rate"},
		{[]string{"train", "--lr", "NaN"}, exitUsage, "--lr"},
		{[]string{"train", "--workers", "0"}, exitUsage, "--workers"},
		{[]string{"train", "--data-seed", "-1"}, exitUsage, "--data-seed"},
		{[]string{"train", "--feddag-sources", "avg"}, exitUsage, "--feddag-sources"},
		{[]string{"train", "--feddag-schedule", "0:1"}, exitUsage, "--feddag-schedule"},
		{[]string{"train", "--feddag-schedule", "3:1x"}, exitUsage, "--feddag-schedule"},
		{[]string{"train", "--feddag-fusion", "fixed:2"}, exitUsage, "fixed:2"},
		{[]string{"train", "--feddag-principal-vectors", "0"}, exitUsage, "--feddag-principal-vectors"},
		{[]string{"train", "--resume", out}, exitFailed, out},
		{[]string{"cluster", "--algorithm", "fedavg"}, exitUsage, "no clustering"},
		{small(data, out, "--device", "tpu"), exitUsage, "tpu"},
		{small(data, out, "--groups", "7"), exitUsage, "groups"},
		{small(data, out, "--clients", "1000"), exitUsage, "--clients"},
		{plain(data, out, "--partition-file", file), exitFailed, file},
		{small(data, file), exitFailed, file},
		{small(truncated, out), exitFailed, "train-images"},
		{small(filepath.Dir(file), out, "--data-dir", filepath.Dir(file)), exitFailed, "not found"},
		{[]string{"version", "x"}, exitUsage, "x"},
		{[]string{"doctor", "--x"}, exitUsage, "x"},
	} {
		code, stdout, log := feddag(c.args...)
		if code != c.code || !strings.Contains(log, c.says) {
			t.Errorf("feddag %s: exit code %d, want %d and %q\n%s", strings.Join(c.args, " "), code, c.code, c.says, log)
		}
		if stdout != "" {
			t.Errorf("feddag %s: on standard output: %s", strings.Join(c.args, " "), stdout)
		}
		if strings.Contains(log, "bug") || strings.Contains(log, "goroutine") {
			t.Errorf("feddag %s: a crash:\n%s", strings.Join(c.args, " "), log)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused run left a directory")
	}
}

func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"help"}, {"--help"}, {"train", "--help"}, {"train", "--algorithm", "fedavg", "-h"},
		{"cluster", "--help"}, {"doctor", "--help"}, {"help", "train"}, {"version"}, {"--version"}} {
		code, out, log := feddag(args...)
		if code != exitDone || out == "" || log != "" {
			t.Errorf("feddag %v: exit code %d, %q, %q", args, code, out, log)
		}
	}
	info, err := torch.Describe()
	if err != nil {
		t.Fatal(err)
	}
	code, out, _ := feddag("doctor", "--data-dir", mnist(t))
	if code != exitDone || !strings.Contains(out, "libtorch") || !strings.Contains(out, "mnist") ||
		!strings.Contains(out, "BLAS      "+info.BLASKernel+", ") || !strings.Contains(out, info.SIMD) {
		t.Errorf("doctor: exit code %d\n%s", code, out)
	}
}

// TestPresets checks that every flag of a preset exists.
func TestPresets(t *testing.T) {
	for _, algorithm := range []string{"feddag", "feddag-star", "feddag-dagger"} {
		for _, preset := range []string{"paper", "prototype", "default"} {
			o, err := parse([]string{"--algorithm", algorithm, "--preset", preset, "--batch", "17"})
			if err != nil {
				t.Errorf("%s, %s: %v", algorithm, preset, err)
			} else if o.run.Batch != 17 {
				t.Errorf("%s, %s: a given flag lost against the preset", algorithm, preset)
			}
		}
	}
}

// TestWarningsOfAResumedRun checks that the summary of a resumed run has the warnings of earlier processes, but no warning
// that no longer holds after further rounds.
func TestWarningsOfAResumedRun(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "run")
	if code, _, log := feddag(small(data, out, "--algorithm", "cfl", "--cfl-eps1", "0", "--cfl-from", "5", "--rounds", "1")...); code != exitDone {
		t.Fatal(log)
	}
	const always = "--cfl-eps1 is 0: no cluster is ever split, so the method is FedAvg with equal weights"
	for _, c := range []struct {
		rounds string
		want   []string
	}{
		{"2", []string{always, "--cfl-from is 5, but the run has 2 rounds: no cluster is ever split"}},
		{"6", []string{always}},
	} {
		if code, _, log := feddag("train", "--resume", out, "--rounds", c.rounds); code != exitDone {
			t.Fatal(log)
		}
		var summary report.Summary
		if err := json.Unmarshal(mustRead(t, out, report.SummaryFile), &summary); err != nil || !slices.Equal(summary.Warnings, c.want) {
			t.Errorf("%s rounds: the warnings are %q (%v)", c.rounds, summary.Warnings, err)
		}
	}
}
