package similarity

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"gonum.org/v1/gonum/mat"
)

// Merge joins two clusters of a dendrogram. Numbers below N are clients, and N+m is the result of merge m.
type Merge struct {
	A, B   int     // A < B
	Height float64 // linkage distance, in the units of the matrix
	Size   int     // number of clients in the new cluster
}

// Dendrogram has the N-1 merges of agglomerative clustering in ascending height, in the layout of scipy's linkage matrix.
type Dendrogram struct {
	N      int
	Merges []Merge
}

// Agglomerate clusters the rows of a (N x N, symmetric, finite, not negative; the diagonal is not read). It merges the two
// closest clusters until one is left. The distance from cluster k to the union of i and j is (Lance and Williams)
//
//	single    min(d_ik, d_jk)
//	complete  max(d_ik, d_jk)
//	average   (n_i d_ik + n_j d_jk) / (n_i + n_j)           UPGMA
//	weighted  (d_ik + d_jk) / 2                             WPGMA
//	ward      sqrt( ((n_i+n_k) d_ik^2 + (n_j+n_k) d_jk^2 - n_k d_ij^2) / (n_i+n_j+n_k) )
//
// by the nearest-neighbour chain, in O(N^2) time and with one copy of the N(N-1)/2 distances. Heights never decrease.
func Agglomerate(a *mat.SymDense, linkage string) (*Dendrogram, error) {
	return agglomerate(a, linkage, nil)
}

func agglomerate(a *mat.SymDense, linkage string, tell teller) (*Dendrogram, error) {
	n := a.SymmetricDim()
	if n == 0 {
		return nil, fmt.Errorf("linkage: empty matrix")
	}
	update, ok := lanceWilliams[linkage]
	if !ok {
		return nil, fmt.Errorf("linkage %q is unknown: use one of %v", linkage, LinkageNames)
	}
	d := make(condensed, 0, n*(n-1)/2)
	for i := range n {
		for k, x := range upper(a, i) {
			if !(x >= 0) || math.IsInf(x, 0) {
				return nil, fmt.Errorf("linkage: the distance between clients %d and %d is %g", i, i+1+k, x)
			}
			d = append(d, x)
		}
	}

	size := make([]int, n) // size of the cluster in slot i; 0 once it is merged into another
	for i := range size {
		size[i] = 1
	}
	merges := make([]Merge, 0, n-1) // with slots as A and B
	var chain []int
	for first := 0; len(merges) < n-1; {
		if len(merges)%1024 == 0 {
			if err := tell.tell(len(merges), n-1); err != nil {
				return nil, err
			}
		}
		if len(chain) == 0 {
			for size[first] == 0 {
				first++
			}
			chain = append(chain, first)
		}
		// Follow nearest neighbours until two clusters are the nearest neighbours of each other.
		var x, y int
		var least float64
		for {
			x = chain[len(chain)-1]
			least, y = math.Inf(1), -1
			if len(chain) > 1 { // prefer the previous cluster, so that a tie ends the chain
				y = chain[len(chain)-2]
				least = d.at(n, x, y)
			}
			for i := range n {
				if size[i] == 0 || i == x {
					continue
				}
				if dist := d.at(n, x, i); dist < least || y < 0 {
					least, y = dist, i
				}
			}
			if len(chain) > 1 && y == chain[len(chain)-2] {
				break
			}
			chain = append(chain, y)
		}
		chain = chain[:len(chain)-2]
		if x > y {
			x, y = y, x
		}
		nx, ny := size[x], size[y]
		merges = append(merges, Merge{A: x, B: y, Height: least})
		size[x], size[y] = 0, nx+ny
		for k := range n {
			if size[k] > 0 && k != y {
				p := d.index(n, k, y)
				d[p] = update(d.at(n, k, x), d[p], least, float64(nx), float64(ny), float64(size[k]))
			}
		}
	}
	return sortMerges(n, merges), nil
}

