package report

import (
	"bytes"
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/report/plot"
)

// checkSVG checks for well-formed XML with an svg root and no coordinate that is not a number.
func checkSVG(t *testing.T, raw []byte) {
	t.Helper()
	dec := xml.NewDecoder(bytes.NewReader(raw))
	dec.Strict = true
	first := ""
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%.300s", err, raw)
		}
		if e, ok := tok.(xml.StartElement); ok {
			if first == "" {
				first = e.Name.Local
			}
			for _, a := range e.Attr {
				if e.Name.Local != "image" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
					t.Errorf("%s %s=%q", e.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
	if first != "svg" {
		t.Errorf("root element %q", first)
	}
}

// keep writes raw to the folder FEDDAG_TEST_PLOTS, for inspection.
func keep(t *testing.T, name string, raw []byte) {
	t.Helper()
	if dir := os.Getenv("FEDDAG_TEST_PLOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWritePlot checks that exactly the requested formats are written.
func TestWritePlot(t *testing.T) {
	d, err := Create(t.Context(), t.TempDir(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	figure, err := plot.Lines(accuracyChart(plot.Series{Name: "s", X: []float64{0, 1}, Y: []float64{1, 2}}))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.WritePlot("plots/x", figure, []plot.Format{plot.PDF, plot.PNG}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(d.Path("plots", "*"))
	if want := []string{d.Path("plots/x.pdf"), d.Path("plots/x.png")}; err != nil || !slices.Equal(files, want) {
		t.Errorf("%v, %v", files, err)
	}
	if err := d.WritePlot("../x", figure, plot.Formats()); err == nil {
		t.Error("a plot was written outside of the run directory")
	}
}
