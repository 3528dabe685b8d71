package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/report"

	"github.com/spf13/pflag"
)

func init() {
	register("partition", "show who holds what; write and convert partitions", runPartition)
}

const partitionIntro = `Deals a data set out to clients, as train does with the same flags, and shows who holds what: sizes, classes, entropy
and distance from the whole, true groups. Writes the partition as JSON or .npz (--save), or a folder with both, a
chart and a mosaic of images as the clients see them (--out). With --partition-file it shows and converts one that is
there. The last line on standard output is the summary as one JSON object.

Usage: feddag partition [flags]`

// partitionOptions are the flags of partition.
type partitionOptions struct {
	source
	dealing
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
	o.dealing.flags(f, "0")
	f.StringArrayVar(&o.save, "save", nil, "write the partition there: a name that ends in .json or .npz; may be repeated")
	f.StringVar(&o.out, "out", "", "new folder for partition.json, partition.npz, partition.svg (who holds what), views.svg and views.png (images of each group)")
	f.IntVar(&o.rows, "rows", 20, "clients printed one by one")
	f.BoolVar(&o.quiet, "quiet", false, "no progress on standard error, no tables")
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
	return o.dealing.check(0)
}

func runPartition(ctx context.Context, args []string, out, log io.Writer) error {
	o := newPartitionOptions()
	err := o.flags.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Fprintf(out, "%s\n\n%s", partitionIntro, o.flags.FlagUsagesWrapped(110))
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
	p, err := o.dealing.deal(set)
	if err != nil {
		return err
	}
	return o.show(&handOut{title: o.title(p), set: set, partition: p}, out)
}

// title says what a partition is, as the chart's heading.
func (o *partitionOptions) title(p *partition.Partition) string {
	return fmt.Sprintf("%s of %s, %d clients\n%s", p.Kind, data.Title(p.DataSet), len(p.Shards), strings.Join(parameters(p), ", "))
}

// parameters lists what a partition was made with.
func parameters(p *partition.Partition) []string {
	var list []string
	add := func(name string, value any, is bool) {
		if is {
			list = append(list, fmt.Sprintf("%s %v", name, value))
		}
	}
	o := p.Params
	add("groups", o.Groups, o.Groups != 0)
	add("labels per group", o.LabelsPerGroup, o.LabelsPerGroup != 0)
	add("concentration", o.Concentration, o.Concentration != 0)
	add("min samples", o.MinSamples, o.MinSamples != 0)
	add("holdout", o.Holdout, o.Holdout != 0)
	add("train share", o.TrainShare, o.TrainShare != 0)
	keys := []string{}
	for key := range o.Extra {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		add(key, strings.ReplaceAll(o.Extra[key], ",", " "), true)
	}
	add("data seed", p.Seed, true)
	return list
}

// handOut is a partition with its set.
type handOut struct {
	title     string
	set       *data.Set
	partition *partition.Partition
}

// partitionSummary is the last line of the command. Spreads are over the clients.
type partitionSummary struct {
	Dataset   string   `json:"dataset"`
	Partition string   `json:"partition"`
	DataSeed  uint64   `json:"data_seed"`
	Clients   int      `json:"clients"`
	HeldOut   int      `json:"held_out"`
	Groups    int      `json:"groups"` // 0 where there are none
	Samples   int      `json:"train_samples"`
	Unused    int      `json:"unused_samples"`
	Size      spread   `json:"size"`     // training samples
	Labels    spread   `json:"labels"`   // that a client holds
	Entropy   spread   `json:"entropy"`  // of its labels, nats
	Distance  spread   `json:"distance"` // earth mover's, to all clients' labels, 0 to 2
	Files     []string `json:"files"`
}

// spread is a number over the clients.
type spread struct {
	Mean report.Float `json:"mean"`
	Std  report.Float `json:"std"`
	Min  report.Float `json:"min"`
	Max  report.Float `json:"max"`
}

func newSpread(values []float64) spread {
	s := report.NewStat(values)
	return spread{report.Float(s.Mean), report.Float(s.Std), report.Float(slices.Min(values)), report.Float(slices.Max(values))}
}

