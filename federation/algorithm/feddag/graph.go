package feddag

import (
	"fmt"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// edge leads from a source of the CC-graph to one of its learners.
type edge struct {
	learner int
	weight  float64 // H of the edge
}

// setClustering sets the clusters of the present ones of n clients, the CC-graph (eq. 11 to 14) and the H of its edges. It
// derives the cluster of each client and the learners of each source. It returns an error if the three arguments do not fit
// each other.
//
// FedDAG† replaces the edges of the graph with one edge per cluster, from the cluster to itself. With OwnSource this edge is
// added to the edges of the graph.
func (a *FedDAG) setClustering(n int, clusters, graph [][]int, scores [][]float64) error {
	a.clusters, a.graph, a.edgeScores = clusters, graph, scores
	a.clusterOf = slices.Repeat([]int{-1}, n)
	for z, members := range clusters {
		for _, i := range members {
			if i < 0 || i >= n {
				return fmt.Errorf("cluster %d has client %d, but the clients are 0 to %d", z, i, n-1)
			}
			if a.clusterOf[i] >= 0 {
				return fmt.Errorf("client %d is in two clusters, %d and %d", i, a.clusterOf[i], z)
			}
			a.clusterOf[i] = z
		}
	}
	if len(graph) != len(clusters) || len(scores) != len(clusters) {
		return fmt.Errorf("the CC-graph has %d clusters and scores for %d, but there are %d clusters", len(graph), len(scores), len(clusters))
	}
	a.learners = make([][]edge, len(clusters))
	for j, sources := range graph {
		h := scores[j]
		if len(h) != len(sources) {
			return fmt.Errorf("cluster %d has %d sources in the CC-graph, but %d scores", j, len(sources), len(h))
		}
		switch {
		case len(clusters[j]) == 0: // the cluster is dissolved
		case a.Variant == DaggerVariant:
			sources, h = []int{j}, []float64{1}
		case a.OwnSource:
			own := 1.
			if len(h) > 0 {
				own = stat.Mean(h, nil)
			}
			sources, h = append(slices.Clone(sources), j), append(slices.Clone(h), own)
		}
		for k, z := range sources {
			if z < 0 || z >= len(clusters) {
				return fmt.Errorf("cluster %d learns from cluster %d, but the clusters are 0 to %d", j, z, len(clusters)-1)
			}
			a.learners[z] = append(a.learners[z], edge{j, h[k]})
		}
	}
	return nil
}

// edgeScores returns the H of the edges of a CC-graph, in the order of the graph's sources. h is H, [Z, Z].
func edgeScores(h *mat.Dense, graph [][]int) [][]float64 {
	scores := make([][]float64, len(graph))
	for p, sources := range graph {
		scores[p] = make([]float64, len(sources))
		for k, q := range sources {
			scores[p][k] = h.At(p, q)
		}
	}
	return scores
}
