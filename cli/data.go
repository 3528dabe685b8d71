package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/internal/atomicfile"
	"feddag/internal/numfmt"
	"feddag/internal/spelling"
	"feddag/report"

	"github.com/spf13/pflag"
)

func init() {
	register("data", "list, inspect, verify, fetch and import data sets", dataCommand)
}

const dataIntro = `Lists, inspects, checks, downloads and imports data sets. feddag data VERB --help explains a verb.

Usage: feddag data list
       feddag data info NAME [--sheet FILE.png]
       feddag data verify NAME
       feddag data fetch NAME [FILE...]
       feddag data import NEW-NAME PATH|NAME

A NAME is the name of a set (feddag data list), folder:PATH for any tree or zips of SPLIT/CLASS/*.jpg, csv:PATH for a list of
user, file and label, or medmnist:PATH, leaf:PATH, parquet:PATH, pfllib:PATH or flbench:PATH for other formats. Decoded sets
are kept in cache/ below the first of --data-dir, $FEDDAG_DATA_DIR and ./data that is writable.
`

// dataFlags are the flags of the command.
type dataFlags struct {
	source
	sheet   string
	columns int
	mirror  string
	quiet   bool
	all     *pflag.FlagSet
}

func newDataFlags() *dataFlags {
	f := &dataFlags{all: newFlagSet()}
	f.where(f.all)
	f.all.StringVar(&f.sheet, "sheet", "", "info: write a contact sheet of the training images here, one row per class (PNG)")
	f.all.IntVar(&f.columns, "columns", 20, "info: number of images per class on the contact sheet")
	f.all.StringVar(&f.mirror, "mirror", "", "fetch: URL of a folder with the files, instead of where they are published")
	f.all.BoolVar(&f.quiet, "quiet", false, "print no progress on standard error")
	return f
}

// dataVerbs are the verbs, with their numbers of arguments, the flags that they read, and their help.
var dataVerbs = map[string]struct {
	least, most int
	flags       []string
	run         func(ctx context.Context, f *dataFlags, args []string, out, log io.Writer) error
	usage       string // arguments
	help        string
}{
	"list": {0, 0, []string{"data-dir"}, dataList, "",
		"Lists the data sets that the program knows and those that were imported: where each was found, or which files it needs and\nhow to get them, and its options."},
	"info": {1, 1, []string{"data-dir", "dataset-option", "quiet", "sheet", "columns"}, dataInfo, " NAME",
		"Reads a data set and shows its size, its classes with their numbers of images, its users, and the mean and\ndeviation by which its pixels are scaled. --sheet writes a picture of its images. The last line on standard output has the\nsame data as one JSON object."},
	"verify": {1, 1, []string{"data-dir", "dataset-option", "quiet"}, dataVerify, " NAME",
		"Reads every file of a data set and compares its content with what was published. Exit code 1 if something differs."},
	"fetch": {1, 100, []string{"data-dir", "quiet", "mirror"}, dataFetch, " NAME [FILE...]",
		"Downloads the files of a data set, or only those named, and checks them against the published checksums. A download that\nwas interrupted continues where it stopped."},
	"import": {2, 2, []string{"data-dir", "dataset-option", "quiet"}, dataImport, " NEW-NAME PATH|NAME",
		"Decodes a folder of images, or any other data set, once, and keeps it under a new name, which --dataset then takes."},
}

// unread returns the flags that a verb does not read.
func (f *dataFlags) unread(verb string) []federation.UnreadFlag {
	var list []federation.UnreadFlag
	f.all.VisitAll(func(flag *pflag.Flag) {
		var readers []string
		for _, name := range slices.Sorted(maps.Keys(dataVerbs)) {
			if slices.Contains(dataVerbs[name].flags, flag.Name) {
				readers = append(readers, name)
			}
		}
		if !slices.Contains(readers, verb) {
			list = append(list, federation.UnreadFlag{Name: flag.Name, Where: "in data " + verb, Who: "it is read by data " + strings.Join(readers, ", "), Never: true})
		}
	})
	if f.sheet == "" {
		list = append(list, federation.UnreadFlag{Name: "columns", Where: "without --sheet", Who: "it sets the columns of the contact sheet"})
	}
	return list
}

