package cli

import (
	"strings"

	"github.com/spf13/pflag"
)

// wholeNumber is the value of a flag that takes a whole number. pflag alone reads 010 as octal, and refuses 08.
type wholeNumber struct{ pflag.Value }

// Set implements pflag.Value.
func (w wholeNumber) Set(text string) error {
	number := strings.TrimLeft(text, "+-")
	if last := len(number) - 1; last > 0 && strings.Trim(number, "0123456789") == "" {
		text = text[:len(text)-len(number)] + strings.TrimLeft(number[:last], "0") + number[last:]
	}
	return w.Value.Set(text)
}

// parseFlags parses arguments. Whole numbers are decimal, even if they begin with 0.
func parseFlags(fs *pflag.FlagSet, args []string) error {
	fs.VisitAll(readDecimal)
	return fs.Parse(args)
}

// readDecimal makes a flag that takes a whole number read it as decimal.
func readDecimal(f *pflag.Flag) {
	switch f.Value.Type() {
	case "int", "int64", "uint", "uint64":
		if _, done := f.Value.(wholeNumber); !done {
			f.Value = wholeNumber{f.Value}
		}
	}
}
