package cli

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestBashCompletion completes command lines in a bash.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip(err)
	}
	code, script, log := feddag("completion", "bash")
	if code != exitDone || log != "" {
		t.Fatalf("exit code %d: %s", code, log)
	}
	file := filepath.Join(t.TempDir(), "completion")
	write(t, file, []byte(script))
	for line, want := range map[string]string{
		"feddag tra":                        "train",
		"feddag train --local-epo":          "",
		"feddag train --epo":                "--epochs",
		"feddag train --ifca-clu":           "--ifca-clusters",
		"feddag train --algorithm fedpr":    "fedprox",
		"feddag train --algorithm = fedpr":  "fedprox",
		"feddag train --on-divergence ":     "stop drop",
		"feddag data fe":                    "fetch",
		"feddag presets table-13-f":         "table-13-fashion-mnist",
		"feddag completion ":                "bash fish zsh",
		"feddag train --preset table-11-pa": "table-11-pacs",
	} {
		words := strings.Split(line, " ")
		cmd := exec.Command(bash, "-c", `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _feddag; echo "${COMPREPLY[*]}"`)
		cmd.Args = append(cmd.Args, file)
		cmd.Args = append(cmd.Args, words...)
		got, err := cmd.CombinedOutput()
		if err != nil || strings.TrimSpace(string(got)) != want {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

// TestCompletionsHaveEveryFlag checks that the scripts and the manual page have every flag of train, and that the shells that are
// installed can read the scripts.
func TestCompletionsHaveEveryFlag(t *testing.T) {
	for _, shell := range shellNames() {
		code, script, log := feddag("completion", shell)
		if code != exitDone || log != "" {
			t.Fatalf("%s: exit code %d: %s", shell, code, log)
		}
		for _, name := range []string{"train", "compare", "data"} {
			pageOf(name).eachFlag(func(f *pflag.Flag) {
				if !strings.Contains(script, "--"+f.Name) && !strings.Contains(script, "-l "+f.Name) {
					t.Errorf("%s: no --%s", shell, f.Name)
				}
			})
		}
		if path, err := exec.LookPath(shell); err == nil {
			file := filepath.Join(t.TempDir(), shell)
			write(t, file, []byte(script))
			if out, err := exec.Command(path, "-n", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", shell, err, out)
			}
		}
	}
	if code, _, log := feddag("completion", "zhs"); code != exitUsage || !strings.Contains(log, "did you mean zsh?") {
		t.Errorf("a wrong shell: exit code %d: %s", code, log)
	}
}

// TestManual checks that the manual page has every flag and command, and that groff reads it without a warning.
func TestManual(t *testing.T) {
	code, page, log := feddag("man")
	if code != exitDone || log != "" {
		t.Fatalf("exit code %d: %s", code, log)
	}
	for _, name := range commandNames() {
		pageOf(name).eachFlag(func(f *pflag.Flag) {
			if !strings.Contains(page, roff("--"+f.Name)) {
				t.Errorf("no --%s of %s", f.Name, name)
			}
		})
		if !strings.Contains(page, ".B "+roff(name)+"\n") {
			t.Errorf("no command %s", name)
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
	cmd.Stdin = strings.NewReader(page)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("groff: %v: %.2000s", err, out)
	}
}
