package cli

import (
	"strings"

	"feddag/report/plot"

	"github.com/spf13/pflag"
)

// plotFormats is the value of --plots, a flag that every command that writes plots has.
type plotFormats []plot.Format

func (p *plotFormats) flags(f *pflag.FlagSet) {
	*p = plotFormats{plot.SVG}
	f.Var(p, "plots", "formats of the plots, separated by commas: svg, pdf, png; report pages need none of them")
}

// Set implements pflag.Value.
func (p *plotFormats) Set(text string) error { return p.Replace(strings.Split(text, ",")) }

// Replace implements pflag.SliceValue.
func (p *plotFormats) Replace(names []string) error {
	formats, err := plot.ParseFormats(names)
	if err != nil {
		return err
	}
	*p = formats
	return nil
}

// Append implements pflag.SliceValue.
func (p *plotFormats) Append(name string) error { return p.Replace(append(p.GetSlice(), name)) }

// GetSlice implements pflag.SliceValue.
func (p *plotFormats) GetSlice() []string {
	names := make([]string, len(*p))
	for i, f := range *p {
		names[i] = string(f)
	}
	return names
}

// String implements pflag.Value.
func (p *plotFormats) String() string { return "[" + strings.Join(p.GetSlice(), ",") + "]" }

// Type implements pflag.Value.
func (p *plotFormats) Type() string { return "strings" }