// show prints and writes what the flags ask for.
func (o *partitionOptions) show(d *handOut, out io.Writer) error {
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
		files, err := d.write(o.out, holdings)
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

func (d *handOut) summary(holdings []partition.ClientStats, all partition.ClientStats) partitionSummary {
	p := d.partition
	sum := partitionSummary{
		Dataset: p.DataSet, Partition: p.Kind, DataSeed: p.Seed, Clients: len(p.Shards), HeldOut: len(p.HeldOut),
		Groups: len(d.members()), Samples: all.Samples, Unused: d.set.Train.Len() - all.Samples, Files: []string{},
	}
	var size, labels, entropy, distance []float64
	for _, h := range holdings {
		size, labels = append(size, float64(h.Samples)), append(labels, float64(held(h.Counts)))
		entropy, distance = append(entropy, h.Entropy), append(distance, h.Distance)
	}
	sum.Size, sum.Labels, sum.Entropy, sum.Distance = newSpread(size), newSpread(labels), newSpread(entropy), newSpread(distance)
	return sum
}

// held counts the labels of which there is a sample.
func held(counts []int) int {
	n := 0
	for _, k := range counts {
		if k > 0 {
			n++
		}
	}
	return n
}

// members returns the clients of each true group; nil where there are none.
func (d *handOut) members() [][]int {
	if d.partition.Groups == nil {
		return nil
	}
	groups := make([][]int, slices.Max(d.partition.Groups)+1)
	for i, g := range d.partition.Groups {
		groups[g] = append(groups[g], i)
	}
	return groups
}

// table prints the first clients and the groups.
func (d *handOut) table(out io.Writer, holdings []partition.ClientStats, all partition.ClientStats, rows int) {
	p := d.partition
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "client\tgroup\tsamples\ttests\tlabels\tentropy\tdistance\t  samples by label\n")
	line := func(name, group string, h partition.ClientStats, mark string) {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%.3f\t%.3f\t  %s%s\n", name, group, h.Samples, h.Tests, held(h.Counts), h.Entropy,
			h.Distance, histogram(h.Counts), mark)
	}
	for i, h := range holdings[:min(rows, len(holdings))] {
		group, mark := "-", ""
		if p.Groups != nil {
			group = fmt.Sprint(p.Groups[i])
		}
		if v := p.Shards[i].View; v > 0 {
			mark += "  " + p.Views[v-1].String()
		}
		if m := p.Shards[i].LabelMap; m != nil {
			mark += "  " + labelMap(m)
		}
		if p.IsHeldOut(i) {
			mark += "  held out"
		}
		line(fmt.Sprint(i), group, h, mark)
	}
	all.Tests = 0
	line("all", "", all, "")
	w.Flush()
	if left := len(holdings) - rows; left > 0 {
		fmt.Fprintf(out, "(%d more clients: --rows %d)\n", left, len(holdings))
	}
	sizes := p.Sizes()
	slices.Sort(sizes)
	fmt.Fprintf(out, "\nsamples a client: %d to %d, median %d; %d of %d training samples are nobody's\n", sizes[0], sizes[len(sizes)-1],
		sizes[len(sizes)/2], d.set.Train.Len()-all.Samples, d.set.Train.Len())
	fmt.Fprintf(out, "entropy of the labels in nats (%.3f for all alike), distance sum |p - q| to all clients' labels (0 to 2)\n", math.Log(float64(d.set.Classes)))
	if len(p.HeldOut) > 0 {
		fmt.Fprintf(out, "held out of training: clients %s\n", numbers(p.HeldOut, 30))
	}
	for g, clients := range d.members() {
		fmt.Fprintf(out, "true group %d: %d clients, %s: %s\n", g, len(clients), d.groupName(clients[0]), numbers(clients, 20))
	}
	fmt.Fprintln(out)
}

