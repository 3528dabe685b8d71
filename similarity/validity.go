package similarity

import (
	"fmt"
	"math"

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

// contingency counts the pairs of labels: cells[x][y] clients have label x in a and y in b; rows and columns are sums.
func contingency(a, b []int) (cells map[[2]int]int, rows, columns map[int]int, err error) {
	if len(a) != len(b) || len(a) == 0 {
		return nil, nil, nil, fmt.Errorf("comparing clusterings of %d and %d clients: need the same number, at least 1", len(a), len(b))
	}
	cells, rows, columns = map[[2]int]int{}, map[int]int{}, map[int]int{}
	for i := range a {
		cells[[2]int{a[i], b[i]}]++
		rows[a[i]]++
		columns[b[i]]++
	}
	return cells, rows, columns, nil
}

// AdjustedRandIndex returns the adjusted Rand index of two labellings of the same n clients: 1 for the same partition
// under any names, about 0 for unrelated ones, and 1 where both have one cluster or both n. It is an error where the
// lengths differ or are 0.
func AdjustedRandIndex(a, b []int) (float64, error) {
	cells, rows, columns, err := contingency(a, b)
	if err != nil {
		return 0, err
	}
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	var both, inA, inB float64 // whole numbers: exact in any order
	for _, n := range cells {
		both += pairs(n)
	}
	for _, n := range rows {
		inA += pairs(n)
	}
	for _, n := range columns {
		inB += pairs(n)
	}
	if inA == both && inB == both { // the same partition
		return 1, nil
	}
	expected := inA * inB / pairs(len(a))
	return (both - expected) / ((inA+inB)/2 - expected), nil
}

// NormalisedMutualInformation returns I(a;b) / ((H(a)+H(b))/2), 0..1: 1 for the same partition, also where both have
// one cluster. It is an error where the lengths differ or are 0.
func NormalisedMutualInformation(a, b []int) (float64, error) {
	cells, rows, columns, err := contingency(a, b)
	if err != nil {
		return 0, err
	}
	if len(rows) == 1 && len(columns) == 1 {
		return 1, nil
	}
	n := float64(len(a))
	mutual := sumSorted(cells, func(key [2]int, count int) float64 {
		p := float64(count) / n
		return p * math.Log(p*n*n/float64(rows[key[0]])/float64(columns[key[1]]))
	})
	h := func(_ int, count int) float64 { return -float64(count) / n * math.Log(float64(count)/n) }
	return min(1, max(0, mutual/((sumSorted(rows, h)+sumSorted(columns, h))/2))), nil
}

// Purity returns the share of clients whose true label is the commonest of their cluster's, 0..1. It is an error where
// the lengths differ or are 0.
func Purity(clusters, truth []int) (float64, error) {
	cells, _, _, err := contingency(clusters, truth)
	if err != nil {
		return 0, err
	}
	commonest := map[int]int{}
	for key, count := range cells {
		commonest[key[0]] = max(commonest[key[0]], count)
	}
	total := 0
	for _, count := range commonest {
		total += count
	}
	return float64(total) / float64(len(truth)), nil
}
