package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/report/plot"
)

// TestUnknownPlotFormat checks that every command that writes plots refuses an unknown format with the list of known ones
// before it does anything.
func TestUnknownPlotFormat(t *testing.T) {
	for _, args := range [][]string{
		{"train"}, {"cluster"}, {"partition"}, {"compare", "--algorithms", "fedavg"}, {"compare", "--read", t.TempDir()},
	} {
		for _, formats := range []string{"svg,jpeg", ""} {
			out := filepath.Join(t.TempDir(), "out")
			code, _, log := feddag(append(slices.Clone(args), "--plots", formats, "--out", out)...)
			if code != exitUsage || !strings.Contains(log, "--plots") || !strings.Contains(log, "svg, pdf, png") {
				t.Errorf("%q --plots %q: exit code %d, %s", args, formats, code, log)
			}
		}
	}
}

func TestPlotFormats(t *testing.T) {
	o, err := newOptions(defaultAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	f := o.flags.Lookup("plots")
	if got := defaultOf(f); got != "svg" || !slices.Equal(o.plots, plotFormats{plot.SVG}) {
		t.Errorf("the default is %q, %v", got, o.plots)
	}
	if err := o.flags.Parse([]string{"--plots", "pdf,png"}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(o.plots, plotFormats{plot.PDF, plot.PNG}) || f.Value.String() != "[pdf,png]" {
		t.Errorf("%v, %s", o.plots, f.Value)
	}
	if err := o.plots.Append("svg"); err != nil || !slices.Equal(o.plots.GetSlice(), []string{"pdf", "png", "svg"}) {
		t.Errorf("%v, %v", o.plots, err)
	}
}
