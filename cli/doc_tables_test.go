package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTablesOfResults checks that the tables of docs/results.md that follow a command of the form "./feddag compare --read
// ARCHIVE" and begin with the header of the program's tables are byte for byte the output of the command. Tables with other
// headers are written by hand.
func TestTablesOfResults(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "results.md"))
	if err != nil {
		t.Fatal(err)
	}
	const command, header = "    ./feddag compare --read ", "| algorithm | n | "
	made, table, checked := "", false, 0
	for number, line := range strings.Split(string(page), "\n") {
		switch {
		case strings.HasPrefix(line, command):
			made = line
		case strings.HasPrefix(line, header):
			table = true
		case !strings.HasPrefix(line, "|"):
			table = false
		}
		if !table {
			continue
		}
		if strings.HasPrefix(made, command) {
			args := strings.Fields(made)[1:]
			out := t.TempDir()
			args[2] = filepath.Join(root, args[2])
			if code, _, log := feddag(append(args, "--out", out)...); code != exitDone {
				t.Fatalf("%s: exit code %d: %s", made, code, log)
			}
			tables, err := os.ReadFile(filepath.Join(out, "compare.md"))
			if err != nil {
				t.Fatal(err)
			}
			made = string(tables)
		}
		if !strings.Contains(made, line+"\n") {
			t.Errorf("docs/results.md, line %d: the command before it does not write\n%s", number+1, line)
		}
		checked++
	}
	if checked == 0 {
		t.Error("docs/results.md has no table of the program")
	}
}
