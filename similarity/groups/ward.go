package groups

import (
	"math"
	"slices"
	"sort"
)

// ward clusters points by Ward's method and returns the cluster number of each. It applies the merges in ascending height until
// at most the given number of clusters is left, together with further merges of the same height. A merge of clusters with sizes a
// and b and means p and q has the height
//
//	sqrt(2 a b / (a + b)) |p - q|
//
// Nearest-neighbour chains find the merges in O(N^2) time and O(N) memory, because all distances follow from the clusters' means.
func ward(points [][]float64, clusters int) []int {
	n := len(points)
	mean, size := make([][]float64, n), make([]float64, n) // mean and size of the cluster in slot i; size 0 once it is merged
	for i, p := range points {
		mean[i], size[i] = slices.Clone(p), 1
	}
	square := func(i, j int) float64 {
		sum := 0.
		for f, x := range mean[i] {
			sum += (x - mean[j][f]) * (x - mean[j][f])
		}
		return 2 * size[i] * size[j] / (size[i] + size[j]) * sum
	}
	type merge struct {
		a, b   int
		height float64
	}
	var merges []merge
	var chain []int
	for first := 0; len(merges) < n-1; {
		if len(chain) == 0 {
			for size[first] == 0 {
				first++
			}
			chain = append(chain, first)
		}
		x := chain[len(chain)-1]
		nearest, least := -1, math.Inf(1)
		if len(chain) > 1 { // the previous cluster is tried first, so that a tie ends the chain
			nearest = chain[len(chain)-2]
			least = square(x, nearest)
		}
		for i := range n {
			if i != x && size[i] > 0 {
				if s := square(x, i); s < least || nearest < 0 {
					nearest, least = i, s
				}
			}
		}
		if len(chain) == 1 || nearest != chain[len(chain)-2] {
			chain = append(chain, nearest)
			continue
		}
		chain = chain[:len(chain)-2]
		a, b := min(x, nearest), max(x, nearest)
		merges = append(merges, merge{a, b, math.Sqrt(least)})
		for f := range mean[a] {
			mean[a][f] = (size[a]*mean[a][f] + size[b]*mean[b][f]) / (size[a] + size[b])
		}
		size[a], size[b] = size[a]+size[b], 0
	}
	sort.SliceStable(merges, func(i, j int) bool { return merges[i].height < merges[j].height })
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	root := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for m, merge := range merges {
		if m >= n-clusters && (m == 0 || merge.height > merges[m-1].height) {
			break
		}
		parent[root(merge.b)] = root(merge.a)
	}
	labels := make([]int, n)
	for i := range labels {
		labels[i] = root(i)
	}
	return labels
}
