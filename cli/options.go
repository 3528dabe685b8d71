package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/models"
	"feddag/report"

	"github.com/spf13/pflag"
)

// options are the flags of train and cluster.
type options struct {
	run           federation.Options
	algorithm     string
	preset        string
	dataset       string
	dataDir       string
	partition     data.PartitionOptions
	partitionFile string
	extra         []string // partition options key=value
	dataSeed      string
	model         string
	dropout       float64
	device        string
	workers       int
	engine        string
	out           string
	resume        string
	quiet         bool

	alg    federation.Algorithm
	groups []group
	flags  *pflag.FlagSet
}

// group is a heading of the help and its flags.
type group struct {
	title string
	flags *pflag.FlagSet
}

const defaultAlgorithm = "feddag"

// newOptions declares the flags of an algorithm's runs, with their defaults.
func newOptions(algorithm string) (*options, error) {
	if err := federation.OneOf("algorithm", algorithm, federation.Names()); err != nil {
		return nil, usageError{err}
	}
	alg, err := federation.New(algorithm)
	if err != nil {
		return nil, usageError{err}
	}
	o := &options{run: federation.DefaultOptions(), partition: data.DefaultPartitionOptions(), alg: alg, flags: newFlagSet()}
	r, p := &o.run, &o.partition

	f := o.group("What to run")
	f.StringVar(&o.algorithm, "algorithm", algorithm, "algorithm: "+strings.Join(federation.Names(), ", "))
	f.StringVar(&o.preset, "preset", "", "sets several flags at once, flags given beside it win: "+strings.Join(presetNames(alg), ", "))
	f.StringVar(&o.model, "model", "", "encoder: "+strings.Join(models.Names(), ", ")+" (default lenet for 28x28x1, cnn for 32x32x3)")
	f.Float64Var(&o.dropout, "dropout", 0, "probability of dropping an activation after a hidden linear layer, 0..1")
	f.Uint64Var(&r.Seed, "seed", 0, "of everything random but the partition")

	f = o.group("Data and clients")
	f.StringVar(&o.dataset, "dataset", "fashion-mnist", "data set: "+strings.Join(data.Names(), ", "))
	f.StringVar(&o.dataDir, "data-dir", "", "where to look first for the data set (then $FEDDAG_DATA_DIR, ./data, ~/.cache/feddag, ...)")
	f.StringVar(&p.Kind, "partition", p.Kind, "how clients share the data: "+strings.Join(data.PartitionKinds(), ", "))
	f.IntVar(&p.Clients, "clients", p.Clients, "N, number of clients")
	f.IntVar(&p.Groups, "groups", p.Groups, "G, groups of clients (label-skew)")
	f.IntVar(&p.LabelsPerGroup, "labels-per-group", p.LabelsPerGroup, "labels of a group (label-skew)")
	f.Float64Var(&p.LabelFraction, "label-fraction", p.LabelFraction, "ρ, labels of a group as a share of all, 0..1; 0 takes --labels-per-group (label-skew)")
	f.Float64Var(&p.Concentration, "concentration", p.Concentration, "of the Dirichlet distribution; smaller is more uneven (label-skew, lda)")
	f.IntVar(&p.MinSamples, "min-samples", p.MinSamples, "training samples every client has at least (lda)")
	f.StringArrayVar(&o.extra, "partition-option", nil, "key=value, an option of this kind of partition alone; may be repeated")
	f.StringVar(&o.partitionFile, "partition-file", "", "read the partition, and the number of clients, from a partition.json instead")
	f.StringVar(&o.dataSeed, "data-seed", "", "of the partition (default: --seed)")

	f = o.group("Training")
	f.IntVar(&r.Rounds, "rounds", r.Rounds, "T, number of rounds")
	f.Float64Var(&r.Rate, "rate", r.Rate, "R, share of the clients sampled in a round, above 0, at most 1")
	f.IntVar(&r.Epochs, "epochs", r.Epochs, "E, epochs of a local training")
	f.IntVar(&r.Batch, "batch", r.Batch, "samples a step")
	f.Float64Var(&r.LearningRate, "lr", r.LearningRate, "learning rate of SGD")
	f.Float64Var(&r.Momentum, "momentum", r.Momentum, "momentum of SGD, 0 to below 1")
	f.Float64Var(&r.WeightDecay, "weight-decay", r.WeightDecay, "weight decay of SGD")

	if fl, ok := alg.(federation.Flagger); ok {
		fl.Flags(o.group("Of " + algorithm))
	}

	f = o.group("Machine")
	f.StringVar(&o.device, "device", "auto", "auto (a GPU if there is one), cpu, cuda, cuda:N")
	f.IntVar(&o.workers, "workers", runtime.NumCPU(), "clients trained at the same time on the CPU")
	f.StringVar(&o.engine, "engine", "serial", "executor: serial (whole local trainings in C++), eager (layer by layer, slow: the reference)")

	f = o.group("Output")
	f.StringVar(&o.out, "out", "", "directory for the results (default runs/ALGORITHM-DATASET-SEED-TIME)")
	f.StringVar(&o.resume, "resume", "", "directory of an interrupted run to continue, with its flags")
	f.IntVar(&r.EvalEvery, "eval-every", r.EvalEvery, "rounds between evaluations of all clients")
	f.BoolVar(&r.FinalPost, "final-post", r.FinalPost, "after the last round train every client once more, for its accuracy after local training")
	f.IntVar(&r.CheckpointEvery, "checkpoint-every", r.CheckpointEvery, "rounds between checkpoints")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on standard error")

	for _, g := range o.groups {
		o.flags.AddFlagSet(g.flags)
	}
	return o, nil
}

