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

// dealing are the flags that name a partition.
type dealing struct {
	partition      partition.Options
	partitionFile  string
	partitionExtra []string // options key=value
	dataSeed       string
}

// flags declares them, with their defaults.
func (d *dealing) flags(f *pflag.FlagSet, seed string) {
	d.partition = partition.DefaultOptions()
	p := &d.partition
	f.StringVar(&p.Kind, "partition", p.Kind, "how clients share the data: "+strings.Join(partition.Kinds(), ", "))
	f.IntVar(&p.Clients, "clients", p.Clients, "N, number of clients")
	f.IntVar(&p.Groups, "groups", p.Groups, "G, groups of clients (label-skew)")
	f.IntVar(&p.LabelsPerGroup, "labels-per-group", p.LabelsPerGroup, "labels of a group (label-skew)")
	f.Float64Var(&p.LabelFraction, "label-fraction", p.LabelFraction, "ρ, labels of a group as a share of all, 0..1; 0 takes --labels-per-group (label-skew)")
	f.Float64Var(&p.Concentration, "concentration", p.Concentration, "of the Dirichlet distribution; smaller is more uneven (label-skew, lda, pairs, superclass, domains)")
	f.IntVar(&p.MinSamples, "min-samples", p.MinSamples, "training samples every client has at least (lda, domains)")
	f.Float64Var(&p.Holdout, "holdout", p.Holdout, "share of the clients that take no part in training and clustering, 0 to below 1")
	f.Float64Var(&p.TrainShare, "train-share", 1, "share of its training samples of each class that a client keeps, above 0 to 1 (all)")
	f.StringArrayVar(&d.partitionExtra, "partition-option", nil, "key=value, an option of this kind of partition alone, see Partitions below; may be repeated")
	f.StringVar(&d.partitionFile, "partition-file", "", "read the partition, and the number of clients, from a partition.json or .npz instead")
	f.StringVar(&d.dataSeed, "data-seed", "", "of the partition (default: "+seed+")")
}

// check finds mistakes that need no data. seed is the data seed where none is given.
func (d *dealing) check(seed uint64) error {
	if d.partitionFile == "" { // else the kind comes from a file, which may be of any
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
	if d.dataSeed == "" {
		d.dataSeed = strconv.FormatUint(seed, 10)
	}
	if _, err := strconv.ParseUint(d.dataSeed, 10, 64); err != nil {
		return usagef("--data-seed %q: use a whole number of 0 or more", d.dataSeed)
	}
	return nil
}

// deal makes or reads the partition.
func (d *dealing) deal(set *data.Set) (*partition.Partition, error) {
	if d.partitionFile != "" {
		return partition.Read(d.partitionFile, set)
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

// partitionUsage prints the kinds of partition with the flags and the options that each reads.
func partitionUsage(w io.Writer) {
	fmt.Fprintf(w, "\nPartitions:\n")
	for _, kind := range partition.Kinds() {
		fmt.Fprintf(w, "  %-14s %s\n", kind, partition.Help(kind))
		options := partition.KindOptions(kind)
		for _, name := range slices.Sorted(maps.Keys(options)) {
			fmt.Fprintf(w, "  %-14s --partition-option %s=...: %s\n", "", name, options[name])
		}
	}
}
