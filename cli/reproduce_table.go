package cli

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"feddag/benchmarks"
	"feddag/federation"
	"feddag/internal/atomicfile"

	"github.com/spf13/pflag"
)

// tableOptions are the flags that only reproduce --table has.
type tableOptions struct {
	table   int
	dataset string
	preset  string
	out     string

	flags *pflag.FlagSet
}

func newTableOptions() *tableOptions {
	o := &tableOptions{flags: newFlagSet()}
	o.flags.IntVar(&o.table, "table", 0, "number of a table of the paper: 2 to 11, 13 to 18")
	o.flags.StringVar(&o.dataset, "dataset", "", "data set of the table: cifar10, cifar100, fashion-mnist, svhn, cifar10-c, tiny-imagenet")
	o.flags.StringVar(&o.preset, "preset", "", "presets to apply after the preset of the setting, such as paper, which only FedDAG has")
	o.flags.StringVar(&o.out, "out", "", "directory to write the table to, with a comparison per setting (default runs/table-NUMBER-DATASET)")
	return o
}

// tableFlags are the flags of reproduce that compare does not get.
var tableFlags = []string{"table", "dataset", "preset", "out"}

// setting is a setting of a table: its preset and what it compares.
type setting struct {
	preset preset
	args   []string // arguments of compare: the algorithms and the variants
	paper  []byte   // CSV file with the numbers in the paper
	file   string   // name of the CSV file
}

// reproduceTable runs the settings of a table, one comparison after another.
func reproduceTable(ctx context.Context, args []string, out, log io.Writer) error {
	o := newTableOptions()
	own := newFlagSet()
	own.AddFlagSet(o.flags)
	own.ParseErrorsAllowlist.UnknownFlags = true
	switch err := parseFlags(own, args); {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprintf(out, "%s\nFlags for a table:\n%s", reproduceIntro, flagUsages(o.flags))
		return nil
	case err != nil:
		return flagError(err, "reproduce", own)
	}
	settings, err := settingsOf(o.table, o.dataset)
	if err != nil {
		return err
	}
	rest := without(args, tableFlags...)
	chosen, err := scan(rest, "algorithms")
	if err != nil {
		return err
	}
	if o.out == "" {
		o.out = fmt.Sprintf("runs/table-%d-%s", o.table, o.dataset)
	}
	if err := os.MkdirAll(o.out, 0o777); err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	failed := false
	for _, s := range settings {
		beside := filepath.Join(o.out, s.file)
		if err := atomicfile.Write(beside, func(w io.Writer) error { _, err := w.Write(s.paper); return err }); err != nil {
			return err
		}
		if chosen != "" {
			s.args = without(s.args, "algorithms")
		}
		name := s.preset.name
		if o.preset != "" {
			name += "," + o.preset
		}
		fmt.Fprintf(out, "== %s: %s\n", s.preset.name, s.preset.about)
		err := compare(ctx, slices.Concat(s.args, []string{"--preset", name, "--beside", beside, "--out", filepath.Join(o.out, s.preset.name)}, rest), out, log)
		var usage usageError
		switch {
		case err == nil:
		case ctx.Err() != nil || errors.As(err, &usage):
			return err
		default:
			failed = true
			if !errors.Is(err, errReported) {
				fmt.Fprintf(log, "feddag: %s: %v\n", s.preset.name, err)
			}
		}
	}
	if failed {
		return errReported
	}
	return nil
}

