package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"feddag/federation"
	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/report"
	"feddag/report/plot"

	"github.com/spf13/pflag"
)

func init() {
	register("partition", "show which client holds which images; write and convert partitions", runPartition)
}

const partitionIntro = `Divides a data set among clients, as train does with the same flags, and shows which client holds which images: sizes,
classes, entropy, distance from the whole data set, true groups. --save writes the partition as JSON or .npz. --out writes a
folder with both, a chart, and a mosaic of images as the clients see them. With --partition-file the command shows and
converts an existing partition. The last line on standard output is the summary as one JSON object.

Usage: feddag partition [flags]`

// partitionOptions are the flags of partition.
type partitionOptions struct {
	source
	partitionFlags
	plots plotFormats
	save  []string
	out   string
	rows  int
	quiet bool

	flags *pflag.FlagSet
}

func newPartitionOptions() *partitionOptions {
	o := &partitionOptions{flags: newFlagSet()}
	f := o.flags
	o.source.flags(f)
	o.partitionFlags.flags(f, "0")
	f.StringArrayVar(&o.save, "save", nil, "file to write the partition to; the name ends in .json or .npz; may be repeated")
	f.StringVar(&o.out, "out", "", "new folder for partition.json, partition.npz, a plot of which client holds what, and a plot with images of each group")
	o.plots.flags(f)
	f.IntVar(&o.rows, "rows", 20, "number of clients that are printed one by one")
	f.BoolVar(&o.quiet, "quiet", false, "print no progress on standard error, and no tables")
	return o
}

func (o *partitionOptions) check() error {
	if o.flags.NArg() > 0 {
		return usagef("unexpected argument %q; flags start with --", o.flags.Arg(0))
	}
	if o.rows < 0 {
		return usagef("--rows is %d: use 0 or more", o.rows)
	}
	for _, file := range o.save {
		if ext := filepath.Ext(file); ext != ".json" && ext != ".npz" {
			return usagef("--save %s: end the name in .json or .npz", file)
		}
	}
	if err := o.source.check(); err != nil {
		return err
	}
	if err := o.partitionFlags.check(0); err != nil {
		return err
	}
	return refuseUnread(o.flags, o.unread())
}

// unread returns the flags that have no effect with the present values of the other flags.
func (o *partitionOptions) unread() []federation.UnreadFlag {
	list := o.partitionFlags.unread()
	if o.out == "" {
		list = append(list, federation.UnreadFlag{Name: "plots", Where: "without --out", Who: "the plots are files of that folder"})
	}
	if o.quiet {
		list = append(list, federation.UnreadFlag{Name: "rows", Where: "with --quiet", Who: "no table is printed"})
	}
	return list
}

func runPartition(ctx context.Context, args []string, out, log io.Writer) error {
	o := newPartitionOptions()
	err := parseFlags(o.flags, args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprintf(out, "%s\n\n%s", partitionIntro, flagUsages(o.flags))
		fmt.Fprintf(out, "\nPartitions:\n")
		partitionUsage(out)
		return nil
	case err != nil:
		return flagError(err, "partition", o.flags)
	}
	if err := o.check(); err != nil {
		return err
	}
	set, err := o.source.load(ctx, log, o.quiet)
	if err != nil {
		return err
	}
	p, err := o.partitionFlags.partitionOf(set)
	if err != nil {
		return err
	}
	if !o.quiet {
		sayUnassigned(log, p, set)
	}
	return o.show(ctx, &heldData{title: o.title(p), set: set, partition: p}, out, log)
}

// heldData is a partition with the data set that it divides, and a title for its plots.
type heldData struct {
	title     string
	set       *data.Set
	partition *partition.Partition
}

// show prints the partition and writes the files that the flags ask for.
func (o *partitionOptions) show(ctx context.Context, d *heldData, out, log io.Writer) error {
	holdings, all := d.partition.Stats(d.set)
	sum := d.summary(holdings, all)
	if !o.quiet {
		fmt.Fprintf(out, "%s\n\n", d.title)
		d.table(out, holdings, all, o.rows)
	}
	for _, file := range o.save {
		write := d.partition.WriteJSON
		if filepath.Ext(file) == ".npz" {
			write = d.partition.WriteNPZ
		}
		if err := report.WriteFile(file, write); err != nil {
			return fmt.Errorf("--save: %w", err)
		}
		sum.Files = append(sum.Files, file)
	}
	if o.out != "" {
		files, err := d.write(ctx, o.out, log, holdings, o.plots)
		if err != nil {
			return err
		}
		sum.Files = append(sum.Files, files...)
	}
	line, err := report.Marshal(sum)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n", line)
	return err
}

// write fills a new folder, with the plots in each of the formats, and returns its files.
func (d *heldData) write(ctx context.Context, folder string, log io.Writer, holdings []partition.ClientStats, formats []plot.Format) (_ []string, err error) {
	dir, err := report.Create(ctx, folder, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	p := d.partition
	shares := make([]plot.Share, len(holdings))
	for i, h := range holdings {
		shares[i] = plot.Share{Client: i, Group: -1, HeldOut: p.IsHeldOut(i), Counts: h.Counts}
		if p.Groups != nil {
			shares[i].Group = p.Groups[i]
		}
	}
	var files []string
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{report.PartitionFile, p.WriteJSON},
		{"partition.npz", p.WriteNPZ},
	} {
		if err := dir.WriteFile(f.name, f.write); err != nil {
			return files, err
		}
		files = append(files, dir.Path(f.name))
	}
	views, err := d.mosaic().Figure("What the clients see: " + d.title)
	if err != nil {
		return files, err
	}
	for _, p := range []struct {
		name   string
		figure *plot.Figure
	}{{"partition", plot.Partition("Who holds what: "+d.title, shares, d.set.ClassNames)}, {"views", views}} {
		if err := dir.WritePlot(p.name, p.figure, formats); err != nil {
			return files, err
		}
		for _, format := range formats {
			files = append(files, dir.Path(p.name+"."+string(format)))
		}
	}
	return files, nil
}
