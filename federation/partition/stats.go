package partition

import (
	"math"

	"feddag/federation/data"
)

// ClientStats describes the samples of one client.
type ClientStats struct {
	Counts  []int // number of training samples by label, after label maps
	Samples int   // sum of Counts
	Tests   int   // number of test samples
	// Entropy is the entropy of the labels, -sum p ln p over the shares p of the labels, in nats. It is 0 for one label and
	// ln C for C equal shares.
	Entropy float64
	// Distance is the distance from the labels of all clients together, sum |p - q| over the labels. It is 0 for equal shares
	// and 2 for no label in common. It is the earth mover's distance of Zhao et al., "Federated learning with non-IID data"
	// (2018).
	Distance float64
}

// Stats returns the statistics of each client and of all clients together, whose Distance is 0. The partition must fit
// the set.
func (p *Partition) Stats(s *data.Set) (clients []ClientStats, all ClientStats) {
	all.Counts = make([]int, s.Classes)
	for i, row := range p.Counts(s) {
		clients = append(clients, ClientStats{Counts: row, Samples: len(p.Shards[i].Train), Tests: len(p.Shards[i].Test)})
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

// share returns k/n, or 0 if n is 0.
func share(k, n int) float64 {
	if n == 0 {
		return 0
	}
	return float64(k) / float64(n)
}

// entropy returns the entropy of counts that sum to n, in nats.
func entropy(counts []int, n int) float64 {
	sum := 0.0
	for _, k := range counts {
		if k > 0 {
			sum -= share(k, n) * math.Log(share(k, n))
		}
	}
	return sum
}

// Sample is a test image as one client sees it: an index into Set.Test.
type Sample struct {
	Client, Test int
}

// Samples returns a test image of each label, as the clients label it, for each of the given sets of clients. Client is -1 if
// no client of a set has the label. Sets whose clients share test images get the same images.
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

// TestImage returns test image j as a client of the partition sees it, before any scaling. It equals the image of
// Materialise.
func (p *Partition) TestImage(s *data.Set, client, j int) []byte {
	return p.seen(s, client, testSplit, j, s.Image(s.Test, j))
}

// TrainImage returns training image j as a client of the partition sees it, before any scaling. It equals the image of
// Materialise if the client holds it.
func (p *Partition) TrainImage(s *data.Set, client, j int) []byte {
	return p.seen(s, client, trainSplit, j, s.Image(s.Train, j))
}

// seen returns image i of a split as a client sees it. It returns the image itself if the client has no view.
func (p *Partition) seen(s *data.Set, client, split, i int, image []byte) []byte {
	v := p.Shards[client].View
	if v == 0 {
		return image
	}
	to := make([]byte, len(image))
	p.corrupt(p.Views[v-1], split, i, s, image, to)
	return to
}
