package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"feddag/report"
	"feddag/torch"
)

// killed is a command that is repeatedly killed until it ends by itself.
type killed struct {
	name  string
	start func(data, out string) []string
	// again is the command after a kill, once the directory holds a run; nil for the command itself.
	again func(out string) []string
}

func killedTrain(name string, more ...string) killed {
	return killed{
		name:  name,
		start: func(data, out string) []string { return small(data, out, append(more, "--workers", "1")...) },
		again: func(out string) []string { return []string{"train", "--resume", out, "--workers", "1"} },
	}
}

// numberFrom returns the number in an environment variable, or a default if the variable is not set.
func numberFrom(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", variable, err)
	}
	return n
}

// TestKillsAtRandomMoments checks that a run that is repeatedly killed at random moments, or while it writes its files, and
// resumed each time has the bytes of an undisturbed run. FEDDAG_KILLS is the number of kills over all commands.
func TestKillsAtRandomMoments(t *testing.T) {
	kills := numberFrom(t, "FEDDAG_KILLS", 8)
	if testing.Short() {
		t.Skip("starts the program many times")
	}
	scenario := filepath.Join(t.TempDir(), "scenario.json")
	write(t, scenario, []byte(`{"version": 2, "reserve": 0.2, "check_every": 1, "search_after": 1, "events": [{"round": 2, "join": [5]}, {"round": 3, "leave": 0}]}`))
	commands := []killed{
		killedTrain("feddag"),
		{"compare", func(data, out string) []string {
			return append([]string{"compare"}, small(data, out, "--algorithms", "ifca,fedavg", "--with", "ifca: --ifca-clusters 2", "--seeds", "1", "--rounds", "2", "--workers", "1")[1:]...)
		}, nil},
		killedTrain("cfl", "--algorithm", "cfl", "--cfl-from", "0", "--cfl-full"),
		killedTrain("fedbr", "--algorithm", "fedbr"), // checkpoints of fedbr have blobs
		killedTrain("scenario", "--scenario", scenario),
		killedTrain("ifca", "--algorithm", "ifca", "--ifca-clusters", "2"),
		killedTrain("pacfl", "--algorithm", "pacfl", "--pacfl-choose", "count:2"),
		killedTrain("local", "--algorithm", "local", "--checkpoint-every", "2"),
	}
	data := mnist(t)
	r := rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0)) // a different sequence in each run; the log has the moments
	stages, done := map[string]int{}, 0
	for i, k := range commands {
		share := (kills - done) / (len(commands) - i)
		if share == 0 {
			continue
		}
		t.Run(k.name, func(t *testing.T) { done += k.test(t, data, share, r, stages) })
	}
	names := make([]string, 0, len(stages))
	for name := range stages {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Logf("%4d killed in: %s", stages[name], name)
	}
	t.Logf("%d kills", done)
}

// test kills the command a number of times, in as many directories as needed, and counts the stages in which it was killed.
func (k killed) test(t *testing.T, data string, kills int, r *rand.Rand, stages map[string]int) int {
	whole := filepath.Join(t.TempDir(), "whole")
	began := time.Now()
	if log, err := k.run(k.start(data, whole), 0, func() bool { return false }); err != nil {
		t.Fatalf("%v: %s", err, log)
	}
	took := time.Since(began)
	files := runFiles(t, whole)
	done := 0
	for d := 0; done < kills; d++ {
		out := filepath.Join(t.TempDir(), fmt.Sprintf("run-%d", d))
		// With more kills, a run would only repeat its beginning.
		for attempt := range 12 {
			args := k.start(data, out)
			if k.again != nil && report.IsRun(out) {
				args = k.again(out)
			}
			before, old := countRounds(out), temporaries(t, out)
			never, delay, aim := attempt == 11 || done == kills, time.Duration(0), ""
			due := func() bool { return false }
			switch {
			case never:
			case r.IntN(2) == 0:
				delay = time.Duration(r.Float64() * 1.1 * float64(took))
			default: // while a file is being written
				aim = files[r.IntN(len(files))]
				due = func() bool { return isWritten(filepath.Join(out, aim), old) }
			}
			log, err := k.run(args, delay, due)
			if err == nil {
				break
			}
			if !strings.Contains(err.Error(), "killed") {
				t.Fatalf("%s %v: %v\n%s", out, args, err, log)
			}
			done++
			stage := k.stage(out, files, old)
			stages[stage]++
			t.Logf("%s: killed after %v (aimed at %q): %s", filepath.Base(out), delay.Round(time.Millisecond), aim, stage)
			if after := countRounds(out); after < before-1 { // the last line may belong to a round without a checkpoint
				t.Errorf("%d rounds after the kill, %d before the resume", after, before)
			}
		}
		sameFiles(t, whole, out, files)
	}
	return done
}

