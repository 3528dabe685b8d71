package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/internal/spelling"

	"github.com/spf13/pflag"
)

// partitionFlags are the flags that describe a partition.
type partitionFlags struct {
	partition      partition.Options
	partitionFile  string
	partitionExtra []string // partition options as key=value
	dataSeed       string

	declared *pflag.FlagSet
}

// flags declares the flags. seed is the description of the default data seed in the help.
func (d *partitionFlags) flags(f *pflag.FlagSet, seed string) {
	d.partition, d.declared = partition.DefaultOptions(), f
	p := &d.partition
	readers := func(flag string) string { return " (" + strings.Join(partition.Readers(flag), ", ") + ")" }
	f.StringVar(&p.Kind, "partition", p.Kind, "how the data are divided among the clients: "+strings.Join(partition.Kinds(), ", "))
	f.IntVar(&p.Clients, "clients", p.Clients, "N, number of clients; the partition natural takes all users if this flag is not given")
	f.IntVar(&p.Groups, "groups", p.Groups, "G, number of groups of clients"+readers("groups"))
	f.IntVar(&p.LabelsPerGroup, "labels-per-group", p.LabelsPerGroup, "number of labels per group"+readers("labels-per-group"))
	f.Float64Var(&p.LabelFraction, "label-fraction", p.LabelFraction, "ρ, labels per group as a share of all labels, 0..1; 0 uses --labels-per-group"+readers("label-fraction"))
	f.Float64Var(&p.Concentration, "concentration", p.Concentration, "concentration of the Dirichlet distribution; smaller is more uneven"+readers("concentration"))
	f.IntVar(&p.MinSamples, "min-samples", p.MinSamples, "minimum number of training samples per client"+readers("min-samples"))
	f.Float64Var(&p.Holdout, "holdout", p.Holdout, "share of the clients that take no part in training and clustering, 0 to below 1")
	f.Float64Var(&p.TrainShare, "train-share", 1, "share of the training samples of each class that a client keeps, above 0; 1 keeps all")
	f.StringArrayVar(&d.partitionExtra, "partition-option", nil, "option of one kind of partition, as key=value; may be repeated (feddag partition --help lists them)")
	f.StringVar(&d.partitionFile, "partition-file", "", "file to read the partition and the number of clients from: a partition.json, .npz or index map")
	f.StringVar(&d.dataSeed, "data-seed", "", "random seed of the partition (default: "+seed+")")
}

// check reports errors that can be found without the data. seed is the default data seed.
func (d *partitionFlags) check(seed uint64) error {
	if d.partitionFile == "" { // otherwise the file determines the kind
		if err := spelling.OneOf("partition", d.partition.Kind, partition.Kinds()); err != nil {
			return usageError{err}
		}
	}
	extra, err := keyValues("partition-option", d.partitionExtra)
	if err != nil {
		return err
	}
	if len(extra) > 0 {
		d.partition.Extra = extra
	}
	if f := d.declared.Lookup("clients"); f != nil && !f.Changed && partition.CountsClients(d.partition) {
		d.partition.Clients = 0 // the data set determines the number
	}
	if d.partitionFile != "" {
		return nil
	}
	if f := d.declared.Lookup("train-share"); f.Changed && d.partition.TrainShare == 0 {
		return usagef("--train-share is 0: use a share above 0, at most 1; 1 keeps all samples") // 0 is all in partition.Options
	}
	if d.dataSeed == "" {
		d.dataSeed = strconv.FormatUint(seed, 10)
	}
	if _, err := strconv.ParseUint(d.dataSeed, 10, 64); err != nil {
		return usagef("--data-seed %q: use a whole number of 0 or more", d.dataSeed)
	}
	return nil
}

// partitionOf makes the partition of a data set, or reads it from --partition-file.
func (d *partitionFlags) partitionOf(set *data.Set) (*partition.Partition, error) {
	if d.partitionFile != "" {
		p, err := partition.Read(d.partitionFile, set)
		if err != nil {
			return nil, err
		}
		p.SetData(set)
		return p, nil
	}
	seed, err := strconv.ParseUint(d.dataSeed, 10, 64)
	if err != nil {
		return nil, usageError{err}
	}
	p, err := partition.New(set, d.partition, seed)
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// sayUnassigned prints the number of training samples that belong to no client, if the clients are users of the data set and
// some users are not clients. With the other kinds of partition, this follows from the flags.
func sayUnassigned(log io.Writer, p *partition.Partition, set *data.Set) {
	if n := p.Unassigned(set); n > 0 && p.Params.TrainShare == 0 && p.CountsClients() {
		fmt.Fprintf(log, "%s: %d of %d users are clients; %d of %d training samples belong to no client\n",
			p.Kind, len(p.Shards), len(set.UserNames), n, set.Train.Len())
	}
}

// partitionUsage prints the kinds of partition with the flags and options of each kind.
func partitionUsage(w io.Writer) {
	for _, kind := range partition.Kinds() {
		fmt.Fprintf(w, "  %-14s %s\n", kind, partition.Help(kind))
		options := partition.KindOptions(kind)
		for _, name := range slices.Sorted(maps.Keys(options)) {
			fmt.Fprintf(w, "  %-14s --partition-option %s=...: %s\n", "", name, options[name])
		}
	}
}
