package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestCompareDifferentRounds checks comparisons in which an algorithm has a number of rounds of its own.
func TestCompareDifferentRounds(t *testing.T) {
	data, out := mnist(t), filepath.Join(t.TempDir(), "c")
	args := little(t, data, out, "--algorithms", "ifca", "--with", "fedavg as short: --rounds 1", "--seeds", "1", "--rounds", "2")
	check := func(what, stdout string) {
		t.Helper()
		got := lastLine(t, stdout)
		rounds := map[string]int{}
		for _, a := range got.Algorithms {
			rounds[a.Name] = a.Rounds
			if a.Measures["final_post"].N != 1 {
				t.Errorf("%s: %s has no accuracy after all of its rounds", what, a.Name)
			}
		}
		if len(rounds) != 2 || rounds["ifca"] != 2 || rounds["short"] != 1 || got.Rounds != 2 {
			t.Errorf("%s: rounds %v of %d, want 2 and 1 of 2", what, rounds, got.Rounds)
		}
		for _, must := range []string{"6 clients, 1 or 2 rounds,", "swing   rounds"} {
			if !strings.Contains(stdout, must) {
				t.Errorf("%s: standard output lacks %q:\n%s", what, must, stdout)
			}
		}
	}
	code, stdout, log := feddag(args...)
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	check("trained", stdout)
	if code, stdout, log = feddag(args...); code != exitDone || !strings.Contains(log, "2 of them finished") {
		t.Errorf("again: exit code %d: %s", code, log)
	}
	check("again", stdout)
	if code, stdout, log = feddag("compare", "--read", out, "--different-rounds"); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	check("read", stdout)

	other := filepath.Join(t.TempDir(), "o")
	if code, _, log := feddag(little(t, data, other, "--algorithms", "ifca", "--seeds", "2", "--rounds", "1")...); code != exitDone {
		t.Fatalf("exit code %d: %s", code, log)
	}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"--read", out}, exitFailed, []string{"ifca-1 has 2 rounds", "short-1 has 1", "--rounds", "--different-rounds"}},
		{[]string{"--read", out, other, "--different-rounds", "--out", t.TempDir()}, exitFailed, []string{"ifca-1 has 2 rounds", "ifca-2 has 1", "the runs of an algorithm"}},
		{[]string{"--read", out, "--different-rounds", "--rounds", "1"}, exitUsage, []string{"--different-rounds", "--rounds"}},
		{[]string{"--algorithms", "ifca", "--different-rounds"}, exitUsage, []string{"--different-rounds needs --read"}},
		{[]string{"--with", "ifca: --rounds 0"}, exitUsage, []string{"ifca rounds=0", "--rounds is 0"}},
	} {
		code, _, log := feddag(append([]string{"compare"}, c.args...)...)
		for _, want := range c.want {
			if code != c.code || !strings.Contains(log, want) {
				t.Errorf("%q: exit code %d, want %d; the message lacks %q: %s", c.args, code, c.code, want, log)
			}
		}
	}
}
