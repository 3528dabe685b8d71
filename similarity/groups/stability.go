package groups

import (
	"feddag/similarity/agreement"
	"fmt"
	"slices"
)

// Stability says how much a clustering depends on the random choice of the clients' images.
type Stability struct {
	ARI      float64         // adjusted Rand index of the two clusterings, each from one half of every client's images
	Found    [Halves]float64 // adjusted Rand index of each of the two with the clusters of the roster
	Clusters [Halves]int     // number of clusters from each half
	// Jaccard is, for each cluster of the roster, the mean over the halves of its largest Jaccard index with any of their
	// clusters. A cluster below 0.5 dissolves in about half of the cases, and a cluster above 0.85 is highly stable (C. Hennig,
	// Cluster-wise assessment of cluster stability, 2007). It is 0 for a cluster without members.
	Jaccard []float64
}

// Stability finds the groups two more times, each time from one of the two halves of every client's images. The label clusters
// come from the counts of this half, and the sides of the splits from its class means. The test still needs both halves to decide
// whether a split is real: it learns on one half and tests on the other. Half of the images have less power than all images, so
// small groups that all images separate may be united.
func (r *Roster) Stability() (Stability, error) {
	s := Stability{Jaccard: make([]float64, len(r.Clusters))}
	found := agreement.Labels(r.Clusters, len(r.Sketches))
	var label [Halves][]int
	for h := range Halves {
		clusters, err := r.findOnHalf(h)
		if err != nil {
			return Stability{}, fmt.Errorf("stability: half %d of the images: %w", h, err)
		}
		label[h], s.Clusters[h] = agreement.Labels(clusters, len(r.Sketches)), len(clusters)
		if s.Found[h], err = agreement.AdjustedRandIndex(found, label[h]); err != nil {
			return Stability{}, fmt.Errorf("stability: half %d of the images: %w", h, err)
		}
		for z, members := range r.Clusters {
			s.Jaccard[z] += agreement.Jaccard(members, clusters, label[h]) / Halves
		}
	}
	var err error
	if s.ARI, err = agreement.AdjustedRandIndex(label[0], label[1]); err != nil {
		return Stability{}, fmt.Errorf("stability: %w", err)
	}
	return s, nil
}

// findOnHalf finds the groups with the class means and counts of one half instead of those of all images. The metric is that of
// all images, as in the tests. Clients without images in the half are in the largest cluster.
func (r *Roster) findOnHalf(h int) ([][]int, error) {
	sketches := slices.Clone(r.Sketches)
	for i, s := range r.Sketches {
		if slices.Max(s.Counts[h]) == 0 {
			none := make([]int, len(s.Counts[h]))
			sketches[i] = &Sketch{[Halves][]int{none, none}, s.Means}
		}
	}
	found, err := find(sketches, r.ScatterNow(), r.options, func(f *finder) { f.only = h + 1 })
	if err != nil {
		return nil, err
	}
	return found.Clusters, nil
}
