package main

import (
	"fmt"
	"slices"
	"time"

	"feddag/internal/stream"
	"feddag/similarity/agreement"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// cell is one experiment, in which the groups of one federation are found.
type cell struct {
	set     string
	kind    string
	style   float64 // standard deviation of the clients' styles, in units of each feature's standard deviation; 0 for none
	share   float64 // share of its samples that each client keeps
	clients int
	seed    uint64 // seed of the partition and of the search
}

// result is the result of a cell.
type result struct {
	cell
	found, truth int     // number of clusters
	ari          float64 // adjusted Rand index of the clusters and the true groups
	labels       int     // number of label clusters
	seconds      float64 // time of the search for the groups
	bytes        int     // size of one client's sketch, scatter included, as float32
}

// sketches returns the sketches of the clients and the sum of their scatters, as the program computes them.
func (c cell) sketches(x *federation, store *store) ([]*groups.Sketch, *mat.SymDense, error) {
	features, unlock, err := store.features(c, x)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	d := store.extractor.Len()
	var made []*groups.Sketch
	total := mat.NewSymDense(d, nil)
	for i, shard := range x.partition.Shards {
		shift := c.shift(i, store)
		own, labels := mat.NewDense(len(shard.Train), d, nil), make([]int, len(shard.Train))
		for k, j := range shard.Train {
			labels[k] = int(shard.Label(x.label(j)))
			row := own.RawRowView(k)
			for f, v := range features.row(int(j)) {
				row[f] = float64(v) + shift[f]
			}
		}
		// The purpose is the same as in federation/algorithm/feature_sketches.go, so that the halves are the same as in the
		// program.
		s, scatter, err := groups.NewSketch(own, labels, store.set.Classes, stream.New(c.seed, "groups: halves of the images", uint64(i)))
		if err != nil {
			return nil, nil, fmt.Errorf("client %d: %w", i, err)
		}
		total.AddSym(total, scatter)
		made = append(made, s)
	}
	return made, total, nil
}

// shift returns the style of a client: a random shift of each feature.
func (c cell) shift(client int, store *store) []float64 {
	shift := make([]float64, store.extractor.Len())
	if c.style > 0 {
		r := stream.New(c.seed, "benchmarks/groups: style", uint64(client))
		for f := range shift {
			shift[f] = c.style * store.deviation[f] * r.NormFloat64()
		}
	}
	return shift
}

// run makes the federation of a cell and finds its groups, or with known assigns the clients to the true groups (see bound).
// It returns the clusters too.
func (c cell) run(store *store, known bool) (result, [][]int, error) {
	x, err := c.federation(store.set)
	if err != nil {
		return result{}, nil, fmt.Errorf("%v: %w", c, err)
	}
	sketches, scatter, err := c.sketches(x, store)
	if err != nil {
		return result{}, nil, fmt.Errorf("%v: %w", c, err)
	}
	began := time.Now()
	var answer []int
	found := new(groups.Result)
	if known {
		if answer, err = c.assign(store, sketches, x.truth); err != nil {
			return result{}, nil, fmt.Errorf("%v: %w", c, err)
		}
		found.Clusters = clustersOf(answer)
	} else {
		o := groups.DefaultOptions()
		o.Seed = c.seed
		if found, err = groups.Find(sketches, scatter, o); err != nil {
			return result{}, nil, fmt.Errorf("%v: %w", c, err)
		}
		answer = make([]int, c.clients)
		for k, members := range found.Clusters {
			for _, i := range members {
				answer[i] = k
			}
		}
	}
	seconds := time.Since(began).Seconds()
	ari, err := agreement.AdjustedRandIndex(answer, x.truth)
	if err != nil {
		return result{}, nil, fmt.Errorf("%v: %w", c, err)
	}
	d := store.extractor.Len()
	return result{
		cell: c, found: len(found.Clusters), truth: slices.Max(x.truth) + 1, ari: ari, labels: len(found.LabelClusters),
		seconds: seconds, bytes: 4 * (groups.Halves*store.set.Classes*(d+1) + d*(d+1)/2),
	}, found.Clusters, nil
}

// assign returns the best assignment when all images of the groups are known.
func (c cell) assign(store *store, sketches []*groups.Sketch, truth []int) ([]int, error) {
	c.share = 1
	x, err := c.federation(store.set)
	if err != nil {
		return nil, err
	}
	known, scatter, err := c.sketches(x, store)
	if err != nil {
		return nil, err
	}
	return bound(sketches, known, scatter, truth), nil
}

// clustersOf returns the clients of each cluster that is not empty.
func clustersOf(answer []int) [][]int {
	clusters := make([][]int, slices.Max(answer)+1)
	for i, k := range answer {
		clusters[k] = append(clusters[k], i)
	}
	return slices.DeleteFunc(clusters, func(members []int) bool { return len(members) == 0 })
}