func dataCommand(ctx context.Context, args []string, out, log io.Writer) error {
	f := newDataFlags()
	switch err := parseFlags(f.all, args); {
	case errors.Is(err, pflag.ErrHelp):
		if f.all.NArg() > 0 { // the verb came first
			name := f.all.Arg(0)
			verb, ok := dataVerbs[name]
			if !ok {
				return usageError{spelling.Unknown("data: verb", name, slices.Sorted(maps.Keys(dataVerbs)))}
			}
			hideUnread(f.all, f.unread(name))
			fmt.Fprintf(out, "%s\n\nUsage: feddag data %s%s [flags]\n\n%s", verb.help, name, verb.usage, flagUsages(f.all))
			return nil
		}
		fmt.Fprintf(out, "%s\n%s", dataIntro, flagUsages(f.all))
		return nil
	case err != nil:
		return flagError(err, "data", f.all)
	}
	known := slices.Sorted(maps.Keys(dataVerbs))
	if f.all.NArg() == 0 {
		return usagef("data: say what to do: %s", strings.Join(known, ", "))
	}
	name, args := f.all.Arg(0), f.all.Args()[1:]
	verb, ok := dataVerbs[name]
	if !ok {
		return usageError{spelling.Unknown("data: verb", name, known)}
	}
	if len(args) < verb.least || len(args) > verb.most {
		takes := numfmt.Count(verb.least, "argument")
		if verb.most > verb.least {
			takes += " or more"
		}
		return usagef("data %s takes %s, got %d (see feddag data %s --help)", name, takes, len(args), name)
	}
	if err := refuseUnread(f.all, f.unread(name)); err != nil {
		return err
	}
	return verb.run(ctx, f, args, out, log)
}

// dataList prints where each data set was found, or every place that was searched.
func dataList(_ context.Context, f *dataFlags, _ []string, out, _ io.Writer) error {
	dirs := data.SearchDirs(f.dataDir)
	fmt.Fprintf(out, "looked in, in this order: %s\n\n", strings.Join(dirs, ", "))
	for _, name := range append(data.Names(), data.Imported(dirs)...) {
		fmt.Fprintf(out, "%s, %s: %s\n", name, data.Title(name), whereabouts(name, dirs))
		options := data.SourceOptions(name)
		for _, key := range slices.Sorted(maps.Keys(options)) {
			fmt.Fprintf(out, "    --dataset-option %s=...  %s\n", key, options[key])
		}
	}
	cache := data.CacheDir(f.dataDir)
	if cache == "" {
		cache = "no folder, because none can be written to; name one with --data-dir"
	}
	_, err := fmt.Fprintf(out, "\ndecoded sets are kept in %s\n", cache)
	return err
}

// whereabouts describes where a data set is, or which files were searched for.
func whereabouts(name string, dirs []string) string {
	if data.TakesPath(name) {
		return fmt.Sprintf("--dataset %s:PATH", name)
	}
	files, err := data.Find(name, dirs)
	var missing *data.NotFoundError
	if !errors.As(err, &missing) {
		if err != nil {
			return err.Error()
		}
		return spelling.Few(files, 1)
	}
	text := "not found\n"
	for _, place := range missing.Looked {
		if strings.HasSuffix(place, ")") { // with a remark
			text += "    " + place + "\n"
		}
	}
	return text + "    needs " + missing.Needs + "\n    " + missing.Advice
}

// setInfo is the summary that info prints as its last line on standard output.
type setInfo struct {
	Name      string    `json:"name"`
	Title     string    `json:"title"`
	Shape     [3]int    `json:"shape"` // channels, height, width
	Classes   int       `json:"classes"`
	Train     int       `json:"train"`
	Test      int       `json:"test"`
	Users     int       `json:"users"`
	TrainBy   []int     `json:"train_by_class"`
	TestBy    []int     `json:"test_by_class"`
	Mean      []float64 `json:"mean"` // mean of the training images, pixel/255
	Std       []float64 `json:"std"`
	ScaleMean []float32 `json:"scale_mean"` // what inputs are scaled with
	ScaleStd  []float32 `json:"scale_std"`
	Hash      string    `json:"hash"`
	Files     []string  `json:"files"`
	Notes     []string  `json:"notes,omitempty"`
}

