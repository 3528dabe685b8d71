package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"feddag/federation"
	"feddag/report"
)

// little are the flags, except the algorithms, of a comparison that takes a few seconds. Its runs are processes of this test
// binary.
func little(t *testing.T, data, out string, more ...string) []string {
	t.Helper()
	t.Setenv("FEDDAG_TEST_PROGRAM", "1")
	return append([]string{"compare", "--dataset", "mnist", "--data-dir", data, "--clients", "6", "--groups", "2", "--labels-per-group", "3",
		"--rate", "0.5", "--epochs", "1", "--device", "cpu", "--workers", "1", "--out", out}, more...)
}

func mustRead(t *testing.T, path ...string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

type compared struct {
	Reference  string
	Rounds     int
	Missing    []struct{ Name, Why string }
	Algorithms []struct {
		Name, Algorithm string
		Rounds          int
		Seeds           []int
		Measures        map[string]struct {
			N    int
			Mean float64
		}
		Differences map[string]struct{ N int }
	}
}

func lastLine(t *testing.T, stdout string) (c compared) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &c); err != nil {
		t.Fatalf("the last line is not JSON: %v\n%s", err, stdout)
	}
	return c
}

func TestCompare(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "c")
	paper := filepath.Join(t.TempDir(), "paper.csv")
	write(t, paper, []byte("algorithm,mean,dataset,labels-per-group,rate\nfedavg,99,mnist,3,\nfedavg,98,mnist,2,\nfeddag-star,1,mnist,3,0.5\n"))
	base := little(t, data, out, "--algorithms", "feddag-star,fedavg", "--with", "fedavg as slow one: --lr 0.001", "--with", "feddag-star: --feddag-warmup-rounds 1", "--beside", paper)
	args := append(slices.Clone(base), "--seeds", "1,2", "--rounds", "2", "--plots", "pdf")
	code, stdout, log := feddag(args...)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	for _, must := range []string{"Beside paper", "99.00", "slow one: fedavg with lr 0.001", "feddag-star warmup-rounds=1", "lr 0.01 unless noted", "6 clients"} {
		if !strings.Contains(stdout, must) {
			t.Errorf("standard output lacks %q:\n%s", must, stdout)
		}
	}
	got := lastLine(t, stdout)
	var names []string
	for _, a := range got.Algorithms {
		names = append(names, a.Name)
		if !slices.Equal(a.Seeds, []int{1, 2}) || a.Measures["final_post"].N != 2 || a.Name != "feddag-star" && a.Differences["final_pre"].N != 2 {
			t.Errorf("%+v", a)
		}
	}
	if !slices.Equal(names, []string{"feddag-star", "fedavg", "slow one", "feddag-star warmup-rounds=1"}) || got.Reference != "feddag-star" || got.Rounds != 2 {
		t.Errorf("%q, reference %s, %d rounds", names, got.Reference, got.Rounds)
	}
	for _, name := range []string{"compare.csv", "runs.csv", "compare.md", "compare.tex", "compare.json", "compare.html", "plots/accuracy.pdf", "plots/leaders.pdf", "plots/cohort.pdf", "plots/traffic.pdf"} {
		if len(mustRead(t, out, name)) == 0 {
			t.Errorf("%s is empty", name)
		}
	}
	if !strings.Contains(string(mustRead(t, out, "compare.html")), `href="slow-one-2/report.html"`) {
		t.Error("the page does not link to the runs")
	}

	// There is one partition and one set of initial weights per seed.
	for _, name := range []string{"partition.json", "model/initial.safetensors"} {
		if !bytes.Equal(mustRead(t, out, "fedavg-1", name), mustRead(t, out, "slow-one-1", name)) {
			t.Errorf("%s differs within a seed", name)
		}
		if bytes.Equal(mustRead(t, out, "fedavg-1", name), mustRead(t, out, "fedavg-2", name)) {
			t.Errorf("%s is the same for two seeds", name)
		}
	}
	if !bytes.Equal(mustRead(t, out, "fedavg-1/partition.json"), mustRead(t, out, "feddag-star-warmup-rounds-1-1/partition.json")) {
		t.Error("the partition differs within a seed")
	}

	// Finished runs are not changed, and the tables are the same for run and --read.
	table := mustRead(t, out, "compare.csv")
	before, err := os.Stat(filepath.Join(out, "fedavg-1/summary.json"))
	if err != nil {
		t.Fatal(err)
	}
	if code, _, log := feddag(args...); code != exitDone || !strings.Contains(log, "8 of them finished") {
		t.Errorf("again: exit code %d: %s", code, log)
	}
	if after, err := os.Stat(filepath.Join(out, "fedavg-1/summary.json")); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("a finished run was touched (%v)", err)
	}
	if !bytes.Equal(table, mustRead(t, out, "compare.csv")) {
		t.Error("the same runs give another table")
	}
	again := filepath.Join(t.TempDir(), "read")
	if code, _, log = feddag("compare", "--read", out, "--out", again, "--algorithms", "feddag-star,fedavg,slow one,feddag-star warmup-rounds=1"); code != exitDone {
		t.Fatalf("--read: exit code %d: %s", code, log)
	}
	if !bytes.Equal(table, mustRead(t, again, "compare.csv")) {
		t.Error("read, the same runs give another table")
	}
	// The files that --keep copies give the same tables, and the runs count as finished.
	kept := filepath.Join(t.TempDir(), "kept")
	if code, _, log = feddag("compare", "--read", out, "--out", again, "--keep", kept, "--algorithms", "feddag-star,fedavg,slow one,feddag-star warmup-rounds=1"); code != exitDone {
		t.Fatalf("--keep: exit code %d: %s", code, log)
	}
	if code, _, log = feddag("compare", "--read", kept, "--out", again, "--algorithms", "feddag-star,fedavg,slow one,feddag-star warmup-rounds=1"); code != exitDone {
		t.Fatalf("--read of what was kept: exit code %d: %s", code, log)
	}
	if !bytes.Equal(table, mustRead(t, again, "compare.csv")) {
		t.Error("what was kept gives another table")
	}
	if page := string(mustRead(t, again, "compare.html")); strings.Contains(page, "report.html") {
		t.Error("the page links to reports that were not kept")
	}
	// An archive of the runs does, too. By default, the results are written next to it.
	archive := filepath.Join(t.TempDir(), "kept.zip")
	if code, _, log = feddag("compare", "--read", kept, "--out", again, "--keep", archive, "--algorithms", "feddag-star,fedavg,slow one,feddag-star warmup-rounds=1"); code != exitDone {
		t.Fatalf("--keep of an archive: exit code %d: %s", code, log)
	}
	if code, _, log = feddag("compare", "--read", archive, "--algorithms", "feddag-star,fedavg,slow one,feddag-star warmup-rounds=1"); code != exitDone {
		t.Fatalf("--read of an archive: exit code %d: %s", code, log)
	}
	if !bytes.Equal(table, mustRead(t, strings.TrimSuffix(archive, ".zip"), "compare.csv")) {
		t.Error("the archive gives another table")
	}
	if files, err := os.ReadDir(filepath.Join(kept, "fedavg-1")); err != nil || len(files) != 5 {
		t.Errorf("kept %v (%v), want config, summary, metrics, clients and the partition's digest", files, err)
	}
	if config := string(mustRead(t, kept, "fedavg-1/config.yaml")); strings.Contains(config, out) || !strings.Contains(config, "lr: 0.01") {
		t.Errorf("the config says where the run lay, or not what it was:\n%s", config)
	}
	if code, _, log := feddag(append(slices.Clone(args), "--out", kept)...); code != exitDone || !strings.Contains(log, "8 of them finished") {
		t.Errorf("going on with what was kept: exit code %d: %s", code, log)
	}
	if code, _, log := feddag("compare", "--read", filepath.Join(out, "slow-one-1"), "--out", again, "--keep", kept); code != exitDone {
		t.Errorf("keeping a run twice: exit code %d: %s", code, log)
	}
	write(t, filepath.Join(kept, "slow-one-1", "config.yaml"), []byte("algorithm: fedavg\nseed: 1\nlr: 0.002\nlabel: slow one\n"))
	if code, _, log := feddag("compare", "--read", filepath.Join(out, "slow-one-1"), "--out", again, "--keep", kept); code != exitFailed || !strings.Contains(log, "other settings") {
		t.Errorf("keeping a run over another: exit code %d: %s", code, log)
	}

	// A selection of the runs, named one by one.
	code, stdout, log = feddag("compare", "--read", filepath.Join(out, "fedavg-1"), filepath.Join(out, "slow-one-1"), "--out", again, "--reference", "slow one", "--rounds", "1", "--target", "99.9,100")
	if got := lastLine(t, stdout); code != exitDone || len(got.Algorithms) != 2 || got.Reference != "slow one" || got.Rounds != 1 {
		t.Errorf("exit code %d: %s%+v", code, log, got)
	}

	// More rounds.
	code, stdout, log = feddag(append(base, "--rounds", "3", "--seeds", "1")...)
	if got := lastLine(t, stdout); code != exitDone || got.Rounds != 3 || len(got.Algorithms[0].Seeds) != 1 || strings.Contains(log, "round 2/3") {
		t.Errorf("more rounds: exit code %d: %s\n%s", code, log, stdout)
	}
	// Now the runs have two different numbers of rounds.
	if code, _, log := feddag("compare", "--read", out); code != exitFailed || !strings.Contains(log, "--rounds") || !strings.Contains(log, "fedavg-2") {
		t.Errorf("two lengths: exit code %d: %s", code, log)
	}
	if code, stdout, log := feddag("compare", "--read", out, "--rounds", "2"); code != exitDone || len(lastLine(t, stdout).Algorithms) != 4 {
		t.Errorf("two lengths, cut: exit code %d: %s", code, log)
	}
	// Other flags, the same directory.
	for _, more := range []string{"--lr=0.5", "--clients=5", "--feddag-warmup-rounds=1"} {
		if code, _, log := feddag(append(args, more)...); code != exitUsage || !strings.Contains(log, out) || !strings.Contains(log, "another --out") {
			t.Errorf("%s: exit code %d: %s", more, code, log)
		}
	}
	checkRunsCSV(t, mustRead(t, out, "runs.csv"))
}

