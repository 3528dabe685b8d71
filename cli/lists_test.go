package cli

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/report"
)

func TestLists(t *testing.T) {
	for _, values := range [][]string{nil, {"size=32"}, {"size=32", "channels=1"}, {"images=my images", "size=32"}, {`"a`, `b"c`, `\`, ""}, {"a\u00a0b", "tab\there"}} {
		text := joinList(values)
		if got, err := splitList(text); err != nil || !slices.Equal(got, values) {
			t.Errorf("%q is written as %s and read as %q, %v", values, text, got, err)
		}
	}
	if got := joinList([]string{"size=32", "channels=1"}); got != "size=32 channels=1" { // the form of earlier runs
		t.Errorf("got %s", got)
	}
	if _, err := splitList(`a "b`); err == nil || !strings.Contains(err.Error(), "quotation mark") {
		t.Errorf("error %v", err)
	}
}

// TestOptionsWithBlanks checks that an option of a data set with blanks is in the configuration of a run as it was given.
func TestOptionsWithBlanks(t *testing.T) {
	o, err := parse([]string{"--dataset", "csv:list.csv", "--dataset-option", "images=my images", "--dataset-option", "size=32"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run")
	dir, err := report.Create(t.Context(), path, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.WriteConfig(o.pairs()); err != nil {
		t.Fatal(err)
	}
	saved, err := dir.ReadConfig()
	if err != nil {
		t.Fatal(err)
	}
	again, err := newOptions(o.algorithm)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.take(path, saved); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.source.extra, []string{"images=my images", "size=32"}) {
		t.Errorf("options %q", again.source.extra)
	}
	if x, err := again.source.options(); err != nil || x.Extra["images"] != "my images" {
		t.Errorf("options %q, %v", x.Extra, err)
	}
	moved := &source{dataset: "csv:other.csv", extra: []string{"size=16"}} // resumed with the data in another place
	if err := moved.keepOptions(saved); err != nil || !slices.Equal(moved.extra, []string{"size=16", "images=my images"}) {
		t.Errorf("options %q, %v", moved.extra, err)
	}
	for _, bad := range []string{"images", "=x", "my key=x", "images=a\nb"} {
		if _, err := keyValues("dataset-option", []string{bad}); err == nil || !strings.Contains(err.Error(), "use key=value") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
}
