package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/internal/spelling"
	"feddag/report"

	"github.com/spf13/pflag"
)

// A flag that is not on the command line gets its value from the first of these that has one: its environment variable, the
// file of --config, the preset, its default.

// configFlag is the name of the flag that reads flags from a file.
const configFlag = "config"

// environmentPrefix begins the name of each flag's environment variable: FEDDAG_EVAL_EVERY sets --eval-every.
const environmentPrefix = "FEDDAG_"

// otherVariables are the environment variables with this prefix that do not set a flag. FEDDAG_DATA_DIR is among them because
// it does not set --data-dir: it is a further directory that is searched after that flag's.
var otherVariables = []string{"FEDDAG_DATA_DIR", "FEDDAG_LDFLAGS", "FEDDAG_LONG", "FEDDAG_TRANSCRIPTS", "FEDDAG_TEST_PROGRAM", "FEDDAG_APT_WAIT", "FEDDAG_PYTHON", "FEDDAG_MLFLOW"}

// variableOf returns the name of a flag's environment variable.
func variableOf(flag string) string {
	return environmentPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// defaults are the values of flags from a file and from the environment.
type defaults struct {
	file   string            // path of the file; "" if there is none
	values map[string]string // values in the file, by flag
}

// loadDefaults reads the file given by --config or its environment variable.
func loadDefaults(args []string) (*defaults, error) {
	d := new(defaults)
	var err error
	if d.file, err = scan(args, configFlag); err != nil {
		return nil, err
	}
	if d.file == "" {
		d.file = os.Getenv(variableOf(configFlag))
	}
	if d.file == "" {
		return d, nil
	}
	if d.values, err = report.ReadConfigFile(d.file); err != nil {
		return nil, usagef("--%s: %w", configFlag, err)
	}
	if d.values[configFlag] != "" {
		return nil, usagef("%s: %s names another file, which is not read: leave it out", d.file, configFlag)
	}
	switch dir := filepath.Dir(d.file); {
	case report.IsRun(dir) && filepath.Base(d.file) == report.ConfigFile:
		delete(d.values, "out") // the directory of that run, which a new run must not write to
		delete(d.values, "resume")
	case d.values["resume"] != "":
		return nil, usagef("%s: give --resume on the command line: leave it out of the file", d.file)
	}
	return d, nil
}

// get returns the value of a flag and its source. The source is "" if neither the environment nor the file has a value for
// the flag.
func (d *defaults) get(flag string) (value, source string) {
	if name := variableOf(flag); os.Getenv(name) != "" && !slices.Contains(otherVariables, name) {
		return os.Getenv(name), "the environment variable " + name
	}
	if value := d.values[flag]; value != "" {
		return value, d.file
	}
	return "", ""
}

// apply sets the flags that are not on the command line. With --resume, only the environment is used, and only for flags that
// may change then.
func (o *options) apply(d *defaults, args []string, more []func(*options)) error {
	typed, err := newOptions(o.algorithm)
	if err != nil {
		return err
	}
	for _, add := range more {
		add(typed)
	}
	if parseFlags(typed.flags, args) != nil {
		return nil // The caller reports the same error.
	}
	known := []string{}
	o.flags.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	for _, key := range slices.Sorted(maps.Keys(d.values)) {
		if !slices.Contains(known, key) {
			return usagef("%s: %w", d.file, o.explainKey(key, known))
		}
	}
	skip := map[string]bool{"algorithm": true, "resume": true, configFlag: true}
	if o.unreadByCommand != nil {
		for _, u := range o.unreadByCommand() {
			skip[u.Name] = true
		}
	}
	for _, name := range known {
		value, source := d.get(name)
		if source == "" || skip[name] || typed.flags.Lookup(name).Changed {
			continue
		}
		if o.resume != "" && (source == d.file || !slices.Contains(onResume, name)) {
			continue
		}
		f := o.flags.Lookup(name)
		if err := setFlag(f, value); err != nil {
			return usagef("%s: %s is %q: %w", source, name, value, err)
		}
		f.Changed = true
		if o.from == nil {
			o.from = map[string]string{}
		}
		o.from[name] = source
	}
	return nil
}

// explainKey returns the error for a key in the file that is not a flag of the command.
func (o *options) explainKey(key string, known []string) error {
	for _, other := range federation.Names() {
		if x, err := newOptions(other); err == nil && x.flags.Lookup(key) != nil {
			return fmt.Errorf("%s is a flag of --algorithm %s, not of %s: leave it out of the file", key, other, o.algorithm)
		}
	}
	return spelling.Unknown("key", key, known)
}

// sourced adds the source to the error of a flag that was set by the environment or the file.
func (o *options) sourced(err error) error {
	var u federation.UnreadFlag
	if errors.As(err, &u) && o.from[u.Name] != "" {
		return usagef("%s: %w", o.from[u.Name], err)
	}
	return err
}

// warnOfVariables warns of environment variables that begin with the prefix but do not belong to a flag.
func (o *options) warnOfVariables(log io.Writer) {
	var flags []string
	for _, algorithm := range federation.Names() {
		if x, err := newOptions(algorithm); err == nil {
			x.flags.VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
		}
	}
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		word, ok := strings.CutPrefix(name, environmentPrefix)
		flag := strings.ToLower(strings.ReplaceAll(word, "_", "-"))
		if !ok || slices.Contains(flags, flag) || slices.Contains(otherVariables, name) {
			continue
		}
		hint := ""
		if near := spelling.Nearest(flag, flags); near != "" {
			hint = "; did you mean " + variableOf(near) + "?"
		}
		fmt.Fprintf(log, "warning: the environment variable %s names no flag%s\n", name, hint)
	}
}
