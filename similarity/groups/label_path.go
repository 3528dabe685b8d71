package groups

import (
	"math"
	"slices"

	"feddag/internal/parallel"
)

// overlap reports whether two clusters have a class in common.
func overlap(a, b []bool) bool {
	for c := range a {
		if a[c] && b[c] {
			return true
		}
	}
	return false
}

// labelPath unites clusters pair by pair and records the change of the length of their label code.
type labelPath struct {
	counts   [][]float64 // class counts of the clients of one group
	clusters [][]int
	code     func(rows [][]float64) float64 // length of the code of a cluster

	own    []float64   // length of the code of each cluster
	holds  [][]bool    // the classes of each cluster
	change [][]float64 // change of the code's length by the union of a and b < a, +Inf if they must not be united
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

// price returns the change of the code's length by the union of two clusters, or +Inf if they have no class in common.
func (p *labelPath) price(a, b int) float64 {
	if !overlap(p.holds[a], p.holds[b]) {
		return math.Inf(1)
	}
	return p.code(pickRows(p.counts, slices.Concat(p.clusters[b], p.clusters[a]))) - p.own[a] - p.own[b]
}

// cheapest returns the pair b < a whose union lengthens the code least, and the change of its length, which is +Inf if no pair
// may be united.
func (p *labelPath) cheapest() (change float64, a, b int) {
	change = math.Inf(1)
	for i := range p.clusters {
		for j, x := range p.change[i] {
			if x < change {
				change, a, b = x, i, j
			}
		}
	}
	return change, a, b
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
