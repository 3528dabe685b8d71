package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"feddag/federation/data"
	"feddag/report"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// source are the flags that name a data set.
type source struct {
	dataset string
	dataDir string
	extra   []string // dataset options as key=value
}

// flags declares the flags.
func (s *source) flags(f *pflag.FlagSet) {
	f.StringVar(&s.dataset, "dataset", "fashion-mnist", "data set: "+strings.Join(data.Names(), ", ")+" (feddag data list)")
	s.where(f)
}

// where declares the flags that say where a set is and how to read it.
func (s *source) where(f *pflag.FlagSet) {
	f.StringVar(&s.dataDir, "data-dir", "", "folder in which to look for the data set first (then $FEDDAG_DATA_DIR, ./data, ~/.cache/feddag, ...)")
	f.StringArrayVar(&s.extra, "dataset-option", nil, "option that only this data set has, as key=value; may be repeated (feddag data list)")
}

// keepOptions adds the data set options in the config.yaml of a run to resume to the options that were given with --resume. A
// given option replaces the saved option with the same key. Saved options of another kind of data set are left out.
func (s *source) keepOptions(saved map[string]string) error {
	kind := func(name string) string { base, _, _ := strings.Cut(name, ":"); return base }
	if kind(saved["dataset"]) != kind(s.dataset) {
		return nil
	}
	options, err := splitList(saved["dataset-option"])
	if err != nil {
		return fmt.Errorf("%s: dataset-option: %w", report.ConfigFile, err)
	}
	for _, kv := range options {
		key, _, _ := strings.Cut(kv, "=")
		if !slices.ContainsFunc(s.extra, func(given string) bool { return strings.HasPrefix(given, key+"=") }) {
			s.extra = append(s.extra, kv)
		}
	}
	return nil
}

// options returns the load options that the flags ask for, without a progress bar.
func (s *source) options() (data.LoadOptions, error) {
	extra, err := keyValues("dataset-option", s.extra)
	return data.LoadOptions{Dirs: data.SearchDirs(s.dataDir), Cache: data.CacheDir(s.dataDir), Extra: extra}, err
}

// check reports errors that can be found without the data, and replaces the name of the data set by its name in the registry.
func (s *source) check() (err error) {
	if s.dataset, err = data.Canonical(s.dataset, data.SearchDirs(s.dataDir)); err != nil {
		return usageError{err}
	}
	o, err := s.options()
	if err != nil {
		return err
	}
	if err := data.CheckOptions(s.dataset, o.Extra); err != nil {
		return usageError{err}
	}
	return nil
}

// load reads the data set, shows its progress if that takes long, and prints what the user should know about the data set.
func (s *source) load(ctx context.Context, log io.Writer, quiet bool) (*data.Set, error) {
	o, err := s.options()
	if err != nil {
		return nil, err
	}
	done := s.reading(&o, log, quiet)
	set, err := data.Load(ctx, s.dataset, o)
	done()
	if err == nil {
		s.say(set, log, quiet)
	}
	return set, err
}

// reading shows that the data set is being read, and how many of its images are decoded, until done is called.
func (s *source) reading(o *data.LoadOptions, log io.Writer, quiet bool) (done func()) {
	w := newWait(log, quiet, "reading "+data.Title(s.dataset))
	o.Progress = w.set
	return w.done
}

// say prints what the user should know about a data set.
func (s *source) say(set *data.Set, log io.Writer, quiet bool) {
	if quiet {
		return
	}
	for _, note := range set.Notes {
		fmt.Fprintf(log, "%s: %s\n", s.dataset, note)
	}
}

// hasBar reports whether progress is shown as a bar. There is no bar if the log is not a terminal that can move its cursor, or if
// CI or NO_COLOR is set.
func hasBar(log io.Writer, quiet bool) bool {
	f, isFile := log.(*os.File)
	return !quiet && isFile && term.IsTerminal(int(f.Fd())) && os.Getenv("CI") == "" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// newBar returns a progress bar, or a spinner if the length is -1. The spinner moves only when progress is added, because the
// goroutine in which the library would move it does not end with the bar.
func newBar(log io.Writer, length int64, what string) *progressbar.ProgressBar {
	return progressbar.NewOptions64(length, progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionSetWriter(log), progressbar.OptionSetDescription(what), progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(true), progressbar.OptionClearOnFinish(), progressbar.OptionUseANSICodes(true))
}

// keyValues parses the values of a repeated flag of the form key=value.
func keyValues(flag string, values []string) (map[string]string, error) {
	m := map[string]string{}
	for _, kv := range values {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || key == "" || strings.ContainsFunc(key, unicode.IsSpace) || strings.ContainsFunc(value, unicode.IsControl) {
			return nil, usagef("--%s %q: use key=value, a key without blanks and a value of one line", flag, kv)
		}
		m[key] = value
	}
	return m, nil
}

var unfit = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// fileName returns the name of the data set in a form that can be part of a file name: "folder-pacs" for "folder:../pacs".
func (s *source) fileName() string {
	base, path, _ := strings.Cut(s.dataset, ":")
	return strings.TrimRight(base+"-"+strings.Trim(unfit.ReplaceAllString(path, "-"), "-."), "-")
}
