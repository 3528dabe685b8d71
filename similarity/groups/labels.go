package groups

import (
	"math"
	"slices"
)

// labelCode prices clusters of label distributions.
type labelCode struct {
	clients int
	plain   float64 // the parameter of the plain code, 0 if it is not used
}

// length returns the length of the shortest code of a cluster.
func (l labelCode) length(rows [][]float64) float64 {
	length := min(countLabels(rows).codeLength(l.clients), quotaLength(rows, l.clients))
	if l.plain > 0 {
		length = min(length, plainLength(rows, l.clients, l.plain))
	}
	return length
}

// labelClusters returns the clusters of the label distributions of a group (step 3). counts holds the class counts of
// the group's clients, each with at least one image; clients is the number of clients in all. Of the clusterings that [freeClusters] and [plainClusters] find, the one with the
// shorter code is the answer, if it is shorter than the shortest code of one cluster, free, plain or with a quota, by ln(1/alpha): a
// code that is shorter by chance by d nats has at most the probability exp(-d). At last, clusters that a quota explains are united.
func labelClusters(counts [][]float64, clients, leaves int, alpha float64) [][]int {
	code := labelCode{clients: clients}
	free, plain := freeClusters(counts, clients, leaves), plainClusters(counts, clients)
	best := free
	if plain.several < free.several {
		best, code.plain = plain, plain.a
	}
	level := math.Log(1 / alpha)
	if best.several+level >= min(free.one, plain.one) || best.several+level >= quotaLength(counts, clients) {
		return [][]int{sequence(len(counts))}
	}
	return uniteQuotas(counts, best.found, code)
}

// labelAnswer is what one of the codes finds.
type labelAnswer struct {
	several float64 // length of the code of the best clustering of several clusters, +Inf if there is none
	found   [][]int // that clustering
	one     float64 // length of the code of one cluster
	a       float64 // the parameter of the plain code
}

// uniteQuotas unites label clusters that a quota explains: the pair whose union shortens the code most, and again, until none does.
func uniteQuotas(counts [][]float64, clusters [][]int, code labelCode) [][]int {
	p := &labelPath{counts: counts, clusters: slices.Clone(clusters), code: code.length}
	p.begin()
	for {
		change, a, b := p.cheapest()
		if !(change < 0) {
			return sorted(p.clusters)
		}
		p.unite(a, b)
	}
}

// byLabel returns the clusters of a list of labels, by their first member, members ascending.
func byLabel(labels []int) [][]int {
	var clusters [][]int
	number := map[int]int{}
	for i, l := range labels {
		z, ok := number[l]
		if !ok {
			z = len(clusters)
			number[l], clusters = z, append(clusters, nil)
		}
		clusters[z] = append(clusters[z], i)
	}
	return clusters
}

// sorted returns the clusters that are not empty, by their first member, members ascending.
func sorted(clusters [][]int) [][]int {
	var out [][]int
	for _, who := range clusters {
		if len(who) > 0 {
			who = slices.Clone(who)
			slices.Sort(who)
			out = append(out, who)
		}
	}
	slices.SortFunc(out, func(a, b []int) int { return a[0] - b[0] })
	return out
}