func newFlagSet() *pflag.FlagSet {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	return fs
}

func (o *options) group(title string) *pflag.FlagSet {
	fs := newFlagSet()
	o.groups = append(o.groups, group{title, fs})
	return fs
}

func presetNames(alg federation.Algorithm) []string {
	names := []string{"default"}
	if p, ok := alg.(federation.Preseter); ok {
		for name := range p.Presets() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// onResume are the flags that may be given beside --resume: they change no result up to the round they act on.
var onResume = []string{"resume", "rounds", "workers", "quiet", "data-dir", "checkpoint-every", "final-post"}

// parse reads a command line. A run to resume lends its own flags.
func parse(args []string) (*options, error) {
	algorithm, err := scan(args, "algorithm")
	if err != nil {
		return nil, err
	}
	resume, err := scan(args, "resume")
	if err != nil {
		return nil, err
	}
	var saved map[string]string
	if resume != "" {
		dir, err := report.Open(resume)
		if err != nil {
			return nil, err
		}
		if saved, err = dir.ReadYAML(report.ConfigFile); err != nil {
			return nil, err
		}
		if algorithm == "" {
			algorithm = saved["algorithm"]
		}
	}
	if algorithm == "" {
		algorithm = defaultAlgorithm
	}
	o, err := newOptions(algorithm)
	if err != nil {
		return nil, err
	}
	if err := o.take(resume, saved); err != nil {
		return nil, err
	}
	if err := o.flags.Parse(args); err != nil {
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
			if f.Changed && !slices.Contains(onResume, f.Name) && refused == nil {
				refused = usagef("--%s cannot change on --resume; only --%s can", f.Name, strings.Join(onResume[1:], ", --"))
			}
		})
		if refused != nil {
			return nil, refused
		}
		return o, o.check()
	}
	if err := o.applyPreset(); err != nil {
		return nil, err
	}
	return o, o.check()
}

// take sets the flags of a run to resume.
func (o *options) take(resume string, saved map[string]string) error {
	known := []string{}
	o.flags.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	for _, key := range slices.Sorted(mapsKeys(saved)) {
		if !slices.Contains(known, key) {
			return fmt.Errorf("%s/%s: %w", resume, report.ConfigFile, federation.OneOf("key", key, known))
		}
		if key == "resume" {
			continue
		}
		f := o.flags.Lookup(key)
		if s, ok := f.Value.(pflag.SliceValue); ok {
			if err := s.Replace(strings.Fields(saved[key])); err != nil {
				return fmt.Errorf("%s/%s: %s: %w", resume, report.ConfigFile, key, err)
			}
		} else if err := f.Value.Set(saved[key]); err != nil {
			return fmt.Errorf("%s/%s: %s is %q: %w", resume, report.ConfigFile, key, saved[key], err)
		}
	}
	return nil
}

func mapsKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// scan finds the value of one flag before the others are known.
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

// explain words a mistake in the flags, and names the nearest known one.
func (o *options) explain(err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usageError{err}
	}
	name := unknown.GetSpecifiedName()
	known := []string{"help"}
	o.flags.VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	for _, other := range federation.Names() {
		if other == o.algorithm {
			continue
		}
		if x, err := newOptions(other); err == nil && x.flags.Lookup(name) != nil {
			return usagef("--%s is a flag of --algorithm %s, not of %s", name, other, o.algorithm)
		}
	}
	hint := ""
	if near := federation.Nearest(name, known); near != "" {
		hint = fmt.Sprintf("; did you mean --%s?", near)
	}
	return usagef("unknown flag --%s%s (see --help)", name, hint)
}

