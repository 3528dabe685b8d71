// Package agreement compares clusterings of the same clients with each other: the adjusted Rand index, normalised mutual
// information, purity and the Jaccard index of a cluster.
package agreement

import (
	"fmt"
	"math"
	"slices"
)

// Labels returns the cluster number of each of n clients, -1 for a client in no cluster.
func Labels(clusters [][]int, n int) []int {
	labels := make([]int, n)
	for i := range labels {
		labels[i] = -1
	}
	for z, members := range clusters {
		for _, i := range members {
			if i >= 0 && i < n {
				labels[i] = z
			}
		}
	}
	return labels
}

// contingency counts the pairs of labels: cells[x][y] clients have label x in a and label y in b. rows and columns are the
// sums of the cells.
func contingency(a, b []int) (cells map[[2]int]int, rows, columns map[int]int, err error) {
	if len(a) != len(b) || len(a) == 0 {
		return nil, nil, nil, fmt.Errorf("comparing clusterings of %d and %d clients: the numbers must be equal and at least 1", len(a), len(b))
	}
	cells, rows, columns = map[[2]int]int{}, map[int]int{}, map[int]int{}
	for i := range a {
		cells[[2]int{a[i], b[i]}]++
		rows[a[i]]++
		columns[b[i]]++
	}
	return cells, rows, columns, nil
}

// AdjustedRandIndex returns the adjusted Rand index of two labellings of the same n clients. It is 1 for the same partition
// under any labels, about 0 for unrelated partitions, and 1 if both have one cluster or both have n clusters. It returns an
// error if the lengths differ or are 0.
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

// NormalisedMutualInformation returns I(a;b) / ((H(a)+H(b))/2), 0..1. It is 1 for the same partition, even if both have only
// one cluster. It returns an error if the lengths differ or are 0.
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

// Purity returns the share of clients whose true label is the most frequent one in their cluster, 0..1. It returns an error
// if the lengths differ or are 0.
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

// Jaccard returns the largest |A ∩ B| / |A ∪ B| of a cluster A, given by its members, and any cluster B of a partition.
func Jaccard(members []int, clusters [][]int, labels []int) (best float64) {
	both := make([]int, len(clusters))
	for _, i := range members {
		both[labels[i]]++
	}
	for z, n := range both {
		best = max(best, float64(n)/float64(len(members)+len(clusters[z])-n))
	}
	return best
}

// sumSorted returns the sum of f over a map's values, from the smallest value to the largest, so that the sum does not depend
// on the order of the map.
func sumSorted[K comparable, V any](m map[K]V, f func(K, V) float64) (total float64) {
	values := make([]float64, 0, len(m))
	for k, v := range m {
		values = append(values, f(k, v))
	}
	slices.Sort(values)
	for _, x := range values {
		total += x
	}
	return total
}
