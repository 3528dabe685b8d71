package groups

import (
	"math"
	"slices"
	"sort"
)

// polish lets the groups of one label cluster exchange clients, and merges them (step 2). It looks at the most similar pairs, as
// many as there are groups. If the union of a pair is not rejected, the pair is merged and polish starts again. Otherwise the
// clients of the union are divided again, starting from the two groups. A division that leaves a group empty is not used.
func (f *finder) polish(groups [][]int) [][]int {
	type pair struct {
		i, j   int
		unlike float64
	}
	groups = slices.Clone(groups)
	for merged := true; merged && len(groups) > 1; {
		merged = false
		centre := make([]*table, len(groups))
		for k, g := range groups {
			centre[k] = f.white.pick(g).centre()
		}
		var pairs []pair
		for i := range groups {
			for j := range i {
				pairs = append(pairs, pair{i, j, unlike(centre[i], centre[j])})
			}
		}
		sort.SliceStable(pairs, func(a, b int) bool { return pairs[a].unlike < pairs[b].unlike })
		for _, p := range pairs[:min(len(groups), len(pairs))] {
			both := slices.Concat(groups[p.i], groups[p.j])
			r := f.rejects(both)
			if r.view == "" {
				groups = slices.Delete(groups, p.i, p.i+1) // p.j < p.i
				groups = append(slices.Delete(groups, p.j, p.j+1), both)
				merged = true
				break
			}
			label := make([]int, len(both))
			for k := range both {
				if k >= len(groups[p.i]) {
					label[k] = 1
				}
			}
			label, _ = split(f.white.pick(both), r.view, label)
			var sides [2][]int
			for k, i := range both {
				sides[label[k]] = append(sides[label[k]], i)
			}
			if len(sides[0]) > 0 && len(sides[1]) > 0 {
				groups[p.i], groups[p.j] = sides[0], sides[1]
			}
		}
	}
	return groups
}

// unlike returns the dissimilarity of two groups: the likelihood ratio of their merge in standard deviations of its chi-square,
//
//	( sum_c h_c |mu_1c - mu_2c|^2 - F ) / sqrt(2 F),    h_c = w_1c w_2c / (w_1c + w_2c),   F = d * number of classes that both hold
func unlike(a, b *table) float64 {
	ratio, classes := 0., 0.
	for c, v := range a.weights(0) {
		if w := b.weight(0, c); v > 0 && w > 0 {
			ratio += v * w / (v + w) * squareDistance(a.mean(0, c), b.mean(0, c))
			classes++
		}
	}
	free := max(classes*float64(a.d), 1)
	return (ratio - free) / math.Sqrt(2*free)
}