// applyPreset sets the flags of the preset that were not given.
func (o *options) applyPreset() error {
	if o.preset == "" || o.preset == "default" {
		return nil
	}
	if err := federation.OneOf("preset", o.preset, presetNames(o.alg)); err != nil {
		return usageError{err}
	}
	for name, value := range o.alg.(federation.Preseter).Presets()[o.preset] {
		f := o.flags.Lookup(name)
		if f == nil {
			return fmt.Errorf("preset %s: no flag --%s", o.preset, name)
		}
		if !f.Changed {
			if err := f.Value.Set(value); err != nil {
				return fmt.Errorf("preset %s: --%s: %w", o.preset, name, err)
			}
		}
	}
	return nil
}

// check finds mistakes that need no data.
func (o *options) check() (err error) {
	if o.dataset, err = data.Canonical(o.dataset); err != nil {
		return usageError{err}
	}
	if o.model != "" {
		if err := federation.OneOf("model", o.model, models.Names()); err != nil {
			return usageError{err}
		}
	}
	if o.partitionFile == "" && o.resume == "" { // else the kind comes from a file, which may be of any
		if err := federation.OneOf("partition", o.partition.Kind, data.PartitionKinds()); err != nil {
			return usageError{err}
		}
	}
	for _, kv := range o.extra {
		key, value, ok := strings.Cut(kv, "=")
		if !ok || key == "" || strings.ContainsAny(kv, " \t\n") {
			return usagef("--partition-option %q: use key=value, without blanks", kv)
		}
		if o.partition.Extra == nil {
			o.partition.Extra = map[string]string{}
		}
		o.partition.Extra[key] = value
	}
	if o.dataSeed == "" {
		o.dataSeed = strconv.FormatUint(o.run.Seed, 10)
	}
	if _, err := strconv.ParseUint(o.dataSeed, 10, 64); err != nil {
		return usagef("--data-seed %q: use a whole number of 0 or more", o.dataSeed)
	}
	if o.engine == "batched" {
		return usagef("--engine batched is not in this build: use serial or eager")
	}
	if err := federation.OneOf("engine", o.engine, []string{"serial", "eager"}); err != nil {
		return usageError{err}
	}
	switch {
	case !(o.dropout >= 0 && o.dropout < 1):
		return usagef("--dropout is %g: use a probability from 0 to below 1", o.dropout)
	case o.workers < 1:
		return usagef("--workers is %d: use 1 or more", o.workers)
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

// pairs are the resolved flags, for config.yaml.
func (o *options) pairs() []report.Pair {
	var pairs []report.Pair
	for _, g := range o.groups {
		g.flags.VisitAll(func(f *pflag.Flag) {
			if f.Name == "resume" {
				return
			}
			value := f.Value.String()
			if s, ok := f.Value.(pflag.SliceValue); ok {
				value = strings.Join(s.GetSlice(), " ")
			}
			pairs = append(pairs, report.Pair{Key: f.Name, Value: value, Comment: f.Usage})
		})
	}
	return pairs
}

// free are the flags that a checkpoint need not agree in.
var free = append([]string{"out", "preset", "partition-file", "eval-every"}, onResume...)

// hash identifies what the weights after a round depend on: the flags that matter and the partition.
func (o *options) hash(partition []byte) string {
	h := sha256.New()
	for _, p := range o.pairs() {
		if !slices.Contains(free, p.Key) {
			fmt.Fprintf(h, "%s=%s\n", p.Key, p.Value)
		}
	}
	h.Write(partition)
	return hex.EncodeToString(h.Sum(nil))
}

// usage prints the flags, grouped.
func (o *options) usage(w io.Writer, intro string) {
	fmt.Fprintf(w, "%s\n", intro)
	for _, g := range o.groups {
		fmt.Fprintf(w, "\n%s:\n%s", g.title, g.flags.FlagUsagesWrapped(110))
	}
	var others []string
	for _, name := range federation.Names() {
		if name != o.algorithm {
			others = append(others, name)
		}
	}
	fmt.Fprintf(w, "\nAlgorithms:\n")
	for _, name := range federation.Names() {
		fmt.Fprintf(w, "  %-14s %s\n", name, federation.Summary(name))
	}
	fmt.Fprintf(w, "\nPartitions:\n")
	for _, kind := range data.PartitionKinds() {
		fmt.Fprintf(w, "  %-14s %s\n", kind, data.PartitionHelp(kind))
	}
	fmt.Fprintf(w, "\nThe flags of another algorithm: --algorithm %s --help\n", strings.Join(others, "|"))
}
