package similarity

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// Loss returns the paper's loss of a partition of the N rows of A into Z clusters (eq. 9, 10), and its two terms:
//
//	L1 = Σ_z 1/|C_z|^2 Σ_{i,j in C_z} A_ij
//	L2 = 1/Z Σ_z exp( max(0, N/Z - γ σ - |C_z|) / τ ),  σ the population standard deviation of the sizes
//	L  = L1 + λ L2
//
// It returns an error if the clusters are not a partition of 0..N-1.
func Loss(a *mat.SymDense, clusters [][]int, o Options) (loss, l1, l2 float64, err error) {
	n := a.SymmetricDim()
	if err := checkPartition(clusters, n); err != nil {
		return 0, 0, 0, fmt.Errorf("loss: %w", err)
	}
	loss, l1, l2 = lossOf(scoreAll(a, [][][]int{clusters}, nil)[0], o)
	return loss, l1, l2, nil
}

func lossOf(s *scored, o Options) (loss, l1, l2 float64) {
	clusters := s.clusters
	mean := float64(len(s.labels)) / float64(len(clusters))
	variance := 0.0
	for _, members := range clusters {
		size := float64(len(members))
		variance += (size - mean) * (size - mean) / float64(len(clusters))
		for _, i := range members {
			l1 += s.within[i] / (size * size)
		}
	}
	for _, members := range clusters {
		l2 += math.Exp(max(0, mean-o.Gamma*math.Sqrt(variance)-float64(len(members)))/o.Tau) / float64(len(clusters))
	}
	l2 = min(l2, math.MaxFloat64) // a small τ overflows
	return min(l1+o.Lambda*l2, math.MaxFloat64), l1, l2
}
