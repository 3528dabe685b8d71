package partition

import (
	"fmt"
	"strconv"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// With the kind pairs (V), distinct pairs of classes are drawn at random, 11 of the 45 pairs of ten classes. Each client joins
// a pair at random and holds its two classes. The samples of a class are divided among all clients that hold it by a Dirichlet
// draw, with at least one sample for each. Classes in no pair are not used. Groups has the pair of each client.
func init() {
	register(kind{
		name:    "pairs",
		help:    "two classes per client, out of a few pairs of classes",
		flags:   []string{flagConcentration},
		options: map[string]string{optionPairs: "number of pairs (default 11)"},
		resolve: resolvePairs,
		assign:  assignPairs,
	})
}

const optionPairs = "pairs"

func resolvePairs(s *data.Set, o Options) (Options, error) {
	if err := checkConcentration(o.Concentration); err != nil {
		return o, err
	}
	n := len(presentLabels(s))
	if n < 2 {
		return o, fmt.Errorf("--partition pairs: data set %s has samples of only %d class", s.Name, n)
	}
	most := min(n*(n-1)/2, o.Clients)
	pairs, err := extraInt(o, optionPairs, 1, most, min(11, most))
	if err != nil {
		return o, fmt.Errorf("%w: %d classes have %d pairs, and there are %d clients", err, n, n*(n-1)/2, o.Clients)
	}
	resolved := Options{Concentration: o.Concentration}
	setExtra(&resolved, optionPairs, strconv.Itoa(pairs))
	return resolved, nil
}

func assignPairs(p *Partition, s *data.Set) error {
	byClass, labels := classIndices(s.Train.Labels, s.Classes), presentLabels(s)
	var all [][]int
	for a, x := range labels {
		for _, y := range labels[a+1:] {
			all = append(all, []int{x, y})
		}
	}
	pairs := p.extraOf(optionPairs)
	var holders [][]int // clients by label, ascending
	for draw := range uint64(maxDraws + 1) {
		r := stream.New(p.Seed, "partition/pairs/labels", draw)
		var sets [][]int
		if draw < maxDraws {
			for _, k := range r.Perm(len(all))[:pairs] {
				sets = append(sets, all[k])
			}
		} else { // if no random draw fits, use an even spread of the labels and groups of equal size
			sets = drawLabelSets(r, labels, pairs, 2, true)
		}
		p.Groups = drawGroups(stream.New(p.Seed, "partition/pairs/groups", draw), len(p.Shards), pairs, draw == maxDraws)
		holders = holdersOf(p.Groups, sets, s.Classes)
		if labelWithTooManyHolders(holders, byClass) < 0 {
			divideAmongHolders(p, "partition/pairs/shares", holders, byClass)
			return nil
		}
	}
	return tooManyHoldersError(p, s, labelWithTooManyHolders(holders, byClass), holders, byClass, "use fewer --clients or more pairs")
}

// holdersOf returns the clients that hold each label, in ascending order. The clients of group g hold the labels sets[g].
func holdersOf(groups []int, sets [][]int, classes int) [][]int {
	holders := make([][]int, classes)
	for i, g := range groups {
		for _, l := range sets[g] {
			holders[l] = append(holders[l], i)
		}
	}
	return holders
}