func checkRunsCSV(t *testing.T, raw []byte) {
	t.Helper()
	rows, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil || len(rows) != 9 {
		t.Fatalf("%d lines (%v)", len(rows), err)
	}
	column := slices.Index(rows[0], "final_pre")
	for _, row := range rows[1:] {
		if v, err := strconv.ParseFloat(row[column], 64); err != nil || v < 0 || v > 100 {
			t.Errorf("final_pre %q", row[column])
		}
	}
}

// TestCompareGoesOn checks that after any interruption, the same command gives the same bytes as an uninterrupted comparison.
func TestCompareGoesOn(t *testing.T) {
	data := mnist(t)
	flags := []string{"--algorithms", "fedavg,feddag-star", "--seeds", "1", "--rounds", "10", "--quiet"}
	whole := filepath.Join(t.TempDir(), "whole")
	if code, _, log := feddag(little(t, data, whole, flags...)...); code != exitDone {
		t.Fatal(log)
	}
	for name, signal := range map[string]syscall.Signal{"interrupt": syscall.SIGINT, "kill": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "c")
			args := little(t, data, out, flags...)
			cmd := exec.Command(os.Args[0], args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			second := filepath.Join(out, "feddag-star-1")
			for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); {
				if info, err := os.Stat(filepath.Join(second, "metrics.jsonl")); err == nil && info.Size() > 0 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			cmd.Process.Signal(signal)
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); signal == syscall.SIGINT && code != exitInterrupted && code != exitDone {
				t.Errorf("exit code %d", code)
			}
			// Its run was killed, too.
			n := len(mustRead(t, second, "metrics.jsonl"))
			time.Sleep(300 * time.Millisecond)
			if now := len(mustRead(t, second, "metrics.jsonl")); now != n {
				t.Errorf("the run goes on without its comparison")
			}
			if code, _, log := feddag(args...); code != exitDone {
				t.Fatalf("again: exit code %d: %s", code, log)
			}
			for _, file := range []string{"fedavg-1/model/global.safetensors", "feddag-star-1/model/cluster-0.safetensors", "feddag-star-1/clients.csv"} {
				if !bytes.Equal(mustRead(t, whole, file), mustRead(t, out, file)) {
					t.Errorf("%s differs from an uninterrupted comparison's", file)
				}
			}
		})
	}
	// The process was killed before its directory was a run.
	early := filepath.Join(t.TempDir(), "early")
	if err := os.MkdirAll(filepath.Join(early, "fedavg-1"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"partition.json", ".env.json.123.tmp"} {
		write(t, filepath.Join(early, "fedavg-1", name), []byte("half"))
	}
	args := little(t, data, early, "--algorithms", "fedavg", "--seeds", "1", "--rounds", "1")
	if code, _, log := feddag(args...); code != exitDone {
		t.Errorf("leftovers: exit code %d: %s", code, log)
	}
	// Another process is doing the run.
	lock, err := report.LockDir(t.Context(), filepath.Join(early, "fedavg-1"), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Release()
	code, stdout, log := feddag(append(args, "--rounds", "2", "--algorithms", "feddag-star")...)
	if got := lastLine(t, stdout); code != exitDone || !strings.Contains(log, fmt.Sprintf("in use by process %d on host", os.Getpid())) || len(got.Algorithms) != 1 || len(got.Missing) != 1 {
		t.Errorf("locked: exit code %d: %s\n%s", code, log, stdout)
	}
}

// TestCompareFailingRun checks that a run that fails does not affect the others.
func TestCompareFailingRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "c")
	args := little(t, mnist(t), out, "--algorithms", "fedavg", "--with", "fedavg as broken: --lr 1e30", "--seeds", "1,2", "--rounds", "1")
	for range 2 {
		code, stdout, log := feddag(args...)
		if code != exitFailed || !strings.Contains(log, "broken, seed 1; broken, seed 2") || !strings.Contains(log, "lower --lr") || strings.Contains(log, "goroutine") {
			t.Errorf("exit code %d: %s", code, log)
		}
		got := lastLine(t, stdout)
		if len(got.Algorithms) != 1 || !slices.Equal(got.Algorithms[0].Seeds, []int{1, 2}) || len(got.Missing) != 2 || got.Missing[0].Name != "broken" || !strings.Contains(got.Missing[0].Why, "lower --lr") {
			t.Errorf("%+v", got)
		}
		if text := string(mustRead(t, out, "compare.md")); !strings.Contains(text, "Not in the tables: broken, seed 1") {
			t.Errorf("the tables do not say what they lack:\n%s", text)
		}
	}
	// All of them.
	code, stdout, log := feddag(little(t, mnist(t), filepath.Join(t.TempDir(), "c"), "--with", "fedavg as broken: --lr 1e30", "--seeds", "1")...)
	if code != exitFailed || stdout != "" || !strings.Contains(log, "no finished run") {
		t.Errorf("exit code %d: %s%s", code, stdout, log)
	}
}

