package groups

import (
	"cmp"
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
//
// Before, groups that the test does not tell apart are united as a whole, unless the parts have a code that is shorter by
// ln(1/alpha), see [labelClusters].
func (f *finder) uniteStrays(groups []group, counts [][]float64, code labelCode) []group {
	groups = f.uniteComponents(groups, counts, code)
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

// uniteComponents unites components of groups, see [finder.uniteStrays]. The most alike pair whose union the test does not reject
// comes first, whatever it costs in labels, and again, until each union is rejected. Then the label code judges each component.
func (f *finder) uniteComponents(groups []group, counts [][]float64, code labelCode) []group {
	type component struct {
		parts, who []int
		holds      []bool
		centre     *table
	}
	var all []component
	for k, g := range groups {
		all = append(all, component{[]int{k}, g.who, classesHeld(pickRows(counts, g.who)), f.white.pick(g.who).centre()})
	}
	rejected := map[[2]int]bool{} // by the first clients of two components and their numbers of clients
	for united := true; united; {
		united = false
		type pair struct {
			a, b   int
			unlike float64
		}
		var pairs []pair
		for a := range all {
			for b := range a {
				if overlap(all[a].holds, all[b].holds) && groups[all[a].parts[0]].label != groups[all[b].parts[0]].label {
					pairs = append(pairs, pair{a, b, unlike(all[a].centre, all[b].centre)})
				}
			}
		}
		slices.SortStableFunc(pairs, func(x, y pair) int { return cmp.Compare(x.unlike, y.unlike) })
		for _, p := range pairs {
			x, y := all[p.b], all[p.a]
			key := [2]int{len(x.who)<<32 | x.who[0], len(y.who)<<32 | y.who[0]}
			if rejected[key] {
				continue
			}
			who := slices.Concat(x.who, y.who)
			if rejected[key] = f.rejects(who).view != ""; rejected[key] {
				continue
			}
			all[p.b] = component{slices.Concat(x.parts, y.parts), who, classesHeld(pickRows(counts, who)), f.white.pick(who).centre()}
			all = slices.Delete(all, p.a, p.a+1)
			united = true
			break
		}
	}
	var out []group
	for _, c := range all {
		apart := 0.
		for _, k := range c.parts {
			apart += code.length(pickRows(counts, groups[k].who))
		}
		if len(c.parts) > 1 && code.length(pickRows(counts, c.who)) < apart+math.Log(1/f.alpha) {
			out = append(out, group{mostLabel(groups, c.who), c.who})
			continue
		}
		for _, k := range c.parts {
			out = append(out, groups[k])
		}
	}
	return out
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
