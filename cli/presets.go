package cli

import (
	"context"
	"fmt"
	"io"
)

func init() {
	register("presets", "list the presets, or show one as a file for --config", listPresets)
	pages["presets"] = func() page { return page{intro: presetsIntro, words: allPresetNames()[1:]} }
}

const presetsIntro = `Lists the presets with the flags that they set to other values than the defaults: variants of FedDAG, and the settings of
the paper's tables. With a name, it prints the preset as a file for --config, from which you can start your own.

    feddag train --preset table-4-fashion-mnist-20 --rounds 30
    feddag train --preset table-4-fashion-mnist-20,paper --rounds 30    # the later preset takes precedence

Usage: feddag presets [NAME]
`

func listPresets(_ context.Context, args []string, out, _ io.Writer) error {
	fs := newFlagSet()
	if helped, err := parseCommand("presets", presetsIntro, fs, args, out); helped || err != nil {
		return err
	}
	if fs.NArg() > 1 {
		return usagef("presets takes one name, got %d", fs.NArg())
	}
	if fs.NArg() == 0 {
		o, err := newOptions(defaultAlgorithm)
		if err != nil {
			return err
		}
		for _, p := range presets() {
			fmt.Fprintf(out, "%s: %s\n", p.name, p.about)
			wrapWords(out, "   ", p.differences(o))
		}
		return nil
	}
	if err := checkPreset(fs.Arg(0), presets()); err != nil {
		return err
	}
	for _, p := range presets() {
		if p.name == fs.Arg(0) {
			fmt.Fprint(out, p.text)
		}
	}
	return nil
}

// wrapWords prints words in lines of at most 110 characters that begin with the indent.
func wrapWords(w io.Writer, indent string, words []string) {
	line := indent
	for _, word := range words {
		if len(line)+1+len(word) > 110 {
			fmt.Fprintln(w, line)
			line = indent
		}
		line += " " + word
	}
	fmt.Fprintln(w, line)
}