// lanceWilliams has the functions that return the distance from k to the union of x and y.
var lanceWilliams = map[string]func(xk, yk, xy, nx, ny, nk float64) float64{
	"single":   func(xk, yk, _, _, _, _ float64) float64 { return min(xk, yk) },
	"complete": func(xk, yk, _, _, _, _ float64) float64 { return max(xk, yk) },
	"average":  func(xk, yk, _, nx, ny, _ float64) float64 { return (nx*xk + ny*yk) / (nx + ny) },
	"weighted": func(xk, yk, _, _, _, _ float64) float64 { return (xk + yk) / 2 },
	"ward": func(xk, yk, xy, nx, ny, nk float64) float64 {
		return math.Sqrt(max(0, ((nx+nk)*xk*xk+(ny+nk)*yk*yk-nk*xy*xy)/(nx+ny+nk)))
	},
}

// sortMerges sorts the merges of a chain by height, and replaces their slots by the numbers of the clusters that are merged.
func sortMerges(n int, merges []Merge) *Dendrogram {
	sort.SliceStable(merges, func(i, j int) bool { return merges[i].Height < merges[j].Height })
	parent, size, name := make([]int, n), make([]int, n), make([]int, n)
	for i := range n {
		parent[i], size[i], name[i] = i, 1, i
	}
	for m, merge := range merges {
		a, b := root(parent, merge.A), root(parent, merge.B)
		size[a] += size[b]
		merges[m] = Merge{min(name[a], name[b]), max(name[a], name[b]), merge.Height, size[a]}
		parent[b], name[a] = a, n+m
	}
	return &Dendrogram{n, merges}
}

func root(parent []int, i int) int {
	for parent[i] != i {
		parent[i] = parent[parent[i]]
		i = parent[i]
	}
	return i
}

// condensed is the strict upper triangle of a symmetric matrix, row by row.
type condensed []float64

func (condensed) index(n, i, j int) int {
	if i > j {
		i, j = j, i
	}
	return i*(2*n-i-1)/2 + j - i - 1
}

func (d condensed) at(n, i, j int) float64 { return d[d.index(n, i, j)] }

// Cut returns the clusters after all merges of height <= alpha.
func (t *Dendrogram) Cut(alpha float64) [][]int {
	return t.After(sort.Search(len(t.Merges), func(m int) bool { return !(t.Merges[m].Height <= alpha) }))
}

// CutCount returns z clusters, with z limited to 1..N. Merges of equal height are applied in the order of the dendrogram.
func (t *Dendrogram) CutCount(z int) [][]int { return t.After(t.N - z) }

// After returns the clusters after the first m merges, with m limited to 0..N-1.
func (t *Dendrogram) After(m int) [][]int {
	m = min(max(m, 0), len(t.Merges))
	parent := make([]int, t.N+m)
	for i := range parent {
		parent[i] = i
	}
	for k, merge := range t.Merges[:m] {
		parent[merge.A], parent[merge.B] = t.N+k, t.N+k
	}
	labels := make([]int, t.N)
	for i := range labels {
		labels[i] = root(parent, i)
	}
	return groupByLabel(labels)
}

// Heights returns the heights of the merges, ascending.
func (t *Dendrogram) Heights() []float64 {
	h := make([]float64, len(t.Merges))
	for m, merge := range t.Merges {
		h[m] = merge.Height
	}
	return h
}

// groupByLabel turns labels of any values into clusters, in the order of their first members. Members are ascending.
func groupByLabel(labels []int) [][]int {
	var clusters [][]int
	number := map[int]int{}
	for i, label := range labels {
		z, ok := number[label]
		if !ok {
			z = len(clusters)
			number[label] = z
			clusters = append(clusters, nil)
		}
		clusters[z] = append(clusters[z], i)
	}
	return clusters
}

// checkPartition returns an error if a client of 0..n-1 is in no cluster or in two clusters, if a client is unknown, or if a
// cluster is empty.
func checkPartition(clusters [][]int, n int) error {
	seen := make([]bool, n)
	total := 0
	for z, members := range clusters {
		if len(members) == 0 {
			return fmt.Errorf("cluster %d is empty", z)
		}
		for _, i := range members {
			if i < 0 || i >= n {
				return fmt.Errorf("cluster %d has client %d, but the clients are 0..%d", z, i, n-1)
			}
			if seen[i] {
				return fmt.Errorf("client %d is in two clusters", i)
			}
			seen[i] = true
			total++
		}
	}
	if total < n {
		return fmt.Errorf("client %d is in no cluster", slices.Index(seen, false))
	}
	return nil
}
