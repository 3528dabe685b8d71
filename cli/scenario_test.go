package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const storyText = `{
	"version": 2, "reserve": 0.2, "check_every": 2, "search_after": 1,
	"events": [
		{"round": 2, "join": 5},
		{"round": 3, "swap": [0, 1]},
		{"round": 4, "leave": 2},
		{"round": 5, "join": 2}
	]
}`

// TestScenarioRun checks that the run of a scenario records its events, and that a kill in the middle does not change them.
func TestScenarioRun(t *testing.T) {
	data := mnist(t)
	file := filepath.Join(t.TempDir(), "story.json")
	write(t, file, []byte(storyText))
	whole, out := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "run")
	code, stdout, log := feddag(small(data, whole, "--rounds", "8", "--scenario", file)...)
	if code != exitDone {
		t.Fatal(log)
	}
	for _, want := range []string{"before round 2: 1 clients joined", "before round 3: the data of 2 clients changed", "before round 4: 1 clients left"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in %s", want, log)
		}
	}
	if !strings.Contains(stdout, `"joined":{"clients":2`) {
		t.Errorf("no newcomers in the summary: %s", stdout)
	}
	for _, name := range []string{"scenario.json", "assignments.jsonl", "plots/assignments.svg", "search-2/clusters.json", "search-5/clusters.json"} {
		if _, err := os.Stat(filepath.Join(whole, name)); err != nil {
			t.Error(err)
		}
	}
	if page, err := os.ReadFile(filepath.Join(whole, "report.html")); err != nil || !bytes.Contains(page, []byte("Clients over time")) {
		t.Errorf("the report does not tell (%v)", err)
	}

	cmd := exec.Command(os.Args[0], small(data, out, "--rounds", "8", "--scenario", file, "--workers", "1")...)
	cmd.Env = append(os.Environ(), "FEDDAG_TEST_PROGRAM=1")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if raw, err := os.ReadFile(filepath.Join(out, "metrics.jsonl")); err == nil && bytes.Count(raw, []byte("\n")) >= 2 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Log(err)
	}
	t.Log(cmd.Wait())
	if err := os.Remove(file); err != nil { // the run has its own copy
		t.Fatal(err)
	}
	if code, _, log := feddag("train", "--resume", out, "--workers", "2"); code != exitDone {
		t.Fatalf("resume: exit code %d: %s", code, log)
	}
	for _, name := range []string{"assignments.jsonl", "model/cluster-0.safetensors"} {
		a, err := os.ReadFile(filepath.Join(whole, name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(out, name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs after the resume (%v)", name, err)
		}
	}
	write(t, filepath.Join(out, "scenario.json"), []byte(strings.Replace(storyText, "0.2", "0.3", 1)))
	if code, _, log := feddag("train", "--resume", out); code != exitFailed || !strings.Contains(log, "another configuration") {
		t.Errorf("a scenario that was changed: exit code %d: %s", code, log)
	}
}

// TestScenarioMistakes checks that an impossible scenario is a usage error, and that nothing is written.
func TestScenarioMistakes(t *testing.T) {
	data := mnist(t)
	file := filepath.Join(t.TempDir(), "story.json")
	for _, c := range []struct{ text, algorithm, want string }{
		{`{`, "feddag", "not a JSON object"},
		{`{"version": 2, "events": [{"round": 2, "leave": 6}]}`, "feddag", "event 1 (round 2, leave): client 6 is unknown: the clients are 0 to 5"},
		{`{"version": 2, "events": [{"round": 4, "leave": 1}]}`, "feddag", "after the end of the run"},
		{`{"version": 2, "check_every": 2}`, "fedavg", "algorithm fedavg cannot handle check_every"},
	} {
		write(t, file, []byte(c.text))
		out := filepath.Join(t.TempDir(), "run")
		code, _, log := feddag(small(data, out, "--scenario", file, "--algorithm", c.algorithm)...)
		if code != exitUsage || !strings.Contains(log, c.want) || !strings.Contains(log, file) {
			t.Errorf("%s: exit code %d: %s", c.text, code, log)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: the directory was made", c.text)
		}
	}
	if code, _, log := feddag(small(data, filepath.Join(t.TempDir(), "run"), "--scenario", file+".none")...); code != exitFailed || !strings.Contains(log, "none") {
		t.Errorf("no file: exit code %d: %s", code, log)
	}
}

// TestScenariosOfTwoVersions checks that the scenario of a run of an earlier version, which counts the rounds from 0, is
// equal to a present scenario with the same events, and different from one with other events.
func TestScenariosOfTwoVersions(t *testing.T) {
	canonical := func(text string) string {
		t.Helper()
		s, err := canonicalScenario([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	earlier := canonical(`{"events": [{"round": 4, "join": [5, 6]}]}`)
	if now := canonical(`{"version": 2, "events": [ {"round": 5, "join": "5-6"} ]}`); now != earlier {
		t.Errorf("%s and %s", earlier, now)
	}
	if other := canonical(`{"version": 2, "events": [{"round": 4, "join": [5, 6]}]}`); other == earlier {
		t.Errorf("both are %s", other)
	}
}