func TestCompareBadInput(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	run := func(name string, more ...string) string {
		out := filepath.Join(tmp, name)
		if code, _, log := feddag(small(data, out, append([]string{"--algorithm", "fedavg", "--rounds", "1"}, more...)...)...); code != exitDone {
			t.Fatal(log)
		}
		return out
	}
	one, two, other := run("one"), run("two"), run("other", "--data-seed", "5")
	iid := filepath.Join(tmp, "iid")
	if code, _, log := feddag(plain(data, iid, "--algorithm", "fedavg", "--rounds", "1", "--clients", "6", "--partition", "iid")...); code != exitDone {
		t.Fatal(log)
	}
	seeded := run("seeded", "--seed", "1", "--label", "seeded")
	shared := run("shared", "--seed", "5", "--label", "shared", "--eval-share", "0.5")
	damaged, bare := run("damaged", "--seed", "2"), run("bare", "--seed", "3")
	story := filepath.Join(tmp, "story.json")
	write(t, story, []byte(`{"version": 2, "events": [{"round": 1, "leave": [5]}]}`))
	told := run("told", "--seed", "4", "--scenario", story)
	write(t, filepath.Join(damaged, "summary.json"), []byte("{"))
	if err := os.Remove(filepath.Join(bare, "summary.json")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(tmp, "c")
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{little(t, data, out), exitUsage, []string{"nothing to compare"}},
		{little(t, data, out, "--algorithms", "fedavgg"), exitUsage, []string{"did you mean fedavg?"}},
		{little(t, data, out, "--algorithms", "fedavg", "--except", "fedavg"), exitUsage, []string{"leaves no algorithm"}},
		{little(t, data, out, "--algorithms", "fedavg,fedavg"), exitUsage, []string{"two variants"}},
		{little(t, data, out, "--algorithms", "all,fedavg"), exitUsage, []string{"all cannot be combined"}},
		{little(t, data, out, "--algorithms", "fedavg", "--seeds", "1,x"), exitUsage, []string{`"x"`}},
		{little(t, data, out, "--algorithms", "fedavg", "--seeds", "1,01"), exitUsage, []string{"twice"}},
		{little(t, data, out, "--algorithms", "fedavg", "--seed", "1"), exitUsage, []string{"--seeds"}},
		{little(t, data, out, "--algorithms", "fedavg", "--resume", "x"), exitUsage, []string{"continues"}},
		{little(t, data, out, "--algorithms", "fedavg", "--rouns", "1"), exitUsage, []string{"did you mean --rounds?"}},
		{little(t, data, out, "--algorithms", "fedavg", "--feddag-delta", "1"), exitUsage, []string{"not a flag of any of the compared algorithms"}},
		{little(t, data, out, "--algorithms", "fedavg", "--rounds", "0"), exitUsage, []string{"--rounds is 0"}},
		{little(t, data, out, "--algorithms", "fedavg", "--lr", "fast"), exitUsage, []string{"--lr"}},
		{little(t, data, out, "--algorithms", "fedavg", "--confidence", "95"), exitUsage, []string{"--confidence"}},
		{little(t, data, out, "--algorithms", "fedavg", "--target", "0"), exitUsage, []string{"--target"}},
		{little(t, data, out, "--algorithms", "fedavg", "--reference", "feddag"), exitUsage, []string{"--reference"}},
		{little(t, data, out, "--algorithms", "fedavg", "--beside", filepath.Join(tmp, "none.csv")), exitUsage, []string{"none.csv"}},
		{little(t, data, out, "--algorithms", "fedavg", "runs"), exitUsage, []string{"--read"}},
		{little(t, data, out, "--algorithms", "fedavg", "--preset", "paper"), exitUsage, []string{"preset", "fedavg"}},
		{little(t, data, one, "--algorithms", "fedavg"), exitUsage, []string{one, "single run"}},
		{little(t, tmp, out, "--algorithms", "fedavg", "--dataset", "mnist"), exitFailed, []string{"not found"}},
		{little(t, data, out, "--with", "fedavg"), exitUsage, []string{"ALGORITHM"}},
		{little(t, data, out, "--with", "fedavgg: --lr 1"), exitUsage, []string{"did you mean fedavg?"}},
		{little(t, data, out, "--with", "fedavg:"), exitUsage, []string{"no flags"}},
		{little(t, data, out, "--with", "fedavg: --rl 1"), exitUsage, []string{"--rl"}},
		{little(t, data, out, "--with", "fedavg: --lr -1"), exitUsage, []string{"--lr"}},
		{little(t, data, out, "--with", "fedavg: --seed 1"), exitUsage, []string{"the same for all"}},
		{little(t, data, out, "--with", "fedavg: --clients 3"), exitUsage, []string{"the same for all"}},
		{little(t, data, out, "--with", "fedavg as /: --lr 1"), exitUsage, []string{"letters and digits"}},
		{little(t, data, out, "--with", "fedavg as a b: --lr 1", "--with", "fedavg as a-b: --lr 2"), exitUsage, []string{"two variants"}},
		{little(t, data, out, "--with", "fedavg: --feddag-delta 1"), exitUsage, []string{"--feddag-delta is a flag of"}},

		{[]string{"compare", "--read"}, exitUsage, []string{"directories"}},
		{[]string{"compare", "--read", filepath.Join(tmp, "none")}, exitFailed, []string{"none"}},
		{[]string{"compare", "--read", data}, exitFailed, []string{data, "neither a run directory nor an archive of runs"}},
		{[]string{"compare", "--read", one, "--lr", "1"}, exitUsage, []string{"--lr", "--read"}},
		{[]string{"compare", "--read", one, "--with", "fedavg: --lr 1"}, exitUsage, []string{"nothing to run"}},
		{[]string{"compare", "--read", one, "--rounds", "-1"}, exitUsage, []string{"--rounds"}},
		{[]string{"compare", "--read", one, "--algorithms", "seeded"}, exitUsage, []string{"seeded"}},
		{[]string{"compare", "--read", one, "--algorithms", "fedavg,fedavg"}, exitUsage, []string{"fedavg is given twice"}},
		{[]string{"compare", "--read", one, "--seeds", "4"}, exitUsage, []string{"4"}},
		{[]string{"compare", "--read", one, "--reference", "feddag"}, exitFailed, []string{"feddag"}},
		{[]string{"compare", "--read", one, shared, "--out", out}, exitFailed, []string{one, shared, "--eval-share"}},
		{[]string{"compare", "--read", one, two, "--out", out}, exitFailed, []string{one, two, "take one"}},
		{[]string{"compare", "--read", one, other, "--out", out}, exitFailed, []string{one, other, "different partitions"}},
		{[]string{"compare", "--read", one, iid, "--out", out}, exitFailed, []string{one, iid, "one partition"}},
		{[]string{"compare", "--read", one, told, "--out", out}, exitFailed, []string{one, told, "different scenarios"}},
		{[]string{"compare", "--read", damaged, "--out", out}, exitFailed, []string{damaged, "summary.json"}},
		{[]string{"compare", "--read", bare, "--out", out}, exitFailed, []string{bare, "no finished run", "no summary.json"}},
		{[]string{"compare", "--read", one, "--rounds", "5", "--out", out}, exitFailed, []string{one, "1 of 5 rounds"}},
		{[]string{"compare", "--read", one, "--beside", filepath.Join(data, "train-labels-idx1-ubyte"), "--out", out}, exitFailed, []string{"train-labels"}},
	} {
		code, stdout, log := feddag(c.args...)
		if code != c.code || stdout != "" {
			t.Errorf("feddag %s: exit code %d, want %d\n%s%s", strings.Join(c.args, " "), code, c.code, stdout, log)
		}
		for _, says := range c.says {
			if !strings.Contains(log, says) {
				t.Errorf("feddag %s: not %q, but\n%s", strings.Join(c.args, " "), says, log)
			}
		}
		if strings.Contains(log, "bug") || strings.Contains(log, "goroutine") {
			t.Errorf("feddag %s: a crash:\n%s", strings.Join(c.args, " "), log)
		}
	}
	// Unfinished runs are left out with a message.
	code, stdout, log := feddag("compare", "--read", one, bare, seeded, "--out", out)
	if got := lastLine(t, stdout); code != exitDone || len(got.Algorithms) != 2 || len(got.Missing) != 1 || !strings.Contains(log, "not in the tables: fedavg, seed 3") {
		t.Errorf("exit code %d: %s\n%s", code, log, stdout)
	}
	if code, out, log := feddag("compare", "--help"); code != exitDone || !strings.Contains(out, "--with") || log != "" {
		t.Errorf("--help: exit code %d, %s", code, log)
	}
}

