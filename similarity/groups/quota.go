package groups

import "slices"

// quotaShare is the share of pairs of clients in which the one that lacks classes holds more images of the others.
const quotaShare = 0.98

// uniteQuotas unites label clusters that a quota explains. Where the classes are dealt out one after the other and a client that
// has its fair share gets nothing more, which classes a client lacks follows from how many images it has of the others, and not
// from a group. So cluster a is united with cluster b if
//
//   - a's classes H are some of b's;
//   - of the pairs of a client in a and a client in b, the former holds more images of H in 98%, ties counting half;
//   - within H, both together have a shorter code than apart.
//
// counts holds the class counts of each client.
func uniteQuotas(counts [][]float64, clusters [][]int) [][]int {
	n := len(counts)
	label := sequence(len(clusters)) // of each cluster, the first that it is united with
	holds := make([][]bool, len(clusters))
	for z, who := range clusters {
		holds[z] = make([]bool, len(counts[0]))
		for _, i := range who {
			for c, x := range counts[i] {
				holds[z][c] = holds[z][c] || x > 0
			}
		}
	}
	for a := range clusters {
		for b := range clusters {
			if a == b || !properSubset(holds[a], holds[b]) {
				continue
			}
			few, many := within(counts, clusters[a], holds[a]), within(counts, clusters[b], holds[a])
			if sharePairsAbove(few, many) < quotaShare {
				continue
			}
			one, two := countLabels(few), countLabels(many)
			if one.join(two).codeLength(n) > one.codeLength(n)+two.codeLength(n) {
				continue
			}
			from, to := max(label[a], label[b]), min(label[a], label[b])
			for z := range label {
				if label[z] == from {
					label[z] = to
				}
			}
		}
	}
	united := make([][]int, len(clusters))
	for z, who := range clusters {
		united[label[z]] = append(united[label[z]], who...)
	}
	return sorted(united)
}

// properSubset reports whether b holds all classes of a, and more.
func properSubset(a, b []bool) bool {
	more := false
	for c := range a {
		if a[c] && !b[c] {
			return false
		}
		more = more || b[c] && !a[c]
	}
	return more
}

// within returns the counts of some clients in some of the classes.
func within(counts [][]float64, who []int, classes []bool) [][]float64 {
	rows := make([][]float64, len(who))
	for k, i := range who {
		for c, x := range counts[i] {
			if classes[c] {
				rows[k] = append(rows[k], x)
			}
		}
	}
	return rows
}

// sharePairsAbove returns the share of the pairs of a row of a and a row of b in which the former has the larger sum; ties count
// half.
func sharePairsAbove(a, b [][]float64) float64 {
	sums := make([]float64, len(b))
	for i, row := range b {
		sums[i] = sumOf(row)
	}
	slices.Sort(sums)
	above := 0.
	for _, row := range a {
		s := sumOf(row)
		below, _ := slices.BinarySearch(sums, s)
		upTo, _ := slices.BinarySearchFunc(sums, s, func(x, s float64) int {
			if x <= s {
				return -1
			}
			return 1
		})
		above += float64(below+upTo) / 2
	}
	return above / float64(len(a)*len(b))
}
