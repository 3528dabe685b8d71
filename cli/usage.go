package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/models"

	"github.com/spf13/pflag"
)

// flagUsages returns the help of flags. pflag leaves the default out where it is 0, as if there were none.
func flagUsages(fs *pflag.FlagSet) string {
	shown := newFlagSet()
	fs.VisitAll(func(f *pflag.Flag) {
		if f.DefValue == "0" && !strings.Contains(f.Usage, "(default") {
			zero := *f
			zero.Usage += " (default 0)"
			f = &zero
		}
		shown.AddFlag(f)
	})
	return shown.FlagUsagesWrapped(110)
}

// modelUsage prints the models with the images that each takes and the flags that it reads.
func modelUsage(w io.Writer) {
	for _, name := range models.Names() {
		var flags []string
		for _, flag := range models.Flags() {
			if slices.Contains(models.Readers(flag), name) {
				flags = append(flags, "--"+flag)
			}
		}
		fmt.Fprintf(w, "  %-14s %s (%s)\n", name, models.Images(name), strings.Join(flags, ", "))
	}
}

// presetUsage prints what each preset of the algorithm sets to another value than the default.
func (o *options) presetUsage(w io.Writer) {
	p, ok := o.alg.(federation.Presetter)
	if !ok {
		return
	}
	presets := p.Presets()
	for _, preset := range slices.Sorted(maps.Keys(presets)) {
		line := fmt.Sprintf("  %-14s", preset)
		o.flags.VisitAll(func(f *pflag.Flag) {
			value, set := presets[preset][f.Name]
			if !set || f.Hidden || sameNumber(value, f.DefValue) {
				return
			}
			word := " --" + f.Name + "=" + value
			if len(line)+len(word) > 110 {
				fmt.Fprintln(w, line)
				line = fmt.Sprintf("  %-14s", "")
			}
			line += word
		})
		fmt.Fprintln(w, line)
	}
}