// run runs the program and kills it after the delay, if that is not zero, or when due returns true. It returns the error of
// the process.
func (k killed) run(args []string, delay time.Duration, due func() bool) (log string, err error) {
	var b bytes.Buffer
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1")
	cmd.Stderr = &b
	if err := cmd.Start(); err != nil {
		return "", err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	var timer <-chan time.Time
	if delay > 0 {
		timer = time.After(delay)
	}
	tick := time.NewTicker(300 * time.Microsecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			return b.String(), err
		case <-timer:
			cmd.Process.Kill()
		case <-tick.C:
			if due() {
				cmd.Process.Kill()
			}
		}
	}
}

// isWritten reports whether a file has a temporary file that is not an old one, which means that a process is writing it, or
// was killed while writing.
func isWritten(path string, old []string) bool {
	entries, _ := os.ReadDir(filepath.Dir(path))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "."+filepath.Base(path)+".") && isTemporary(e.Name()) && !slices.Contains(old, filepath.Join(filepath.Dir(path), e.Name())) {
			return true
		}
	}
	return false
}

func isTemporary(name string) bool { return strings.HasSuffix(name, ".tmp") }

// temporaries lists the temporary files in a directory, which need not exist.
func temporaries(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && isTemporary(e.Name()) {
			found = append(found, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return found
}

// stage determines from its directory what a killed process was doing.
func (k killed) stage(out string, files, old []string) string {
	for _, name := range files {
		if isWritten(filepath.Join(out, name), old) {
			return "writing " + regexp.MustCompile(`-[0-9a-f]{16}|\d+`).ReplaceAllString(name, "N")
		}
	}
	has := func(name string) bool { _, err := os.Stat(filepath.Join(out, name)); return err == nil }
	switch {
	case k.again == nil:
		return "compare"
	case !report.IsRun(out):
		return "set-up"
	case !has(report.CheckpointFile):
		return "warm-up and clustering"
	case has(report.SummaryFile):
		return "the last files"
	case countRounds(out) == 3:
		return "final training"
	}
	return "rounds"
}

func countRounds(run string) int {
	raw, _ := os.ReadFile(filepath.Join(run, report.MetricsFile))
	return bytes.Count(raw, []byte("\n"))
}

// runFiles lists the files of a run or a comparison that the program replaces as a whole.
func runFiles(t *testing.T, dir string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		// The lock of a killed process is free, and its file stays if no other process uses the run. Temporary files of a
		// killed comparison are removed by the first write of the same file that is at least an hour later, because other
		// processes may be writing now.
		top, _, _ := strings.Cut(name, string(filepath.Separator))
		beside := isTemporary(e.Name()) && !report.IsRun(dir) && !report.IsRun(filepath.Join(dir, top))
		if !strings.HasPrefix(e.Name(), "events.out.") && e.Name() != report.LockFile && !beside {
			files = append(files, name)
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%s has the files %v (%v)", dir, files, err)
	}
	return files
}

// measured are the parts of files that differ from run to run: times, memory, and the path of the run.
var measured = regexp.MustCompile(`"(seconds|training_seconds|training|seconds_per_round|samples_per_second|peak_rss_bytes)": ?([0-9.e+-]+|\{[^{}]*\}),?`)

// sameFiles compares a run with an undisturbed one.
func sameFiles(t *testing.T, whole, out string, files []string) {
	t.Helper()
	for _, name := range files {
		a, b := mustRead(t, whole, name), mustRead(t, out, name)
		switch base := filepath.Base(name); {
		case base == filepath.Base(report.CheckpointFile):
			a, b = checkpointBytes(t, a), checkpointBytes(t, b)
		case base == report.EnvFile, strings.HasSuffix(base, ".html"), strings.HasPrefix(base, "compare."), base == "runs.csv", base == "kept.zip":
			continue // these files contain times
		case base == report.ConfigFile:
			b = bytes.ReplaceAll(b, []byte(out), []byte(whole))
			b = bytes.ReplaceAll(b, []byte(filepath.Dir(out)), []byte(filepath.Dir(whole))) // paths of files next to the run
		case strings.HasSuffix(base, ".json"), strings.HasSuffix(base, ".jsonl"):
			a, b = measured.ReplaceAll(a, nil), measured.ReplaceAll(b, nil)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %s differs from that of the undisturbed run:\n%.600q\n%.600q", out, name, a, b)
		}
	}
	if now := runFiles(t, out); !slices.Equal(now, files) {
		t.Errorf("%s has the files %v, the undisturbed run has %v", out, now, files)
	}
}

// checkpointBytes returns the content of a checkpoint except the times.
func checkpointBytes(t *testing.T, raw []byte) []byte {
	t.Helper()
	tensors, meta, err := torch.ReadSafetensors(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s", measured.ReplaceAllString(meta["run"], ""))
	if err := torch.WriteSafetensors(&b, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
