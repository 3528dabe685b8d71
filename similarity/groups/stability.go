package groups

import (
	"feddag/similarity/agreement"
	"fmt"
	"slices"
)

// Stability says how far a clustering depends on which images the clients happened to have.
type Stability struct {
	ARI      float64         // adjusted Rand index of the two clusterings, each from one half of everybody's images
	Found    [Halves]float64 // index of each of the two with the clusters found
	Clusters [Halves]int     // clusters that each half finds
	// Jaccard is, of each cluster found, the mean over the halves of its largest Jaccard index with any of theirs. A cluster below
	// 0.5 is dissolved as often as not, one above 0.85 is highly stable (C. Hennig, Cluster-wise assessment of cluster stability,
	// 2007). It is 0 for a cluster without members.
	Jaccard []float64
}

// Stability finds the groups twice more, each time from one of the two halves of everybody's images: the label clusters from the
// counts of that half, and who is on which side of a split from its class means. Whether a split is real is still decided by the
// test, which needs the other half too: it learns on one half and tests on the other. Half of the images have less power than all, so
// the halves of small groups may be united where all images tell them apart.
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

// findOnHalf finds the groups with the class means and counts of one half in the place of those of all images. The metric is that of
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
