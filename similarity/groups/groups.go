package groups

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Options are the options of [Find].
type Options struct {
	Seed uint64 // seed of the random halves of the clients and of the simulated clouds
	// Alpha is the level of the tests: the total probability of splitting clients that draw every class from one distribution.
	Alpha float64
	// Leaves is the largest number of clusters from which the label clusters are merged.
	Leaves int
	// Prior is the weight, as a number of clients, of the noise known from the images relative to the noise between the clients.
	// 10 can separate groups of one or two clients. With 0 a test needs at least four clients.
	Prior float64
}

// DefaultOptions returns the defaults.
func DefaultOptions() Options { return Options{Alpha: 0.001, Leaves: 40, Prior: 10} }

// Validate returns an error for the first invalid option.
func (o Options) Validate() error {
	switch {
	case !(o.Alpha > 0 && o.Alpha < 1):
		return fmt.Errorf("the level of the tests is %g: use a number between 0 and 1", o.Alpha)
	case o.Leaves < 1:
		return fmt.Errorf("the number of leaves of the label clusters is %d: use at least 1", o.Leaves)
	case !(o.Prior >= 0) || math.IsInf(o.Prior, 0):
		return fmt.Errorf("the noise of the images counts as %g clients: use 0 or more", o.Prior)
	}
	return nil
}

// Result is the result of [Find].
type Result struct {
	Clusters [][]int // ordered by their first members; members are ascending
	// LabelClusters are the clusters of step 3. Each is a union of Clusters, except for clients without images. Groups that
	// images separate may be in one label cluster.
	LabelClusters [][]int
	// Silent are the clients without images. They are in the largest cluster, because nothing is known about them.
	Silent []int
}

// group is a group of clients, and the label cluster from which it comes.
type group struct {
	label int
	who   []int
}

// finder holds the state that the steps of the search share. Its clients are those with images, numbered from 0.
type finder struct {
	seed         uint64
	alpha, prior float64
	sketches     []*Sketch
	all          *table // numbers of images, without class means
	scatter      mat.Symmetric

	styles      bool // the clients are known to have individual styles
	metric      *whitening
	white       *table         // class means of all images, in the metric
	whiteHalves [Halves]*table // class means of the halves

	only int // 1 or 2 if only this half of the images decides the sides of the clients, see [Roster.Stability]; otherwise 0
}

// Find finds the groups of clients. scatter is the sum of the clients' scatter matrices, d x d. The steps are
//
//  1. All clients are split in two, and each side again, as long as a test rejects that the clients of a side draw every class from
//     one distribution and the clients are not one cloud of individual styles. After a round of splits the metric is computed again
//     (test.go, cloud.go).
//  2. The groups exchange clients, and merge if their union is not rejected (polish.go).
//  3. If the label distributions of all clients have a shorter code as several clusters than as one, each group may be divided into
//     its label clusters (labels.go), at its share of the level. Instead, a quota may explain which classes clients lack
//     (quota.go).
//  4. The label clusters are divided by steps 1 and 2 again.
//
// Find needs no matrix between clients. The result depends only on the sketches and the options.
func Find(sketches []*Sketch, scatter mat.Symmetric, o Options) (*Result, error) {
	r, err := find(sketches, scatter, o, nil)
	if err != nil {
		return nil, fmt.Errorf("finding groups of clients: %w", err)
	}
	return r, nil
}

// find implements [Find]. prepare, if it is not nil, may change the finder before the first step, see [Roster.Stability].
func find(sketches []*Sketch, scatter mat.Symmetric, o Options, prepare func(f *finder)) (*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	classes, d, err := checkSketches(sketches, scatter)
	if err != nil {
		return nil, err
	}
	r := new(Result)
	var present []int
	for i, s := range sketches {
		if slices.Max(s.Counts[0]) > 0 || slices.Max(s.Counts[1]) > 0 {
			present = append(present, i)
		} else {
			r.Silent = append(r.Silent, i)
		}
	}
	if len(present) == 0 {
		return nil, fmt.Errorf("none of the %d clients has images", len(sketches))
	}
	f := newFinder(sketches, present, classes, d, scatter, o)
	if prepare != nil {
		prepare(f)
	}
	counts := make([][]float64, len(present))
	for i := range present {
		counts[i] = f.all.weights(i)
		if f.only > 0 {
			counts[i] = f.sketches[i].images(f.only - 1)
		}
	}
	groups, err := f.search(counts, o)
	if err != nil {
		return nil, err
	}
	byLabel := make([][]int, len(present))
	var clusters [][]int
	for _, g := range groups {
		clusters = append(clusters, g.who)
		byLabel[g.label] = append(byLabel[g.label], g.who...)
	}
	names := func(clusters [][]int) [][]int {
		out := make([][]int, len(clusters))
		for z, g := range clusters {
			for _, i := range g {
				out[z] = append(out[z], present[i])
			}
		}
		return out
	}
	clusters = names(sorted(clusters))
	largest := 0
	for z, g := range clusters {
		if len(g) > len(clusters[largest]) {
			largest = z
		}
	}
	clusters[largest] = append(clusters[largest], r.Silent...)
	r.Clusters, r.LabelClusters = sorted(clusters), sorted(names(byLabel))
	return r, nil
}

