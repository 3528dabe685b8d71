package scripts

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCheckLanguage checks that scripts/check_language.sh finds clipped sentences, line by line, and nothing in good English
// or in lines that are exempt.
func TestCheckLanguage(t *testing.T) {
	check := func(lines ...string) (output string, found bool) {
		file := filepath.Join(t.TempDir(), "text.go")
		if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("./check_language.sh", file).CombinedOutput()
		if _, failed := err.(*exec.ExitError); err != nil && !failed {
			t.Fatal(err)
		}
		return "\n" + string(out), err != nil
	}
	bad := []string{
		"Batch int // samples a step",                              // language: ok
		"20 of 100 clients, 5 rounds a run, one encoder a cluster", // language: ok
		"counts []int // of each class",                            // language: ok
		`f.IntVar(&b.clients, "clients", 20, "of the cohort")`,     // language: ok
		`errors.New("x is no list")`,                               // language: ok
		"It leaves them out, for they are not read.",               // language: ok
		"Of those it takes the first.",                             // language: ok
		"Everything is the same but for rounding.",                 // language: ok
		"It is an error if it has not n values.",                   // language: ok
	}
	out, found := check(bad...)
	for i, line := range bad {
		if !found || !strings.Contains(out, fmt.Sprintf("\n%d:", i+1)) {
			t.Errorf("%q is not found:%s", line, out)
		}
	}
	if out, found := check(
		"Batch int // samples per step",
		"the images a client sends, the weights a client receives, as many clients as a round has",
		"There is no list of clients. The name is free, for example.",
		"samples a step would not fit into // language: ok",
		"One of those that it takes is the first.",
	); found {
		t.Errorf("good English is found:%s", out)
	}
}
