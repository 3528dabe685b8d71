package partition

import (
	"math"

	"feddag/federation/data"
)

// Holding is what one client of a partition has.
type Holding struct {
	Counts  []int // training samples by label, after label maps
	Samples int   // their sum
	Tests   int   // test samples
	// Entropy of the labels, -sum p ln p over the client's shares, in nats: 0 for one label, ln C for all alike.
	Entropy float64
	// Distance to the labels of all clients together, sum |p - q| over the labels: 0 for the same shares, 2 for no label
	// in common. It is the earth mover's distance of Zhao et al., "Federated learning with non-IID data" (2018).
	Distance float64
}

// Holdings returns what each client has, and what all have together (its Distance is 0). The partition must fit the set.
func (p *Partition) Holdings(s *data.Set) (clients []Holding, all Holding) {
	all.Counts = make([]int, s.Classes)
	for i, row := range p.Counts(s) {
		clients = append(clients, Holding{Counts: row, Samples: len(p.Shards[i].Train), Tests: len(p.Shards[i].Test)})
		for l, k := range row {
			all.Counts[l] += k
		}
		all.Samples += len(p.Shards[i].Train)
		all.Tests += len(p.Shards[i].Test)
	}
	all.Entropy = entropy(all.Counts, all.Samples)
	for i := range clients {
		h := &clients[i]
		h.Entropy = entropy(h.Counts, h.Samples)
		for l, k := range h.Counts {
			h.Distance += math.Abs(share(k, h.Samples) - share(all.Counts[l], all.Samples))
		}
	}
	return clients, all
}

func share(k, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

// entropy of counts that sum to n, in nats.
func entropy(counts []int, n int) float64 {
	sum := 0.0
	for _, k := range counts {
		if k > 0 {
			sum -= share(k, n) * math.Log(share(k, n))
		}
	}
	return sum
}

// Sample is an image as one client sees it: an index into Set.Test.
type Sample struct {
	Client, Test int
}

// Samples returns, for each of the given sets of clients, a test image of each label, as the clients name and see it;
// Client -1 where no client of the set has the label. Sets whose clients test on the same images get the same ones.
func (p *Partition) Samples(s *data.Set, sets [][]int) [][]Sample {
	out := make([][]Sample, len(sets))
	for k, clients := range sets {
		row := make([]Sample, s.Classes)
		for l := range row {
			row[l] = Sample{-1, 0}
		}
		left := s.Classes
		for _, i := range clients {
			sh := p.Shards[i]
			for _, j := range sh.Test {
				if l := sh.Label(s.Test.Labels[j]); row[l].Client < 0 {
					row[l] = Sample{i, int(j)}
					left--
				}
				if left == 0 {
					break
				}
			}
			if left == 0 {
				break
			}
		}
		out[k] = row
	}
	return out
}

// See returns test image j as a client of the partition sees it, before any scaling. It is the image Materialise makes.
func (p *Partition) See(s *data.Set, client, j int) []byte {
	from := s.Image(s.Test, j)
	v := p.Shards[client].View
	if v == 0 {
		return from
	}
	to := make([]byte, len(from))
	p.show(p.Views[v-1], testSplit, j, s, from, to)
	return to
}
