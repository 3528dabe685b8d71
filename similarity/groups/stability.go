package groups

import (
	"fmt"
	"slices"
)

// Stability says how far a clustering depends on which images the clients happened to have.
type Stability struct {
	ARI      float64         // adjusted Rand index of the two clusterings, each from one half of everybody's images
	Found    [Halves]float64 // of each with the clusters found
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
	found := labelsOf(r.Clusters, len(r.Sketches))
	var label [Halves][]int
	for h := range Halves {
		clusters, err := r.findOnHalf(h)
		if err != nil {
			return Stability{}, fmt.Errorf("stability: half %d of the images: %w", h, err)
		}
		label[h], s.Clusters[h] = labelsOf(clusters, len(r.Sketches)), len(clusters)
		s.Found[h] = adjustedRand(found, label[h])
		for z, members := range r.Clusters {
			s.Jaccard[z] += jaccard(members, clusters, label[h]) / Halves
		}
	}
	s.ARI = adjustedRand(label[0], label[1])
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

// labelsOf returns the cluster of each of n clients.
func labelsOf(clusters [][]int, n int) []int {
	label := make([]int, n)
	for z, members := range clusters {
		for _, i := range members {
			label[i] = z
		}
	}
	return label
}

// adjustedRand returns the adjusted Rand index of two clusterings, 1 if both are one cluster or both are singletons (L. Hubert and
// P. Arabie, Comparing partitions, 1985).
func adjustedRand(a, b []int) float64 {
	table, inA, inB := map[[2]int]float64{}, map[int]float64{}, map[int]float64{}
	for i, z := range a {
		table[[2]int{z, b[i]}]++
		inA[z]++
		inB[b[i]]++
	}
	pairs := func(n float64) float64 { return n * (n - 1) / 2 }
	both, ofA, ofB := 0., 0., 0.
	for _, n := range table {
		both += pairs(n)
	}
	for _, n := range inA {
		ofA += pairs(n)
	}
	for _, n := range inB {
		ofB += pairs(n)
	}
	all := pairs(float64(len(a)))
	if all == 0 {
		return 1
	}
	expected, most := ofA*ofB/all, (ofA+ofB)/2
	if most == expected {
		return 1
	}
	return (both - expected) / (most - expected)
}

// jaccard returns the largest |A and B| / |A or B| of a cluster and any of others, whose labels are given too.
func jaccard(members []int, clusters [][]int, label []int) (best float64) {
	both := make([]float64, len(clusters))
	for _, i := range members {
		both[label[i]]++
	}
	for z, n := range both {
		best = max(best, n/max(float64(len(members)+len(clusters[z]))-n, 1))
	}
	return best
}
