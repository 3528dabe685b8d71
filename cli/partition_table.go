package cli

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"feddag/federation/partition"
)

// table prints the first clients and the groups.
func (d *heldData) table(out io.Writer, holdings []partition.ClientStats, all partition.ClientStats, rows int) {
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
	fmt.Fprintf(out, "\nsamples per client: %d to %d, median %d; %d of %d training samples belong to no client\n", sizes[0], sizes[len(sizes)-1],
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

// histogram formats counts per class as "12 0 3". With many classes it only lists those that occur, as "4:12 17:3".
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

// numbers lists at most the given number of elements of x.
func numbers(x []int, most int) string {
	s := strings.Trim(fmt.Sprint(x[:min(len(x), most)]), "[]")
	if len(x) > most {
		s += fmt.Sprintf(" ... (%d)", len(x))
	}
	return s
}