// settingsOf returns the settings of a table on a data set.
func settingsOf(table int, dataset string) ([]setting, error) {
	prefix := fmt.Sprintf("table-%d-", table)
	var list []setting
	var known []string
	for _, p := range presets() {
		if !strings.HasPrefix(p.name, prefix) {
			continue
		}
		of, ok := p.value("dataset")
		if !ok || table == 19 {
			continue
		}
		known = append(known, of)
		if of != dataset {
			continue
		}
		s, err := settingOf(table, p, dataset)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	switch {
	case table == 19:
		return nil, usagef("table 19 is about the clustering only: use feddag cluster --preset table-19-cifar10")
	case table == 12:
		return nil, usagef("table 12 uses Google Landmarks, which needs a list of your own: use feddag compare --preset table-12-google-landmarks --dataset csv:PATH")
	case len(known) == 0:
		return nil, usagef("--table is %d: use 2 to 11 or 13 to 18", table)
	case len(list) == 0:
		return nil, usagef("--dataset %q: table %d uses %s", dataset, table, strings.Join(slices.Compact(slices.Sorted(slices.Values(known))), ", "))
	}
	return list, nil
}

// settingOf returns what is compared in a setting of a table: variants of FedDAG in an ablation, otherwise the algorithms for
// which the paper prints a number.
func settingOf(table int, p preset, dataset string) (setting, error) {
	s := setting{preset: p, paper: benchmarks.Paper, file: "paper.csv"}
	if args, ok := ablations[table]; ok {
		s.args, s.paper, s.file = args, benchmarks.Ablations, "paper_ablations.csv"
		return s, nil
	}
	r := csv.NewReader(bytes.NewReader(s.paper))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		return s, fmt.Errorf("the paper's numbers: %w", err)
	}
	at := func(column string) int { return slices.Index(rows[0], column) }
	source := "table " + strconv.Itoa(table)
	var names []string
	for _, row := range rows[1:] {
		name := row[at("algorithm")]
		of := strings.Split(row[at("dataset")], "|")
		if row[at("source")] == source && slices.Contains(of, dataset) && slices.Contains(federation.Names(), name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 { // the corrupted images of TinyImageNet-C, for which the paper has no numbers
		names = federation.Names()
	}
	s.args = []string{"--algorithms", strings.Join(names, ",")}
	return s, nil
}

// ablations are the flags of compare that define the variants of FedDAG in a table. The names of the variants are those in
// paper_ablations.csv. In a table about the second encoder, FedDAG has two encoders.
var ablations = map[int][]string{
	3:  {"--algorithms", "feddag,feddag-star,feddag-dagger", "--feddag-encoders", "2"},
	6:  each("feddag-star", "tg", "--feddag-fusion=fixed:1", "--feddag-warmup-rounds", "1", "2", "3"),
	7:  each("feddag-star", "delta", "--feddag-fusion=fixed:0", "--feddag-delta", "0.2", "0.4", "0.6", "0.8", "1"),
	8:  each("feddag", "k", "--feddag-encoders=2", "--feddag-top-k", "1", "2", "3", "4"),
	9:  each("feddag-star", "mask", "--feddag-fusion=fixed:1", "--feddag-mask", "0.001", "0.005", "0.01", "0.02", "0.2"),
	14: similarities,
	15: similarities,
	16: {"--algorithms", "feddag,feddag-star,feddag-dagger", "--feddag-encoders", "2"},
	// The paper gives no weight of the regulariser.
	17: {"--algorithms", "feddag", "--feddag-encoders", "2", "--with", "feddag as regularised: --feddag-primary-init=common --feddag-secondary-init=random --feddag-head-init=random --feddag-diversity=0.1"},
	18: each("feddag", "schedule", "--feddag-encoders=2", "--feddag-schedule", "both", "1:1", "5:1", "10:1", "15:1"),
}

var similarities = []string{
	"--algorithms", "feddag-star", "--with", "feddag-star as gradient only: --feddag-fusion=fixed:1", "--with", "feddag-star as data only: --feddag-fusion=fixed:0",
}

// each returns a variant of an algorithm for each value of a flag. The name of the variant consists of the given name and the
// value.
func each(algorithm, name, flags, flag string, values ...string) (args []string) {
	for _, v := range values {
		args = append(args, "--with", fmt.Sprintf("%s as %s %s: %s %s=%s", algorithm, name, strings.Replace(v, ":", " to ", 1), flags, flag, v))
	}
	return args
}
