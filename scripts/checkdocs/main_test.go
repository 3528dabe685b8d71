package main

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// check runs a page with a program that prints its arguments, and returns what the checker reports.
func check(t *testing.T, page string) (report string, failed int) {
	t.Helper()
	root := t.TempDir()
	t.Chdir(root)
	for _, dir := range []string{"docs", "benchmarks"} {
		if err := os.Mkdir(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("program", []byte("#!/bin/bash\n[[ $1 != fail ]] && echo \"ran $*\"\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("docs/page.md", []byte(page), 0o666); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	c := checker{program: "program", limit: time.Minute, out: &out}
	err := c.pages(t.Context(), []string{"docs/page.md"})
	if (err != nil) != (c.failed > 0) {
		t.Errorf("%d failed, error %v", c.failed, err)
	}
	return out.String(), c.failed
}

func TestChecker(t *testing.T) {
	for _, c := range []struct {
		name, page string
		failed     int
		want       []string
	}{
		{"runs, with flags for the commands that compute",
			"<!-- run: with --rounds 2 -->\n\n    ./feddag train --rounds 30 && touch here\n    feddag compare --read x\n\n" +
				"<!-- output -->\n\n    ran train --rounds 40 --rounds 2\n    ran compare --read x\n\n<!-- run -->\n\n    ls here docs benchmarks\n",
			0, []string{"ok   docs/page.md:3:", "ok   docs/page.md:13:", "2 blocks ran, 0 were skipped, 0 failed"}},
		{"a command that fails ends the page",
			"<!-- run -->\n\n    true\n    ./feddag fail \\\n        --twice\n    true\n\n<!-- run -->\n\n    true\n",
			1, []string{"FAIL docs/page.md:4: exit status 1\n    ./feddag fail --twice\n", "0 blocks ran"}},
		{"an error above the lines of a launcher", "<!-- run -->\n\n    echo the error; seq 30; false\n",
			1, []string{"    the error\n    1\n"}},
		{"another output", "<!-- run -->\n\n    echo 5 of 6; ./feddag doctor\n\n<!-- output -->\n\n    5 of 6\n    ran train\n",
			1, []string{"FAIL docs/page.md:7: the commands before it do not print\n    5 of 6\n    ran train\nThey print\n    5 of 6\n    ran doctor\n"}},
		{"what is missing", "<!-- run: needs no-such-program -->\n\n    no-such-program\n\n<!-- not run: takes hours -->\n\n    false\n",
			0, []string{"skip docs/page.md:3: no-such-program is not installed", "skip docs/page.md:7: takes hours"}},
		{"hidden commands", "<!-- set-up\necho 1 >a\n-->\n\n<!-- run -->\n\n    cat a\n", 0, []string{"2 blocks ran"}},
		{"an interrupt", "<!-- run: for 1 s -->\n\n    sleep 100\n", 0, []string{"1 blocks ran"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			report, failed := check(t, c.page)
			if failed != c.failed {
				t.Errorf("%d blocks failed, want %d", failed, c.failed)
			}
			for _, want := range c.want {
				if !strings.Contains(report, want) {
					t.Errorf("no %q in\n%s", want, report)
				}
			}
		})
	}
}

// TestWriteFashion checks the sizes in the headers of the synthetic data set.
func TestWriteFashion(t *testing.T) {
	dir := t.TempDir()
	if err := writeFashion(dir); err != nil {
		t.Fatal(err)
	}
	for name, count := range map[string]int{"train": syntheticTrain, "t10k": syntheticTest} {
		for file, header := range map[string]int{"-images-idx3-ubyte": 16, "-labels-idx1-ubyte": 8} {
			content, err := os.ReadFile(filepath.Join(dir, name+file))
			if err != nil {
				t.Fatal(err)
			}
			size := count
			if header == 16 {
				size *= side * side
			}
			if got := int(binary.BigEndian.Uint32(content[4:])); got != count || len(content) != header+size {
				t.Errorf("%s%s has %d items in %d bytes, want %d in %d", name, file, got, len(content), count, header+size)
			}
		}
	}
}