// TestCompareReadsRunsOnce checks that a run counts once if several of the given paths contain it, and that the lines of metrics.jsonl
// must be those of the rounds in their order.
func TestCompareReadsRunsOnce(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	run, kept := filepath.Join(tmp, "run"), filepath.Join(tmp, "kept", "runs.zip")
	must(t, small(data, run, "--algorithm", "fedavg", "--rounds", "2")...)
	must(t, "compare", "--read", run, "--keep", kept, "--out", filepath.Join(tmp, "kept", "tables"))
	for _, paths := range [][]string{{run, run}, {run, tmp}, {kept, filepath.Dir(kept)}} {
		code, stdout, log := feddag(append([]string{"compare", "--out", filepath.Join(t.TempDir(), "c"), "--read"}, paths...)...)
		if code != exitDone {
			t.Fatalf("%s: %s", paths, log)
		}
		if got := lastLine(t, stdout); len(got.Algorithms) != 1 || got.Algorithms[0].Measures["final_pre"].N != 1 {
			t.Errorf("%s: %+v", paths, got)
		}
	}
	lines := bytes.SplitAfter(mustRead(t, run, report.MetricsFile), []byte("\n"))
	write(t, filepath.Join(run, report.MetricsFile), slices.Concat(lines[0], lines[0], lines[1]))
	checkFails(t, exitFailed, []string{report.MetricsFile, "line 2", "round 2 is next"}, "compare", "--read", run, "--out", filepath.Join(tmp, "c"))
}

