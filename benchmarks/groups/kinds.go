package main

import (
	"fmt"
	"slices"

	"feddag/federation/data"
	"feddag/federation/partition"
	"feddag/internal/stream"
)

// kind is a kind of federation. It uses the program's partition if the program has it.
type kind struct {
	name, title string
	options     partition.Options // options that differ from the defaults
	// change makes the parts that the program does not have; nil if there are none.
	change func(c cell, s *data.Set, x *federation) error
}

const fiveCorruptions = "clean,gaussian_noise,contrast,pixelate,fog"

var kinds = []kind{
	{name: "I3", title: "I, 3 labels", options: partition.Options{Kind: "label-skew", LabelsPerGroup: 3}},
	{name: "I2", title: "I, 2 labels", options: partition.Options{Kind: "label-skew", LabelsPerGroup: 2}},
	{name: "II", title: "II, concentration 1", options: partition.Options{Kind: "concept-shift"}},
	{name: "IIq", title: "II, concentration 0.25", options: partition.Options{Kind: "concept-shift", Concentration: 0.25}},
	{name: "IV5", title: "IV, five corruptions", options: skew("corruptions", fiveCorruptions)},
	{name: "IVall", title: "IV, all corruptions", options: skew()},
	{name: "IVmild", title: "IV, five corruptions of severity 1", options: skew("corruptions", fiveCorruptions, "severity", "1")},
	{name: "V", title: "V, 11 pairs", options: partition.Options{Kind: "pairs"}},
	{name: "III", title: "III, Dirichlet 0.5", options: partition.Options{Kind: "iid"}, change: dirichlet},
	{name: "IIIcap", title: "III with the cap", options: partition.Options{Kind: "lda", Concentration: 0.5}},
	{name: "IID", title: "IID", options: partition.Options{Kind: "iid"}},
	{name: "II+I", title: "II on I", options: partition.Options{Kind: "concept-shift", Extra: map[string]string{"base": "label-skew"}}, change: labelGroups},
	{name: "II+IV", title: "II on IV", options: partition.Options{Kind: "concept-shift", Extra: map[string]string{"base": "feature-skew", "corruptions": fiveCorruptions}}},
	{name: "sizes", title: "II, groups of 60%, 30% and 10%", options: partition.Options{Kind: "concept-shift"}, change: unequalConcepts},
	{name: "I3noise", title: "I, 10% label noise", options: partition.Options{Kind: "label-skew", LabelsPerGroup: 3}, change: labelNoise},
	{name: "IInoise", title: "II, 10% label noise", options: partition.Options{Kind: "concept-shift"}, change: labelNoise},
}

// skew returns the options of a feature skew, given the kind's own options as name, value, ...
func skew(own ...string) partition.Options {
	o := partition.Options{Kind: "feature-skew", Extra: map[string]string{}}
	for i := 0; i < len(own); i += 2 {
		o.Extra[own[i]] = own[i+1]
	}
	return o
}

