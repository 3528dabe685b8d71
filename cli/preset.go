package cli

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"

	"feddag/internal/spelling"
	"feddag/report"

	"github.com/spf13/pflag"
)

// presetFiles contains one file per preset, in the format of --config. The first line of each file describes the preset.
//
//go:embed presets/*.yaml
var presetFiles embed.FS

// preset is a named set of values of flags.
type preset struct {
	name  string
	about string
	text  string // text of the preset's file
	pairs []report.Pair
}

// noPreset is the name of the preset that sets nothing.
const noPreset = "default"

// presets returns all presets except noPreset, sorted by name.
var presets = sync.OnceValue(func() []preset {
	files, err := presetFiles.ReadDir("presets")
	if err != nil {
		panic(err) // the files are embedded in the program
	}
	var list []preset
	for _, file := range files {
		text, err := presetFiles.ReadFile(path.Join("presets", file.Name()))
		if err != nil {
			panic(err)
		}
		p := preset{name: strings.TrimSuffix(file.Name(), ".yaml"), text: string(text)}
		about, _, _ := strings.Cut(p.text, "\n")
		p.about = strings.TrimPrefix(about, "# ")
		if p.pairs, err = report.ParseConfig(text); err != nil {
			panic(fmt.Sprintf("preset %s: %v", p.name, err)) // a test reads them all
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b preset) int { return strings.Compare(padNumber(a.name), padNumber(b.name)) })
	return list
})

// padNumber pads the number in a name with zeros, so that table-10 is sorted after table-2.
func padNumber(name string) string {
	if rest, ok := strings.CutPrefix(name, "table-"); ok && strings.IndexByte(rest, '-') == 1 {
		return "table-0" + rest
	}
	return name
}

// allPresetNames returns the names of all presets.
func allPresetNames() []string {
	names := []string{noPreset}
	for _, p := range presets() {
		names = append(names, p.name)
	}
	return names
}

// value returns the value of a flag in the preset, and whether it has one.
func (p preset) value(flag string) (string, bool) {
	i := slices.IndexFunc(p.pairs, func(x report.Pair) bool { return x.Key == flag })
	if i < 0 {
		return "", false
	}
	return p.pairs[i].Value, true
}

// isSetting reports whether the preset specifies the data to train on. Such a preset can be used with every algorithm and
// sets the flags that the algorithm has. Other presets are variants of an algorithm.
func (p preset) isSetting() bool {
	_, dataset := p.value("dataset")
	_, kind := p.value("partition")
	return dataset || kind
}

// presets returns the presets that the algorithm can be run with.
func (o *options) presets() []preset {
	own := o.groupFlags("Of " + o.algorithm)
	return slices.DeleteFunc(slices.Clone(presets()), func(p preset) bool {
		return !p.isSetting() && !slices.ContainsFunc(p.pairs, func(x report.Pair) bool { return own.Lookup(x.Key) != nil })
	})
}

// applyPreset sets the flags of the named presets that were not given. The names are separated by commas; later presets take
// precedence.
func (o *options) applyPreset() error {
	if o.preset == "" {
		return nil
	}
	known := o.presets()
	for name := range strings.SplitSeq(o.preset, ",") {
		name = strings.TrimSpace(name)
		if err := checkPreset(name, known); err != nil {
			return err
		}
		for _, p := range known {
			if p.name != name {
				continue
			}
			for _, x := range p.pairs {
				f := o.flags.Lookup(x.Key)
				if f == nil || f.Changed { // a flag of another algorithm, or one that was given
					continue
				}
				if err := setFlag(f, x.Value); err != nil {
					return fmt.Errorf("preset %s: --%s: %w", name, x.Key, err)
				}
			}
		}
	}
	return nil
}

// checkPreset returns an error for a name that is not among the known presets. The error only names similar presets, because
// there are many.
func checkPreset(name string, known []preset) error {
	near, begin := []string{noPreset}, []string(nil)
	for _, p := range known {
		if p.name == name {
			return nil
		}
		near = append(near, p.name)
		if name != "" && strings.HasPrefix(p.name, name) {
			begin = append(begin, p.name)
		}
	}
	if name == noPreset {
		return nil
	}
	hint := ""
	if best := spelling.Nearest(name, near); len(begin) > 0 {
		hint = "; did you mean one of " + strings.Join(begin, ", ") + "?"
	} else if best != "" {
		hint = "; did you mean " + best + "?"
	}
	return usagef("preset %q is unknown%s (feddag presets lists them)", name, hint)
}

// setFlag sets a flag to a value in the format of config.yaml.
func setFlag(f *pflag.Flag, value string) error {
	readDecimal(f)
	s, ok := f.Value.(pflag.SliceValue)
	if !ok {
		return f.Value.Set(value)
	}
	if f.Value.Type() != "stringArray" { // separated by commas on the command line
		return s.Replace(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }))
	}
	values, err := splitList(value)
	if err != nil {
		return err
	}
	return s.Replace(values)
}

// differences returns the flags that the preset sets to a value other than the default, in the form of a command line.
func (p preset) differences(o *options) (words []string) {
	for _, x := range p.pairs {
		if f := o.flags.Lookup(x.Key); f == nil || !f.Hidden && !sameNumber(x.Value, defaultOf(f)) {
			words = append(words, "--"+x.Key+"="+x.Value)
		}
	}
	return words
}
