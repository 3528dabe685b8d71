package similarity

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Silhouette returns the mean silhouette (-1..1) of a partition of the N rows of A into Z clusters. For client i, let a be
// the mean A_ij to the other members of its cluster, and b the smallest mean A_ij to another cluster. Its silhouette is
// (b-a)/max(a, b), or 0 if the client is alone in its cluster or a = b = 0. With Z = 1 the silhouette is 0.
func Silhouette(a *mat.SymDense, clusters [][]int) (float64, error) {
	if err := checkPartition(clusters, a.SymmetricDim()); err != nil {
		return 0, fmt.Errorf("silhouette: %w", err)
	}
	mean, _ := scoreAll(a, [][][]int{clusters}, nil)[0].means()
	return mean, nil
}