// search runs the steps of [Find]. Label clusters of different image groups have the same numbers, 0, 1, ..., because images
// already separate them.
func (f *finder) search(counts [][]float64, o Options) ([]group, error) {
	clients := len(counts)
	// If the label clusters were found before the image groups, they would mix groups that label their images differently, and
	// divide the clients that a test compares.
	groups, err := f.divide([][]int{sequence(clients)})
	if err != nil {
		return nil, err
	}
	if whole := labelClusters(counts, clients, o.Leaves, o.Alpha); len(whole) == 1 {
		return groups, nil
	}
	var byLabel [][]int
	var number []int // number of each label cluster in its image group
	for _, g := range groups {
		level := o.Alpha * float64(len(g.who)) / float64(clients)
		for k, members := range labelClusters(pickRows(counts, g.who), clients, o.Leaves, level) {
			who := make([]int, len(members))
			for j, m := range members {
				who[j] = g.who[m]
			}
			byLabel, number = append(byLabel, who), append(number, k)
		}
	}
	if len(byLabel) == len(groups) {
		return groups, nil
	}
	if groups, err = f.divide(byLabel); err != nil {
		return nil, err
	}
	for k := range groups {
		groups[k].label = number[groups[k].label]
	}
	return groups, nil
}

// newFinder returns the state of a search among the clients that have images.
func newFinder(sketches []*Sketch, present []int, classes, d int, scatter mat.Symmetric, o Options) *finder {
	f := &finder{seed: o.Seed, alpha: o.Alpha, prior: o.Prior, scatter: scatter}
	f.all = &table{rows: len(present), classes: classes, d: d}
	for _, i := range present {
		f.sketches = append(f.sketches, sketches[i])
		counts := sketches[i].images(0)
		axpy(1, sketches[i].images(1), counts)
		f.all.n = append(f.all.n, counts...)
	}
	return f
}

// halfMeans returns the class means of one half of the images of each client.
func (f *finder) halfMeans(h int) *table {
	t := newTable(f.all.rows, f.all.classes, f.all.d)
	for i, s := range f.sketches {
		for c, n := range s.Counts[h] {
			if n > 0 {
				t.n[i*t.classes+c] = float64(n)
				copy(t.mean(i, c), s.Means[h].RawRowView(c))
			}
		}
	}
	return t
}

// allMeans returns the class means of all images of each client.
func (f *finder) allMeans() *table {
	t := newTable(f.all.rows, f.all.classes, f.all.d)
	copy(t.n, f.all.n)
	for i, s := range f.sketches {
		for h := range Halves {
			for c, n := range s.Counts[h] {
				if n > 0 {
					axpy(float64(n), s.Means[h].RawRowView(c), t.mean(i, c))
				}
			}
		}
		for c, n := range t.weights(i) {
			scale(1/max(n, 1), t.mean(i, c))
		}
	}
	return t
}

// whiten computes the metric for a clustering. Only the class means in this metric are kept; the original means are in the
// sketches.
func (f *finder) whiten(clusters [][]int) (err error) {
	f.white, f.whiteHalves = nil, [Halves]*table{} // to free their memory
	all := f.allMeans()
	if f.metric, err = newWhitening(all, f.scatter, clusters); err != nil {
		return err
	}
	f.enter(all)
	return nil
}

// enter maps the class means of all images, and of each half, into the metric.
func (f *finder) enter(all *table) {
	for h := range Halves {
		f.whiteHalves[h] = f.metric.apply(f.halfMeans(h))
	}
	if f.only > 0 {
		f.white = f.whiteHalves[f.only-1]
	} else {
		f.white = f.metric.apply(all)
	}
}

// divide divides the label clusters by their images (steps 1 and 2). If the test then rejects a group that can be one cloud of
// styles, the clients do have styles, and the label clusters are divided again with this knowledge.
func (f *finder) divide(byLabel [][]int) ([]group, error) {
	for {
		parts, err := f.grow(byLabel)
		if err != nil {
			return nil, err
		}
		var groups []group
		for z, part := range parts {
			for _, g := range f.polish(part) {
				groups = append(groups, group{z, g})
			}
		}
		if f.styles || !slices.ContainsFunc(groups, func(g group) bool { return f.leastP(g.who) <= f.level(g.who) }) {
			return groups, nil
		}
		f.styles = true
	}
}

// grow splits each cluster that is rejected, computes the sharper metric and repeats this until no cluster is rejected. It
// returns the parts of each cluster.
func (f *finder) grow(clusters [][]int) ([][][]int, error) {
	parts := make([][][]int, len(clusters))
	for k, g := range clusters {
		parts[k] = [][]int{g}
	}
	for grown := true; grown; {
		grown = false
		if err := f.whiten(slices.Concat(parts...)); err != nil {
			return nil, err
		}
		for k, part := range parts {
			parts[k] = nil
			for _, g := range part {
				var sides [2][]int
				if r := f.rejects(g); r.view != "" {
					label, _ := split(f.white.pick(g), r.view, nil)
					for m, i := range g {
						sides[label[m]] = append(sides[label[m]], i)
					}
				}
				if len(sides[0]) == 0 || len(sides[1]) == 0 {
					parts[k] = append(parts[k], g)
					continue
				}
				parts[k] = append(parts[k], sides[0], sides[1])
				grown = true
			}
		}
	}
	return parts, nil
}
