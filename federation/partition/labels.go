package partition

import (
	"fmt"
	"slices"
	"strconv"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// The kind labels has k labels per client, like "#C = k" of the non-IID benchmark (Li, Diao, Chen, He, ICDE 2022). Every
// client holds k labels: those that the fewest clients hold, with ties resolved at random. The samples of a label are divided
// evenly, at random, among the clients that hold it.
func init() {
	register(kind{
		name:    "labels",
		help:    "a fixed number of labels per client, evenly divided",
		options: map[string]string{optionLabels: "labels per client (default 2)"},
		resolve: resolveLabels,
		assign:  assignLabels,
	})
}

const optionLabels = "labels"

func resolveLabels(s *data.Set, o Options) (Options, error) {
	n := len(presentLabels(s))
	k, err := extraInt(o, optionLabels, 1, n, min(2, n))
	if err != nil {
		return o, fmt.Errorf("%w: data set %s has samples of %d classes", err, s.Name, n)
	}
	if k < 1 {
		return o, fmt.Errorf("--partition labels: data set %s has no training samples", s.Name)
	}
	var resolved Options
	setExtra(&resolved, optionLabels, strconv.Itoa(k))
	return resolved, nil
}

func assignLabels(p *Partition, s *data.Set) error {
	byClass, labels := classIndices(s.Train.Labels, s.Classes), presentLabels(s)
	k := p.extraOf(optionLabels)
	r := stream.New(p.Seed, "partition/labels")
	holders := make([][]int, s.Classes)
	for i := range p.Shards {
		order := slices.Clone(labels)
		r.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		// A label with no sample left for another client cannot be chosen.
		order = slices.DeleteFunc(order, func(l int) bool { return len(holders[l]) >= len(byClass[l]) })
		if len(order) < k {
			return fmt.Errorf("--clients %d: for client %d only %d labels of %s have a training sample left, but it needs %d; use fewer --clients or labels",
				len(p.Shards), i, len(order), s.Name, k)
		}
		slices.SortStableFunc(order, func(a, b int) int { return len(holders[a]) - len(holders[b]) })
		for _, l := range order[:k] {
			holders[l] = append(holders[l], i)
		}
	}
	for l, clients := range holders {
		indices := byClass[l]
		r := stream.New(p.Seed, "partition/labels/shares", uint64(l))
		r.Shuffle(len(indices), func(i, j int) { indices[i], indices[j] = indices[j], indices[i] })
		n, c := int64(len(indices)), int64(len(clients))
		for j, i := range clients {
			p.Shards[i].Train = append(p.Shards[i].Train, indices[n*int64(j)/c:n*int64(j+1)/c]...)
		}
	}
	return nil
}
