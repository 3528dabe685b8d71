package groups

import (
	"math"
	"slices"
)

// labelCode computes the length of the code of clusters of label distributions.
type labelCode struct {
	clients int
	plain   float64 // parameter of the plain code, 0 if it is not used
}

// length returns the length of the shortest code of a cluster.
func (l labelCode) length(rows [][]float64) float64 {
	length := min(countLabels(rows).codeLength(l.clients), quotaLength(rows, l.clients))
	if l.plain > 0 {
		length = min(length, plainLength(rows, l.clients, l.plain))
	}
	return length
}

// labelClusters returns the clusters of the label distributions of a group (step 3). counts holds the class counts of the group's
// clients, each with at least one image. clients is the number of all clients. Of the clusterings that [freeClusters] and
// [plainClusters] find, labelClusters uses the one with the shorter code, if this code is shorter by ln(1/alpha) than the
// shortest code of one cluster, which may be free, plain or with a quota: a code is shorter by d nats by chance with probability
// at most exp(-d). Finally, clusters that a quota explains are united.
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

// labelAnswer is the result of the search with one of the codes.
type labelAnswer struct {
	several float64 // length of the code of the best clustering of several clusters, +Inf if there is none
	found   [][]int // this clustering
	one     float64 // length of the code of one cluster
	a       float64 // parameter of the plain code
}

// uniteQuotas unites label clusters that a quota explains. It repeatedly unites the pair whose union shortens the code most,
// until no union shortens it.
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

// byLabel returns the clusters of a list of labels, ordered by their first members. Members are ascending.
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

// sorted returns the clusters that are not empty, ordered by their first members. Members are ascending.
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