// TestCompareNamesRunsApart checks that the names of separate runs without labels contain the flags in which they differ.
func TestCompareNamesRunsApart(t *testing.T) {
	data, tmp := mnist(t), t.TempDir()
	for name, more := range map[string][]string{"a": nil, "b": {"--lr", "0.02"}, "c": {"--lr", "0.02", "--seed", "1"}} {
		args := append([]string{"--algorithm", "fedavg", "--rounds", "1", "--final-post=false"}, more...)
		if code, _, log := feddag(small(data, filepath.Join(tmp, name), args...)...); code != exitDone {
			t.Fatal(log)
		}
	}
	code, stdout, log := feddag("compare", "--read", tmp)
	if code != exitDone {
		t.Fatal(log)
	}
	got := lastLine(t, stdout)
	if len(got.Algorithms) != 2 || got.Algorithms[0].Name != "fedavg lr=0.01" || got.Algorithms[1].Name != "fedavg lr=0.02" || got.Algorithms[1].Measures["final_pre"].N != 2 {
		t.Errorf("%+v", got)
	}
	if _, measured := got.Algorithms[0].Measures["final_post"]; measured {
		t.Error("without --final-post there is an accuracy of every client after local training")
	}
}

func TestShortFlagAndSlug(t *testing.T) {
	for _, c := range [][3]string{{"feddag", "feddag-sources", "sources"}, {"feddag-star", "feddag-delta", "delta"}, {"fedavg", "lr", "lr"}, {"fedprox", "fedprox-mu", "mu"}, {"fed", "feddag-delta", "feddag-delta"}} {
		if got := shortFlag(c[0], c[1]); got != c[2] {
			t.Errorf("%s of %s: %q", c[1], c[0], got)
		}
	}
	for name, want := range map[string]string{"FedDAG sources=sum": "feddag-sources-sum", "../..": "", "a/../b": "a-..-b", "µ": "", "lr=0.02": "lr-0.02"} {
		if got := slug(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
	for _, name := range federation.Names() {
		if slug(name) != name {
			t.Errorf("the directory of %s would be %s", name, slug(name))
		}
	}
}

// TestPaperCSV checks that the file with the paper's numbers has rows for the settings that benchmarks/*.sh run, and only
// existing algorithms.
func TestPaperCSV(t *testing.T) {
	config := map[string]string{"clients": "100", "rate": "0.2"}
	for _, c := range []struct {
		dataset, partition, labels, concentration, source string
		algorithms                                        int
		feddag                                            float64
		joined                                            bool
	}{
		{"fashion-mnist", "label-skew", "3", "1", "table 10", 11, 98.36, false},
		{"fashion-mnist", "label-skew", "2", "0.25", "table 4", 14, 93.82, false},
		{"fashion-mnist", "concept-shift", "3", "1", "table 2", 11, 88.93, false},
		{"fashion-mnist", "lda", "3", "0.25", "table 5", 9, 91.88, false},
		{"cifar10", "label-skew", "2", "1", "table 10", 11, 94.53, false},
		{"cifar10-jpeg", "lda", "3", "1", "table 5", 9, 87.62, false},
		{"cifar100", "label-skew", "30", "0.25", "table 4", 14, 63.21, false},
		{"cifar10", "feature-skew", "3", "1", "table 11", 10, 65.62, true},
		{"cifar10-c", "domains", "3", "1", "table 11", 10, 65.62, true},
		{"fashion-mnist", "label-skew", "3", "1", "table 13", 9, 96.84, true},
	} {
		for key, value := range map[string]string{"dataset": c.dataset, "partition": c.partition, "holdout": map[bool]string{true: "0.2", false: "0"}[c.joined], "labels-per-group": c.labels, "concentration": c.concentration} {
			config[key] = value
		}
		b, err := report.ReadBeside("../benchmarks/paper.csv", config)
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, x := range b {
			for name := range x.Values {
				if !slices.Contains(federation.Names(), name) {
					t.Errorf("%s is not an algorithm", name)
				}
			}
			if len(b) == 1 && x.Joined == c.joined && len(x.Values) == c.algorithms && x.Values["feddag"].Mean == c.feddag {
				found = append(found, x.Source)
			}
		}
		if len(found) != 1 || found[0] != c.source {
			t.Errorf("%+v: %q", c, found)
		}
	}
}

// TestCompareReadsADamagedSummary checks that a damaged summary is an error that names the file.
func TestCompareReadsADamagedSummary(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "run")
	must(t, small(data, out, "--algorithm", "fedavg", "--rounds", "1", "--final-post=false")...)
	summary := mustRead(t, out, report.SummaryFile)
	for _, rounds := range []string{"-1", "2", "1e30"} {
		write(t, filepath.Join(out, report.SummaryFile), bytes.Replace(summary, []byte(`"rounds": 1,`), []byte(`"rounds": `+rounds+`,`), 1))
		code, _, log := feddag("compare", "--read", out, "--out", filepath.Join(t.TempDir(), "c"))
		if code != exitFailed || !strings.Contains(log, report.SummaryFile) || strings.Contains(log, "panic") {
			t.Errorf("%s rounds: exit code %d: %s", rounds, code, log)
		}
	}
}
