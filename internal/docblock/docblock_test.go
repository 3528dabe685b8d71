package docblock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	page := `# Title

Text
    that continues with an indented line.

<!-- run: needs python3 python:numpy; with --rounds 2; for 5 s -->

    ./feddag train \
        --rounds 30

    ./feddag doctor

<!-- output -->
` + fence + `
it prints
` + fence + `

` + fence + `json
{}
` + fence + `

<!-- set-up
mkdir out
-->

<!-- not run: needs a GPU -->

    make gpu
`
	got, err := Parse(page)
	want := []Block{
		{Line: 8, Code: []string{"./feddag train \\", "    --rounds 30", "", "./feddag doctor"},
			Mark: Mark{Kind: Run, Needs: []string{"python3", "python:numpy"}, With: "--rounds 2", Interrupt: 5 * time.Second}},
		{Line: 15, Code: []string{"it prints"}, Mark: Mark{Kind: Output}},
		{Line: 19, Language: "json", Code: []string{"{}"}},
		{Line: 23, Code: []string{"mkdir out"}, Mark: Mark{Kind: SetUp}},
		{Line: 28, Code: []string{"make gpu"}, Mark: Mark{Kind: NotRun, Reason: "needs a GPU"}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
}

func TestParseFindsMistakes(t *testing.T) {
	for page, want := range map[string]string{
		"\n    ./feddag train\n":                   "line 2: the block has no mark",
		fence + "sh\nls\n" + fence + "\n":          "line 2: the block has no mark",
		"<!-- run -->\n\nText\n":                   "line 1: no block follows the mark",
		"<!-- run -->":                             "line 1: no block follows the mark",
		"<!-- not run -->\n\n    ls\n":             `line 1: the comment "not run" is not a mark`,
		"<!-- run: with -->\n\n    ls\n":           "line 1: the mark \"run: with\": with needs a value",
		"<!-- run: without --a -->\n\n    ls\n":    `line 1: the mark "run: without --a": "without" is not known`,
		"<!-- run: for ever -->\n\n    ls\n":       `line 1: the mark "run: for ever": "ever" is not a number of seconds`,
		"<!-- run -->\n" + fence + "\nls\n":        "line 2: the fence is not closed",
		"<!-- run -->\n\n    ls\n\ntext\n\n    ls": "line 7: the block has no mark",
	} {
		if _, err := Parse(page); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
}

// TestPages checks that every block of the documentation has a mark, or a language that needs none.
func TestPages(t *testing.T) {
	pages, err := Pages("../..")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(filepath.Join("../..", page))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(string(text)); err != nil {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// TestFilesOfTutorials checks that the Go files in the tutorials are equal to files that are compiled with the tests. A
// reader of a tutorial gives them other names.
func TestFilesOfTutorials(t *testing.T) {
	for page, files := range map[string][]string{
		"own-algorithm.md": {"federation/algorithm/example_confident_test.go", "federation/algorithm/confident.go"},
		"own-model.md":     {"models/example_three_test.go", "models/three.go"},
	} {
		text, err := os.ReadFile(filepath.Join("../../docs/tutorials", page))
		if err != nil {
			t.Fatal(err)
		}
		code, err := os.ReadFile(filepath.Join("../..", files[0]))
		if errors.Is(err, fs.ErrNotExist) {
			code, err = os.ReadFile(filepath.Join("../..", files[1]))
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), fence+"go\n"+string(code)+fence) {
			t.Errorf("docs/tutorials/%s does not show %s", page, files[0])
		}
	}
}
