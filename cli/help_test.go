package cli

import (
	"os"
	"strings"
	"testing"
)

// TestHelpTopics checks that the short help only has the main flags, that --help all has every flag, and that a topic only
// has its flags.
func TestHelpTopics(t *testing.T) {
	help := func(args ...string) string {
		t.Helper()
		code, out, log := feddag(args...)
		if code != exitDone || log != "" {
			t.Fatalf("feddag %v: exit code %d: %s", args, code, log)
		}
		return out
	}
	short := help("train", "--help")
	if n := strings.Count(short, "\n      --"); n > 18 || n < 12 {
		t.Errorf("the short help has %d flags:\n%s", n, short)
	}
	for _, want := range []string{"--algorithm ", "--rounds ", "--dry-run", "more flags: feddag train --help all", "\n  fedavg "} {
		if !strings.Contains(short, want) {
			t.Errorf("no %q in\n%s", want, short)
		}
	}
	all := help("train", "--help", "all")
	if again := help("help", "train", "all"); again != all {
		t.Error("help train all is another text than train --help all")
	}
	if equals := help("train", "--help=all"); equals != all {
		t.Error("--help=all is another text than --help all")
	}
	o, err := newOptions("feddag")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range o.groups {
		part := help("train", "--help", g.topic())
		if !strings.Contains(part, "\n"+g.title+":\n") || strings.Count(part, ":\n") > strings.Count(all, ":\n")/2 {
			t.Errorf("topic %s:\n%s", g.topic(), part)
		}
		if !strings.Contains(all, part) {
			t.Errorf("--help all has not what --help %s has", g.topic())
		}
	}
	if code, _, log := feddag("train", "--help", "modles"); code != exitUsage || !strings.Contains(log, `help topic "modles" is unknown: did you mean models?`) {
		t.Errorf("a wrong topic: exit code %d: %s", code, log)
	}
	if _, out, _ := feddag("help"); !strings.Contains(out, "\n  bench ") {
		t.Errorf("help does not list bench:\n%s", out)
	}
}

// TestDataHelp checks that each verb of data has its own help.
func TestDataHelp(t *testing.T) {
	seen := map[string]bool{}
	for name, verb := range dataVerbs {
		code, out, _ := feddag("data", name, "--help")
		if code != exitDone || !strings.HasPrefix(out, verb.help) || !strings.Contains(out, "Usage: feddag data "+name) || seen[out] {
			t.Errorf("data %s --help: exit code %d: %s", name, code, out)
		}
		seen[out] = true
		if _, again, _ := feddag("help", "data", name); again != out {
			t.Errorf("help data %s is another text", name)
		}
	}
	if code, _, log := feddag("data", "fetsh", "mnist"); code != exitUsage || !strings.Contains(log, "did you mean fetch?") {
		t.Errorf("a wrong verb: exit code %d: %s", code, log)
	}
}

// TestHelpOfRequiredNumber checks that the help has no empty default for a number that must be given.
func TestHelpOfRequiredNumber(t *testing.T) {
	for _, command := range commandNames() {
		if _, out, _ := feddag(command, "--help", "all"); strings.Contains(out, "(default )") {
			t.Errorf("the help of %s has an empty default:\n%s", command, out)
		}
	}
}

// TestTextsOnAFullDisk checks that a command that prints a text for a file, such as the manual page, fails if the text cannot be
// written.
func TestTextsOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"help"}, {"help", "train"}, {"man"}, {"completion", "zsh"}, {"presets"}, {"presets", "paper"}, {"version"}, {"data", "list"}} {
		var log strings.Builder
		if code := Main(args, full, &log); code != exitFailed || !strings.Contains(log.String(), "no space left") {
			t.Errorf("%v: exit code %d: %s", args, code, log.String())
		}
	}
}
