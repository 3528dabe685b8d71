package groups

import (
	"math"
	"slices"
)

// group is a group of clients, and the label cluster from which it comes.
type group struct {
	label int
	who   []int
}

// uniteStrays unites groups from different label clusters (step 4). The label code did not know which clients see the same images
// under the same names. Among those that do, the labels may be one distribution, or a quota may explain them. So label clusters
// are sought once more, with the groups as leaves. Of the pairs of groups that hold a class in common and whose union the test does
// not reject, the pair whose union shortens the label code most is united, and again, until no pair is left. Unions that
// lengthen the code are made too where the quota code is the shortest one, because its constants are paid once for all parts. The
// groups with the shortest code on the way are the answer. A united group counts to the label cluster of most of its clients.
func (f *finder) uniteStrays(groups []group, counts [][]float64, code labelCode) []group {
	p := &labelPath{counts: counts, code: code.length}
	label := map[int]int{} // label cluster by the first member of a group
	for _, g := range groups {
		p.clusters = append(p.clusters, g.who)
		label[g.who[0]] = g.label
	}
	p.begin()
	type pair struct{ a, b int } // first members
	rejected := map[pair]bool{}
	may := func(a, b int) bool {
		g, h := p.clusters[a], p.clusters[b]
		if label[g[0]] == label[h[0]] || !overlap(p.holds[a], p.holds[b]) {
			return false
		}
		key := pair{g[0], h[0]}
		no, known := rejected[key]
		if !known {
			no = f.rejects(slices.Concat(g, h)).view != ""
			rejected[key] = no
		}
		return !no
	}
	least, best := 0., slices.Clone(p.clusters)
	for total := 0.; ; {
		change, a, b := p.cheapest(may)
		if math.IsInf(change, 1) {
			break
		}
		g, h := p.clusters[a], p.clusters[b]
		for key := range rejected {
			if key.a == g[0] || key.b == g[0] || key.a == h[0] || key.b == h[0] {
				delete(rejected, key)
			}
		}
		if len(h) > len(g) {
			label[g[0]] = label[h[0]]
		}
		p.unite(a, b)
		if total += change; total < least {
			least, best = total, slices.Clone(p.clusters)
		}
	}
	var united []group
	for _, who := range best {
		united = append(united, group{mostLabel(groups, who), who})
	}
	return united
}

// mostLabel returns the label cluster from which most of some clients come.
func mostLabel(groups []group, who []int) int {
	in := map[int]bool{}
	for _, i := range who {
		in[i] = true
	}
	votes := map[int]int{}
	most := -1
	for _, g := range groups {
		for _, i := range g.who {
			if in[i] {
				votes[g.label]++
			}
		}
	}
	for l, n := range votes {
		if most < 0 || n > votes[most] || n == votes[most] && l < most {
			most = l
		}
	}
	return most
}
