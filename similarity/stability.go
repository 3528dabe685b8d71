package similarity

import (
	"fmt"
	"slices"

	"feddag/internal/stream"
	"feddag/similarity/agreement"
)

// Steadiness says how similar a clustering is to clusterings from a random half of the data that the clients sent: half of the
// mask's coordinates or, if tests found the clusters, half of the images.
type Steadiness struct {
	ARI      []float64 // adjusted Rand index of each repetition with the clustering
	Count    []int     // number of clusters of each repetition
	Clusters []float64 // for each cluster, its largest Jaccard index with a cluster of a repetition, averaged over the repetitions
	Between  *float64  // adjusted Rand index of the two repetitions with disjoint halves of the images; nil for halves of the mask
}

// Stability clusters again repeats times, each time with another random share (0 < share <= 1) of the mask's coordinates,
// and compares with result, which Cluster returned for these updates (N x k) and options. Only G, the gates and the
// clusters are computed again; V does not depend on the mask.
//
// A cluster with a Jaccard index below 0.5 dissolves in about half of the repetitions, and a cluster above 0.85 is highly stable
// (Hennig 2007, Cluster-wise assessment of cluster stability). The draws depend on o.Seed. With fixed:0 the mask has no effect,
// and all values are 1.
func Stability(updates [][]float64, result *Result, o Options, share float64, repeats int, progress Progress) (*Steadiness, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("stability: %w", err)
	}
	n := len(updates)
	switch {
	case n == 0:
		return nil, fmt.Errorf("stability: there are no clients")
	case !(share > 0 && share <= 1):
		return nil, fmt.Errorf("stability: the share of the coordinates is %g: use a number above 0 and at most 1", share)
	case repeats < 1:
		return nil, fmt.Errorf("stability: the number of repetitions is %d: use 1 or more", repeats)
	case result.DataScaled == nil || result.DataScaled.SymmetricDim() != n:
		return nil, fmt.Errorf("stability: the %d updates do not match the clustering", n)
	}
	k := len(updates[0])
	for i, u := range updates {
		if len(u) != k || k == 0 {
			return nil, fmt.Errorf("stability: client %d: its update has %d coordinates and the update of client 0 has %d: the numbers must be equal and at least 1", i, len(u), k)
		}
	}
	keep := max(1, int(share*float64(k)))
	labels := agreement.Labels(result.Clusters, n)
	s := &Steadiness{Clusters: make([]float64, len(result.Clusters))}
	tell := progress.step("stability")
	for b := range repeats {
		if err := tell.tell(b, repeats); err != nil {
			return nil, err
		}
		chosen := stream.New(o.Seed, "stability", uint64(b)).Perm(k)[:keep]
		slices.Sort(chosen)
		some := make([][]float64, n)
		for i, u := range updates {
			some[i] = make([]float64, keep)
			for at, c := range chosen {
				some[i][at] = u[c]
			}
		}
		clusters, err := recluster(some, result, o)
		if err != nil {
			return nil, fmt.Errorf("stability: %w", err)
		}
		other := agreement.Labels(clusters, n)
		ari, err := agreement.AdjustedRandIndex(labels, other)
		if err != nil {
			return nil, fmt.Errorf("stability: %w", err)
		}
		s.ARI, s.Count = append(s.ARI, ari), append(s.Count, len(clusters))
		for z, members := range result.Clusters {
			s.Clusters[z] += agreement.Jaccard(members, clusters, other) / float64(repeats)
		}
	}
	return s, nil
}

// recluster runs phases 2 and 3 with other updates and the same V^.
func recluster(updates [][]float64, result *Result, o Options) ([][]int, error) {
	g, err := GradientAngles(updates)
	if err != nil {
		return nil, err
	}
	if g, err = MinMax(g); err != nil {
		return nil, err
	}
	gates, err := LearnGates(g, result.DataScaled, o)
	if err != nil {
		return nil, err
	}
	a, err := Fuse(g, result.DataScaled, gates.W)
	if err != nil {
		return nil, err
	}
	choice, err := search(a, result.ClassAngles, o, nil)
	if err != nil {
		return nil, err
	}
	return choice.Clusters, nil
}
