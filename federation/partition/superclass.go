package partition

import (
	"fmt"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// With the kind superclass, each client joins a superclass at random and holds all its classes. The samples of a class are
// divided among the clients that hold it by a Dirichlet draw, with at least one sample for each. With fewer clients than
// superclasses, some superclasses are not used. Groups has the superclass of each client, numbered without gaps.
func init() {
	register(kind{
		name:    "superclass",
		help:    "the classes of one superclass per client, for sets with superclasses such as CIFAR-100",
		flags:   []string{flagConcentration},
		resolve: resolveSuperclass,
		assign:  assignSuperclass,
	})
}

func resolveSuperclass(s *data.Set, o Options) (Options, error) {
	if len(s.Superclass) == 0 {
		return o, fmt.Errorf("--partition superclass: the classes of data set %s have no superclasses; choose --dataset cifar100 or another partition", s.Name)
	}
	if len(presentLabels(s)) == 0 {
		return o, fmt.Errorf("--partition superclass: data set %s has no training samples", s.Name)
	}
	return Options{Concentration: o.Concentration}, checkConcentration(o.Concentration)
}

func assignSuperclass(p *Partition, s *data.Set) error {
	byClass := classIndices(s.Train.Labels, s.Classes)
	bySuper := make([][]int, len(s.SuperclassNames))
	for _, l := range presentLabels(s) {
		bySuper[s.Superclass[l]] = append(bySuper[s.Superclass[l]], l)
	}
	all := slices.DeleteFunc(bySuper, func(set []int) bool { return len(set) == 0 })
	var holders [][]int
	for draw := range uint64(maxDraws + 1) {
		sets := slices.Clone(all)
		if len(p.Shards) < len(sets) {
			r := stream.New(p.Seed, "partition/superclass/superclasses", draw)
			r.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
			sets = sets[:len(p.Shards)]
		}
		p.Groups = drawGroups(stream.New(p.Seed, "partition/superclass/groups", draw), len(p.Shards), len(sets), draw == maxDraws)
		holders = holdersOf(p.Groups, sets, s.Classes)
		if labelWithTooManyHolders(holders, byClass) < 0 {
			divideAmongHolders(p, "partition/superclass/shares", holders, byClass)
			return nil
		}
	}
	return tooManyHoldersError(p, s, labelWithTooManyHolders(holders, byClass), holders, byClass, "use fewer --clients")
}
