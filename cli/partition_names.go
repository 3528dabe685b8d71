package cli

import (
	"fmt"
	"slices"
	"strings"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/internal/spelling"
)

// title describes a partition for the heading of the chart.
func (o *partitionOptions) title(p *partition.Partition) string {
	return fmt.Sprintf("%s of %s, %d clients\n%s", p.Kind, data.Title(p.DataSet), len(p.Shards), strings.Join(parameters(p), ", "))
}

// parameters returns the parameters with which a partition was made.
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

// labelMap describes a label map by its effect on the first classes.
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

// groupName describes what the clients of a group have in common. client is one of them.
func (d *heldData) groupName(client int) string {
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
		return spelling.Plain(s.UserNames[s.Train.Users[sh.Train[0]]])
	}
	return "labels " + numbers(d.labels(client), 12)
}

// oneUserPerClient reports whether every client holds the images of one user of the data set, as in the partition domains.
func (d *heldData) oneUserPerClient() bool {
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
