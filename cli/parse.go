package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/internal/spelling"
	"feddag/models"
	"feddag/report"

	"github.com/spf13/pflag"
)

// onResume are the flags that may be given with --resume. They change no result before the round at which they take effect.
var onResume = []string{"resume", "rounds", "early-stopping", "workers", "memory", "on-divergence", "quiet", "data-dir", "checkpoint-every", "final-post", "plots", distributedFlag}

// dataPlace are further flags that may be given with --resume. They say where the data set is now and how to read it. A
// resumed run accepts any data set with the same content as at its start.
var dataPlace = []string{"dataset", "dataset-option"}

// parse parses a command line. With --resume, the flags of that run are the defaults. more declares flags that only one
// command has.
func parse(args []string, more ...func(*options)) (*options, error) {
	return parseSaved(args, savedConfig, more...)
}

// savedConfig reads the flags of a run to resume.
func savedConfig(resume string) (map[string]string, error) {
	dir, err := report.Open(resume)
	if err != nil {
		return nil, err
	}
	return dir.ReadConfig()
}

// parseSaved is parse with a function that returns the flags of the run to resume.
func parseSaved(args []string, savedOf func(resume string) (map[string]string, error), more ...func(*options)) (*options, error) {
	algorithm, err := scan(args, "algorithm")
	if err != nil {
		return nil, err
	}
	resume, err := scan(args, "resume")
	if err != nil {
		return nil, err
	}
	given, err := loadDefaults(args)
	if err != nil {
		return nil, err
	}
	var saved map[string]string
	if resume != "" {
		if saved, err = savedOf(resume); err != nil {
			return nil, err
		}
		if of := saved["algorithm"]; algorithm == "" {
			algorithm = of
		} else if of != "" && of != algorithm {
			return nil, usagef("--algorithm cannot change on --resume: %s is a run of %s", resume, of)
		}
	}
	if algorithm == "" && resume == "" {
		algorithm, _ = given.get("algorithm")
	}
	if algorithm == "" {
		algorithm = defaultAlgorithm
	}
	o, err := newOptions(algorithm)
	if err != nil {
		return nil, err
	}
	for _, add := range more {
		add(o)
	}
	if err := o.take(resume, saved); err != nil {
		return nil, err
	}
	o.resume = resume
	if err := o.apply(given, args, more); err != nil {
		return nil, err
	}
	if err := parseFlags(o.flags, args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return o, err
		}
		return nil, o.explain(err)
	}
	if o.flags.NArg() > 0 {
		return nil, usagef("unexpected argument %q; flags start with --", o.flags.Arg(0))
	}
	if resume != "" {
		var refused error
		o.flags.Visit(func(f *pflag.Flag) {
			if allowed := slices.Concat(onResume, dataPlace); f.Changed && !slices.Contains(allowed, f.Name) && refused == nil {
				refused = usagef("--%s cannot change on --resume; only --%s can", f.Name, strings.Join(allowed[1:], ", --"))
			}
		})
		if refused != nil {
			return nil, refused
		}
		if err := o.source.keepOptions(saved); err != nil {
			return nil, err
		}
		return o, o.check()
	}
	if err := o.applyPreset(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, o.sourced(refuseUnread(o.flags, o.unread()))
}

// dataMoved completes the error for the data set of a run to resume if it is no longer where it was.
func (o *options) dataMoved(err error) error {
	var missing *data.NotFoundError
	if o.resume == "" || !errors.As(err, &missing) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return fmt.Errorf("%w; if the data set of %s has moved, say where it is now beside --resume, with --%s or --data-dir", err, o.resume, strings.Join(dataPlace, ", --"))
}

// take sets the flags to those of a run to resume.
func (o *options) take(resume string, saved map[string]string) error {
	known := []string{}
	var wrong error
	o.flags.VisitAll(func(f *pflag.Flag) {
		known = append(known, f.Name)
		if value, ok := federation.Earlier(f); ok && resume != "" && saved[f.Name] == "" {
			wrong = errors.Join(wrong, f.Value.Set(value))
		}
	})
	if wrong != nil {
		return wrong
	}
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s/%s: %w", resume, report.ConfigFile, spelling.Unknown("key", key, known))
		}
		if key == "resume" {
			continue
		}
		f := o.flags.Lookup(key)
		if err := setFlag(f, saved[key]); err != nil {
			return fmt.Errorf("%s/%s: %s is %q: %w", resume, report.ConfigFile, key, saved[key], err)
		}
	}
	return nil
}

// scan finds the value of one flag before the others are parsed.
func scan(args []string, name string) (value string, err error) {
	for i, a := range args {
		if a == "--" {
			break
		}
		if v, ok := strings.CutPrefix(a, "--"+name+"="); ok {
			value = v
		} else if a == "--"+name {
			if i+1 == len(args) {
				return "", usagef("--%s needs a value", name)
			}
			value = args[i+1]
		} else {
			continue
		}
		if value == "" {
			return "", usagef("--%s needs a value", name)
		}
	}
	return value, nil
}

// explain turns an error in the flags into a helpful message, which suggests the nearest known flag.
func (o *options) explain(err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError{err}
	}
	name := unknown.GetSpecifiedName()
	for _, other := range federation.Names() {
		if other == o.algorithm {
			continue
		}
		if x, err := newOptions(other); err == nil && x.flags.Lookup(name) != nil {
			return usagef("--%s is a flag of --algorithm %s, not of %s", name, other, o.algorithm)
		}
	}
	return unknownFlag(name, "--help", o.flags)
}

// parseCommand parses the flags of a command whose help consists of an introduction and its flags. If the help is asked for,
// it prints the help and returns true.
func parseCommand(command, intro string, fs *pflag.FlagSet, args []string, out io.Writer) (helped bool, err error) {
	switch err := parseFlags(fs, args); {
	case errors.Is(err, pflag.ErrHelp):
		if fs.HasFlags() {
			intro += "\n" + flagUsages(fs)
		}
		_, err := io.WriteString(out, intro)
		return true, err
	case err != nil:
		return false, flagError(err, command, fs)
	}
	return false, nil
}

// flagError converts an error of pflag into a usage error. For an unknown flag it suggests the nearest known flag.
func flagError(err error, command string, known *pflag.FlagSet) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		return unknownFlag(unknown.GetSpecifiedName(), "feddag "+command+" --help", known)
	}
	return usageError{err}
}

// unknownFlag returns the error for a flag that a command does not have. help is the command line that prints the known
// flags.
func unknownFlag(name, help string, known *pflag.FlagSet) error {
	names := []string{"help"}
	known.VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	hint := ""
	if near := spelling.Nearest(flagName(name), names); near != "" {
		hint = fmt.Sprintf("; did you mean --%s?", near)
	}
	return usagef("unknown flag --%s%s (see %s)", name, hint, help)
}

// check reports errors that can be found without the data.
func (o *options) check() error {
	if err := o.source.check(); err != nil {
		return err
	}
	if o.model != "" {
		if err := spelling.OneOf("model", o.model, models.Names()); err != nil {
			return usageError{err}
		}
	}
	if err := o.partitionFlags.check(o.run.Seed); err != nil {
		return err
	}
	if err := o.machine.check(); err != nil {
		return err
	}
	if !(o.dropout >= 0 && o.dropout < 1) {
		return usagef("--dropout is %g: use a probability from 0 to below 1", o.dropout)
	}
	if err := o.run.Validate(); err != nil {
		return usageError{err}
	}
	if v, ok := o.alg.(federation.Validator); ok {
		if err := v.Validate(); err != nil {
			return usageError{err}
		}
	}
	return nil
}