func dataInfo(ctx context.Context, f *dataFlags, args []string, out, log io.Writer) error {
	f.dataset = args[0]
	if err := f.check(); err != nil {
		return err
	}
	s, err := f.load(ctx, log, f.quiet)
	if err != nil {
		return err
	}
	if f.sheet != "" {
		err := atomicfile.Write(f.sheet, func(w io.Writer) error { return s.Sheet(w, s.Train, f.columns) })
		if err != nil {
			return fmt.Errorf("--sheet %s: %w", f.sheet, err)
		}
	}
	mean, std := s.Stats(s.Train)
	info := setInfo{
		Name: s.Name, Title: s.Title, Shape: [3]int{s.Channels, s.Height, s.Width}, Classes: s.Classes, Train: s.Train.Len(), Test: s.Test.Len(),
		Users: len(s.UserNames), TrainBy: s.ClassCounts(s.Train), TestBy: s.ClassCounts(s.Test), Mean: mean, Std: std,
		ScaleMean: s.Mean, ScaleStd: s.Std, Hash: s.Hash(), Files: s.Files, Notes: s.Notes,
	}
	fmt.Fprintf(out, "%s: %d training and %d test images of %d x %d, %s, %s in memory\n", s.Title, info.Train, info.Test, s.Width, s.Height,
		map[int]string{1: "grey", 3: "in colour"}[s.Channels], numfmt.Bytes(int64(len(s.Train.Pixels)+len(s.Test.Pixels))))
	fmt.Fprintf(out, "from %s\n\n", spelling.Few(s.Files, 1))
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "label\tclass\ttraining\ttest\t\n")
	for c := range s.Classes {
		name := ""
		if c < len(s.ClassNames) {
			name = spelling.Plain(s.ClassNames[c])
		}
		fmt.Fprintf(table, "%d\t%s\t%d\t%d\t\n", c, name, info.TrainBy[c], info.TestBy[c])
	}
	table.Flush()
	if s.SuperclassNames != nil {
		fmt.Fprintf(out, "\n%d superclasses: %s\n", len(s.SuperclassNames), strings.Join(plainNames(s.SuperclassNames), ", "))
	}
	if s.UserNames != nil {
		few := strings.Join(plainNames(s.UserNames[:min(20, len(s.UserNames))]), ", ")
		if len(s.UserNames) > 20 {
			few += ", ..."
		}
		fmt.Fprintf(out, "\n%d users: %s\n", len(s.UserNames), few)
	}
	fmt.Fprintf(out, "\nmean %.4f, standard deviation %.4f of the training images, pixel/255 by channel\n", mean, std)
	fmt.Fprintf(out, "inputs are scaled with %.4f, %.4f\n", s.Mean, s.Std)
	if f.sheet != "" {
		fmt.Fprintf(out, "contact sheet: %s\n", f.sheet)
	}
	line, err := report.Marshal(info)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}

// plainNames returns names for a line of a table, see [spelling.Plain].
func plainNames(names []string) []string {
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = spelling.Plain(name)
	}
	return shown
}

func dataVerify(ctx context.Context, f *dataFlags, args []string, out, log io.Writer) error {
	f.dataset = args[0]
	if err := f.check(); err != nil {
		return err
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	done := f.reading(&o, log, f.quiet)
	found, err := data.Verify(ctx, f.dataset, o)
	done()
	failed := false
	for _, x := range found {
		mark := ""
		if x.Failed {
			mark, failed = "! ", true
		}
		fmt.Fprintf(out, "%s%s: %s\n", mark, x.What, x.Text)
	}
	switch {
	case err != nil:
		return err
	case failed:
		return fmt.Errorf("data set %s is not as published", f.dataset)
	}
	_, err = fmt.Fprintf(out, "%s: whole\n", f.dataset)
	return err
}

func dataImport(ctx context.Context, f *dataFlags, args []string, out, log io.Writer) error {
	f.dataset = args[1]
	// If the argument is an existing path, the kind of data set follows from it.
	if _, err := os.Stat(args[1]); err == nil {
		f.dataset = data.NameOf(args[1])
	}
	if err := f.check(); err != nil {
		return err
	}
	o, err := f.options()
	if err != nil {
		return err
	}
	done := f.reading(&o, log, f.quiet)
	file, s, err := data.Import(ctx, args[0], f.dataset, o)
	done()
	if err != nil {
		return err
	}
	f.say(s, log, f.quiet)
	_, err = fmt.Fprintf(out, "%s: %d + %d images of %d classes; use it with --dataset %s\n", file, s.Train.Len(), s.Test.Len(), s.Classes, args[0])
	return err
}