func kindOf(name string) (kind, error) {
	var names []string
	for _, k := range kinds {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	return kind{}, fmt.Errorf("--kinds %s: the kinds are %v", name, names)
}

// federation is the assignment of images to clients, and the true groups.
type federation struct {
	options   partition.Options
	partition *partition.Partition
	labels    []uint8 // label of each training image, before the clients' label maps
	truth     []int
}

// label returns the label of training image j before the clients' label maps.
func (x *federation) label(j int32) uint8 { return x.labels[j] }

// partitionOptions returns the options with which the program makes the partition of a cell.
func (c cell) partitionOptions(k kind, s *data.Set) partition.Options {
	o := partition.DefaultOptions()
	o.Kind, o.Clients, o.TrainShare, o.Extra = k.options.Kind, c.clients, c.share, k.options.Extra
	if k.options.LabelsPerGroup > 0 {
		o.LabelsPerGroup = k.options.LabelsPerGroup
	}
	if k.options.Concentration > 0 {
		o.Concentration = k.options.Concentration
	}
	o.MinSamples = max(1, min(o.MinSamples, s.Train.Len()/c.clients/2))
	return o
}

// federation makes the federation of a cell.
func (c cell) federation(s *data.Set) (*federation, error) {
	k, err := kindOf(c.kind)
	if err != nil {
		return nil, err
	}
	o := c.partitionOptions(k, s)
	p, err := partition.New(s, o, c.seed)
	if err != nil {
		return nil, err
	}
	x := &federation{options: o, partition: p, labels: s.Train.Labels, truth: make([]int, c.clients)}
	if p.Groups != nil {
		copy(x.truth, p.Groups)
	}
	if k.change != nil {
		if err := k.change(c, s, x); err != nil {
			return nil, err
		}
	}
	x.refine(func(i int) string { return fmt.Sprint(p.Shards[i].LabelMap, p.Shards[i].View) })
	return x, nil
}

// refine divides the true groups by another property of their clients, and numbers them from 0.
func (x *federation) refine(of func(client int) string) {
	number := map[string]int{}
	for i, g := range x.truth {
		key := fmt.Sprint(g, of(i))
		if _, ok := number[key]; !ok {
			number[key] = len(number)
		}
		x.truth[i] = number[key]
	}
}

// labelGroups divides the groups by the groups of the label skew below the concept shift.
func labelGroups(c cell, s *data.Set, x *federation) error {
	o := x.options
	o.Kind, o.Extra = "label-skew", nil
	p, err := partition.New(s, o, c.seed)
	if err != nil {
		return err
	}
	for i, shard := range p.Shards {
		if !slices.Equal(shard.Train, x.partition.Shards[i].Train) {
			return fmt.Errorf("client %d: the label skew below the concept shift is different", i)
		}
	}
	x.refine(func(i int) string { return fmt.Sprint(p.Groups[i]) })
	return nil
}

// unequalConcepts gives the first concept to 60% of the clients, the second to 30% and the third to the rest.
func unequalConcepts(c cell, _ *data.Set, x *federation) error {
	maps := map[int][]uint8{}
	for i, g := range x.truth {
		maps[g] = x.partition.Shards[i].LabelMap
	}
	for k, i := range stream.New(c.seed, "benchmarks/groups: sizes").Perm(c.clients) {
		switch share := float64(k) / float64(c.clients); {
		case share < 0.6:
			x.truth[i] = 0
		case share < 0.9:
			x.truth[i] = 1
		default:
			x.truth[i] = 2
		}
		x.partition.Shards[i].LabelMap = maps[x.truth[i]]
	}
	return nil
}

// labelNoise replaces one label in ten by another class at random.
func labelNoise(c cell, s *data.Set, x *federation) error {
	r := stream.New(c.seed, "benchmarks/groups: label noise")
	x.labels = slices.Clone(s.Train.Labels)
	for j, l := range x.labels {
		if r.Float64() < 0.1 {
			x.labels[j] = uint8((int(l) + 1 + r.IntN(s.Classes-1)) % s.Classes)
		}
	}
	return nil
}

// dirichlet divides each class among all clients by a Dirichlet draw of concentration 0.5, without the cap of the program's
// partition lda and without a minimum number of samples per class.
func dirichlet(c cell, s *data.Set, x *federation) error {
	r := stream.New(c.seed, "benchmarks/groups: Dirichlet")
	shards := x.partition.Shards
	for i := range shards {
		shards[i].Train = nil
	}
	for class := range s.Classes {
		var images []int32
		for j, l := range s.Train.Labels {
			if int(l) == class {
				images = append(images, int32(j))
			}
		}
		r.Shuffle(len(images), func(a, b int) { images[a], images[b] = images[b], images[a] })
		// A gamma variate of shape 1/2 is half the square of a normal one.
		shares, sum := make([]float64, c.clients), 0.
		for i := range shares {
			shares[i] = r.NormFloat64()
			shares[i] *= shares[i]
			sum += shares[i]
		}
		at, low := 0., 0
		for i, share := range shares {
			at += share / sum
			high := min(len(images), int(at*float64(len(images))+0.5))
			mine := images[low:high]
			low = high
			if c.share < 1 && len(mine) > 0 {
				mine = mine[:max(1, int(c.share*float64(len(mine))+0.5))]
			}
			shards[i].Train = append(shards[i].Train, mine...)
		}
	}
	for i := range shards {
		slices.Sort(shards[i].Train)
	}
	return nil
}
