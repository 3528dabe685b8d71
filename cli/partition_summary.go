package cli

import (
	"slices"

	"feddag/federation/partition"
	"feddag/report"
)

// partitionSummary is the last line of output of the command.
type partitionSummary struct {
	Dataset   string   `json:"dataset"`
	Partition string   `json:"partition"`
	DataSeed  uint64   `json:"data_seed"`
	Clients   int      `json:"clients"`
	HeldOut   int      `json:"held_out"`
	Groups    int      `json:"groups"` // 0 if there are no true groups
	Samples   int      `json:"train_samples"`
	Unused    int      `json:"unused_samples"`
	Size      spread   `json:"size"`     // number of training samples of a client
	Labels    spread   `json:"labels"`   // number of labels of a client
	Entropy   spread   `json:"entropy"`  // entropy of the labels of a client, in nats
	Distance  spread   `json:"distance"` // earth mover's distance from a client's labels to all clients' labels, 0 to 2
	Files     []string `json:"files"`
}

// spread summarises the distribution of a number over the clients.
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

func (d *heldData) summary(holdings []partition.ClientStats, all partition.ClientStats) partitionSummary {
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

// held returns the number of labels with at least one sample.
func held(counts []int) int {
	n := 0
	for _, k := range counts {
		if k > 0 {
			n++
		}
	}
	return n
}

// members returns the clients of each true group, or nil if there are no true groups.
func (d *heldData) members() [][]int {
	if d.partition.Groups == nil {
		return nil
	}
	groups := make([][]int, slices.Max(d.partition.Groups)+1)
	for i, g := range d.partition.Groups {
		groups[g] = append(groups[g], i)
	}
	return groups
}

// labels returns the labels a client holds, ascending.
func (d *heldData) labels(client int) []int {
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
