package groups

import (
	"math"
	"slices"
	"sort"

	"feddag/internal/parallel"
)

// overlap reports whether two clusters hold a class in common.
func overlap(a, b []bool) bool {
	for c := range a {
		if a[c] && b[c] {
			return true
		}
	}
	return false
}

// labelPath unites clusters pair by pair and knows how that changes the length of their label code.
type labelPath struct {
	counts   [][]float64 // of all clients
	clusters [][]int
	code     func(rows [][]float64) float64 // length of the code of a cluster

	own    []float64   // length of the code of each cluster
	holds  [][]bool    // the classes of each cluster
	change [][]float64 // of the code by the union of a and b < a, +Inf if they must not be united
}

// begin computes the codes of the clusters and of the unions of all pairs.
func (p *labelPath) begin() {
	n := len(p.clusters)
	p.own, p.holds, p.change = make([]float64, n), make([][]bool, n), make([][]float64, n)
	parallel.For(n, func(a int) {
		rows := pickRows(p.counts, p.clusters[a])
		p.own[a], p.holds[a], p.change[a] = p.code(rows), classesHeld(rows), make([]float64, a)
	})
	parallel.For(n*n, func(k int) {
		if a, b := k/n, k%n; b < a {
			p.change[a][b] = p.price(a, b)
		}
	})
}

// price returns how much the union of two clusters lengthens the code, and +Inf if they hold no class in common, or if the union
// lengthens the code and the quota code is not the shortest one of the union.
func (p *labelPath) price(a, b int) float64 {
	if !overlap(p.holds[a], p.holds[b]) {
		return math.Inf(1)
	}
	rows := pickRows(p.counts, slices.Concat(p.clusters[b], p.clusters[a]))
	length := p.code(rows)
	change := length - p.own[a] - p.own[b]
	if change > 0 && length < quotaLength(rows, len(p.counts)) {
		return math.Inf(1)
	}
	return change
}

// cheapest returns the pair b < a that may be united and lengthens the code least, and by how much; +Inf if there is none.
func (p *labelPath) cheapest(may func(a, b int) bool) (change float64, a, b int) {
	var pairs [][2]int
	for a := range p.clusters {
		for b := range a {
			if !math.IsInf(p.change[a][b], 1) {
				pairs = append(pairs, [2]int{a, b})
			}
		}
	}
	sort.SliceStable(pairs, func(i, j int) bool {
		return p.change[pairs[i][0]][pairs[i][1]] < p.change[pairs[j][0]][pairs[j][1]]
	})
	for _, x := range pairs {
		if may(x[0], x[1]) {
			return p.change[x[0]][x[1]], x[0], x[1]
		}
	}
	return math.Inf(1), 0, 0
}

// unite unites clusters a and b < a.
func (p *labelPath) unite(a, b int) {
	p.own[b] += p.own[a] + p.change[a][b]
	p.clusters[b] = slices.Concat(p.clusters[b], p.clusters[a])
	p.holds[b] = classesHeld(pickRows(p.counts, p.clusters[b]))
	p.clusters, p.own = slices.Delete(p.clusters, a, a+1), slices.Delete(p.own, a, a+1)
	p.holds, p.change = slices.Delete(p.holds, a, a+1), slices.Delete(p.change, a, a+1)
	for k := a; k < len(p.change); k++ {
		p.change[k] = slices.Delete(p.change[k], a, a+1)
	}
	parallel.For(len(p.clusters), func(k int) {
		if k != b {
			p.change[max(k, b)][min(k, b)] = p.price(max(k, b), min(k, b))
		}
	})
}

// pickRows returns the counts of some clients.
func pickRows(counts [][]float64, who []int) [][]float64 {
	rows := make([][]float64, len(who))
	for k, i := range who {
		rows[k] = counts[i]
	}
	return rows
}

// classesHeld returns the classes that any of some clients holds.
func classesHeld(rows [][]float64) []bool {
	holds := make([]bool, len(rows[0]))
	for _, x := range rows {
		for c, n := range x {
			holds[c] = holds[c] || n > 0
		}
	}
	return holds
}
