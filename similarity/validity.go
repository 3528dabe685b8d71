package similarity

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Silhouette returns the mean silhouette (-1..1) of a partition of A's N rows into Z clusters. Of client i, with a the
// mean A_ij to the others of its cluster and b the least mean A_ij to another cluster, it is (b-a)/max(a, b); 0 for a
// client alone in its cluster, and where a = b = 0. It is 0 for Z = 1.
func Silhouette(a *mat.SymDense, clusters [][]int) (float64, error) {
	if err := checkPartition(clusters, a.SymmetricDim()); err != nil {
		return 0, fmt.Errorf("silhouette: %w", err)
	}
	mean, _ := scoreAll(a, [][][]int{clusters}, nil)[0].means()
	return mean, nil
}