// histogram writes counts, of many classes those that are there: "12 0 3", or "4:12 17:3".
func histogram(counts []int) string {
	var b strings.Builder
	for l, k := range counts {
		switch {
		case len(counts) <= 12:
			fmt.Fprintf(&b, "%d ", k)
		case k > 0:
			fmt.Fprintf(&b, "%d:%d ", l, k)
		}
		if b.Len() > 100 {
			b.WriteString("...")
			break
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// numbers lists the first of some numbers.
func numbers(x []int, most int) string {
	s := strings.Trim(fmt.Sprint(x[:min(len(x), most)]), "[]")
	if len(x) > most {
		s += fmt.Sprintf(" ... (%d)", len(x))
	}
	return s
}

// labelMap names a label map by what it does to the first classes.
func labelMap(m []uint8) string {
	if m == nil {
		return "labels as they are"
	}
	var b strings.Builder
	for y, l := range m[:min(len(m), 3)] {
		fmt.Fprintf(&b, "%d→%d ", y, l)
	}
	return "labels " + b.String() + "..."
}

// groupName says what the clients of a group have in common, by one of them.
func (d *handOut) groupName(client int) string {
	p, s := d.partition, d.set
	sh := p.Shards[client]
	conceptual, domains := false, d.oneUserPerClient()
	for _, other := range p.Shards {
		conceptual = conceptual || other.LabelMap != nil
	}
	switch {
	case conceptual:
		return labelMap(sh.LabelMap)
	case sh.View > 0:
		return p.Views[sh.View-1].String()
	case len(p.Views) > 0:
		return "clean"
	case domains:
		return s.UserNames[s.Train.Users[sh.Train[0]]]
	}
	return "labels " + numbers(d.labels(client), 12)
}

// oneUserPerClient reports whether every client holds the images of one user of the data set, as in the partition domains.
func (d *handOut) oneUserPerClient() bool {
	users := d.set.Train.Users
	if users == nil {
		return false
	}
	for _, sh := range d.partition.Shards {
		for _, j := range sh.Train {
			if users[j] != users[sh.Train[0]] {
				return false
			}
		}
	}
	return true
}

// labels returns the labels a client holds, ascending.
func (d *handOut) labels(client int) []int {
	var has [256]bool
	for _, j := range d.partition.Shards[client].Train {
		has[d.partition.Shards[client].Label(d.set.Train.Labels[j])] = true
	}
	var labels []int
	for l, yes := range has {
		if yes {
			labels = append(labels, l)
		}
	}
	return labels
}

// write fills a new folder and returns its files.
func (d *handOut) write(folder string, holdings []partition.ClientStats) ([]string, error) {
	dir, err := report.Create(folder)
	if err != nil {
		return nil, err
	}
	p := d.partition
	shares := make([]report.Share, len(holdings))
	for i, h := range holdings {
		shares[i] = report.Share{Client: i, Group: -1, HeldOut: p.IsHeldOut(i), Counts: h.Counts}
		if p.Groups != nil {
			shares[i].Group = p.Groups[i]
		}
	}
	mosaic := d.mosaic()
	var files []string
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{report.PartitionFile, p.WriteJSON},
		{"partition.npz", p.WriteNPZ},
		{"partition.svg", func(w io.Writer) error {
			return report.PartitionChart(w, "Who holds what: "+d.title, shares, d.set.ClassNames)
		}},
		{"views.svg", func(w io.Writer) error { return mosaic.SVG(w, "What the clients see: "+d.title) }},
		{"views.png", mosaic.PNG},
	} {
		if err := dir.WriteFile(f.name, f.write); err != nil {
			return files, err
		}
		files = append(files, dir.Path(f.name))
	}
	return files, nil
}

// The most rows and columns of a mosaic.
const mosaicRows, mosaicColumns = 24, 20

// mosaic shows a test image of each label as the clients of each group see and name it; without groups, as the first
// clients do.
func (d *handOut) mosaic() report.Mosaic {
	p, s := d.partition, d.set
	sets := d.members()
	name := func(k int) string { return fmt.Sprintf("%d: %s", k, d.groupName(sets[k][0])) }
	if sets == nil {
		for i := range p.Shards[:min(len(p.Shards), mosaicRows/2)] {
			sets = append(sets, []int{i})
		}
		name = func(k int) string { return fmt.Sprintf("client %d", k) }
	}
	sets = sets[:min(len(sets), mosaicRows)]
	m := report.Mosaic{Channels: s.Channels, Height: s.Height, Width: s.Width}
	for l := range min(s.Classes, mosaicColumns) {
		column := fmt.Sprint(l)
		if len(s.ClassNames) > 0 {
			column = s.ClassNames[l]
		}
		m.Columns = append(m.Columns, column)
	}
	for k, row := range p.Samples(s, sets) {
		m.Rows = append(m.Rows, name(k))
		images := make([][]byte, len(m.Columns))
		for l := range images {
			if row[l].Client >= 0 {
				images[l] = p.TestImage(s, row[l].Client, row[l].Test)
			}
		}
		m.Images = append(m.Images, images)
	}
	return m
}
