package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"feddag/models"

	"github.com/spf13/pflag"
)

// flagUsages returns the help of flags. pflag omits a default of 0, as if there were no default, and prints an empty default
// for a number that must be given; this function corrects both.
func flagUsages(fs *pflag.FlagSet) string {
	shown := newFlagSet()
	fs.VisitAll(func(f *pflag.Flag) {
		switch {
		case f.DefValue == "0" && !strings.Contains(f.Usage, "(default"):
			zero := *f
			zero.Usage += " (default 0)"
			f = &zero
		case f.DefValue == "" && f.Value.Type() == "int":
			required := *f
			required.DefValue = "0"
			f = &required
		}
		shown.AddFlag(f)
	})
	return shown.FlagUsagesWrapped(110)
}

// modelUsage prints the models with the image shapes and the flags of each model.
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

// presetUsage prints the flags that each preset of the algorithm sets to a value other than the default. It leaves out the
// settings of the paper's tables, which feddag presets lists.
func (o *options) presetUsage(w io.Writer) {
	for _, p := range o.presets() {
		if p.isSetting() {
			continue
		}
		words := slices.DeleteFunc(p.differences(o), func(word string) bool { // flags of related algorithms
			name, _, _ := strings.Cut(strings.TrimPrefix(word, "--"), "=")
			return o.flags.Lookup(name) == nil
		})
		fmt.Fprintf(w, "  %s: %s\n", p.name, p.about)
		wrapWords(w, "   ", words)
	}
	fmt.Fprintf(w, "  table-...: a setting of a table of the paper (feddag presets)\n")
}
