package groups

import (
	"math"
	"math/bits"

	"feddag/internal/parallel"
)

// plainParameters are the values of the parameter of the plain code that are tried: 15 values from 0.05 to 200, evenly spaced in
// their logarithms.
var plainParameters = func() (a [15]float64) {
	for k := range a {
		a[k] = 0.05 * math.Pow(200/0.05, float64(k)/14)
	}
	return a
}()

// plainClusters finds clusters of clients by the plain code, in which all classes of all clusters have the same parameter a. The
// code of a cluster k with s classes and n_k of N clients has the length
//
//	C ln 2 - n_k ln(n_k / N) - sum_i [ lnΓ(s a) - lnΓ(n_i + s a) + sum_{c held by i} lnΓ(n_ic + a) - lnΓ(a) ]
//
// and a itself costs 1/2 ln N. The last sum does not depend on the clusters. So the cost of a client depends on its cluster only
// through s, and a merge takes only a few additions. Initially, the clients with the same set of classes are a cluster. Then, as
// in [freeClusters], the best merge is applied until one cluster is left. The result is that of the a with the shortest code.
func plainClusters(counts [][]float64, clients int) labelAnswer {
	leaf, sets := supports(counts)
	all := make([]*plainMerges, len(plainParameters))
	parallel.For(len(all), func(k int) {
		m := newPlainMerges(counts, clients, leaf, sets, plainParameters[k])
		for m.left > 1 {
			m.keep()
			m.mergeBest()
		}
		all[k] = m
	})
	answer := labelAnswer{several: math.Inf(1), one: math.Inf(1)}
	var names []int
	for k, m := range all {
		answer.one = min(answer.one, m.total)
		if m.best < answer.several {
			answer.several, answer.a, names = m.best, plainParameters[k], m.found
		}
	}
	if names != nil {
		labels := make([]int, len(counts))
		for i, l := range leaf {
			labels[i] = names[l]
		}
		answer.found = byLabel(labels)
	}
	return answer
}

// plainLength returns the length of the plain code of a cluster, without the cost of a.
func plainLength(rows [][]float64, clients int, a float64) float64 {
	s, likelihood := 0., 0.
	for _, h := range classesHeld(rows) {
		if h {
			s++
		}
	}
	start, _ := math.Lgamma(a)
	s = max(s, 1)
	empty, _ := math.Lgamma(s * a)
	for _, x := range rows {
		g, _ := math.Lgamma(sumOf(x) + s*a)
		likelihood += empty - g
		for _, n := range x {
			if n > 0 {
				g, _ := math.Lgamma(n + a)
				likelihood += g - start
			}
		}
	}
	n := float64(len(rows))
	return float64(len(rows[0]))*math.Ln2 - likelihood - n*math.Log(n/float64(clients))
}

// supports returns, for each client, the number of its set of classes, and the sets as bits, ordered by their first clients.
func supports(counts [][]float64) (leaf []int, sets [][]uint64) {
	number := map[string]int{}
	leaf = make([]int, len(counts))
	for i, x := range counts {
		set, key := make([]uint64, (len(x)+63)/64), make([]byte, len(x))
		for c, n := range x {
			if n > 0 {
				set[c/64] |= 1 << (c % 64)
				key[c] = 1
			}
		}
		l, ok := number[string(key)]
		if !ok {
			l = len(sets)
			number[string(key)], sets = l, append(sets, set)
		}
		leaf[i] = l
	}
	return leaf, sets
}

// plainMerges is the state of the merges of label clusters with one parameter.
type plainMerges struct {
	clients, classes int
	left             int        // number of clusters that are left
	sets             [][]uint64 // classes of each cluster as bits; nil once merged
	members          []float64
	likelihood       [][]float64 // sum_i lnΓ(s a) - lnΓ(n_i + s a), for s = 0 (as 1) .. C
	own              []float64   // length of the code of each cluster
	nearest          []int       // for each cluster, the cluster with which its merge costs least, -1 for none
	least            []float64   // cost of this merge
	name             []int       // for each initial set, the cluster that contains it
	total            float64     // length of the code
	best             float64     // length of the shortest code with several clusters
	found            []int       // value of name for this code
}

func newPlainMerges(counts [][]float64, clients int, leaf []int, sets [][]uint64, a float64) *plainMerges {
	k, classes := len(sets), len(counts[0])
	m := &plainMerges{clients: clients, classes: classes, left: k, sets: make([][]uint64, k), members: make([]float64, k),
		likelihood: make([][]float64, k), own: make([]float64, k), nearest: make([]int, k), least: make([]float64, k), name: sequence(k),
		total: math.Log(float64(len(counts))) / 2, best: math.Inf(1)}
	for z := range sets {
		m.sets[z] = append([]uint64(nil), sets[z]...)
		m.likelihood[z] = make([]float64, classes+1)
	}
	start, _ := math.Lgamma(a)
	empty := make([]float64, classes+1)
	for s := range empty {
		empty[s], _ = math.Lgamma(float64(max(s, 1)) * a)
	}
	for i, x := range counts {
		n := sumOf(x)
		m.members[leaf[i]]++
		for s := range empty {
			g, _ := math.Lgamma(n + float64(max(s, 1))*a)
			m.likelihood[leaf[i]][s] += empty[s] - g
		}
		for _, n := range x {
			if n > 0 {
				g, _ := math.Lgamma(n + a)
				m.total -= g - start
			}
		}
	}
	for z := range sets {
		m.own[z] = m.cost(z, z)
		m.total += m.own[z]
	}
	for z := range sets {
		m.findNearest(z)
	}
	return m
}

// cost returns the length of the code of the union of two clusters, or of one cluster if x = y.
func (m *plainMerges) cost(x, y int) float64 {
	held := 0
	for w, s := range m.sets[x] {
		held += bits.OnesCount64(s | m.sets[y][w])
	}
	n, likelihood := m.members[x], m.likelihood[x][held]
	if x != y {
		n, likelihood = n+m.members[y], likelihood+m.likelihood[y][held]
	}
	return float64(m.classes)*math.Ln2 - likelihood - n*math.Log(n/float64(m.clients))
}

// gain returns the change of the code's length by the merge of two clusters. It does not depend on their order.
func (m *plainMerges) gain(x, y int) float64 {
	x, y = min(x, y), max(x, y)
	return m.cost(x, y) - m.own[x] - m.own[y]
}

// findNearest sets nearest and least of a cluster.
func (m *plainMerges) findNearest(z int) {
	m.nearest[z], m.least[z] = -1, math.Inf(1)
	for y := range m.sets {
		if y != z && m.sets[y] != nil {
			if g := m.gain(z, y); g < m.least[z] {
				m.nearest[z], m.least[z] = y, g
			}
		}
	}
}

// keep records the clustering if its code is the shortest so far.
func (m *plainMerges) keep() {
	if m.total <= m.best {
		m.best, m.found = m.total, append([]int(nil), m.name...)
	}
}

// mergeBest does the merge that lengthens the code least.
func (m *plainMerges) mergeBest() {
	x := -1
	for z := range m.sets {
		if m.sets[z] != nil && m.nearest[z] >= 0 && (x < 0 || m.least[z] < m.least[x]) {
			x = z
		}
	}
	y := m.nearest[x]
	m.total += m.least[x]
	for s, l := range m.likelihood[y] {
		m.likelihood[x][s] += l
	}
	for w, s := range m.sets[y] {
		m.sets[x][w] |= s
	}
	m.members[x] += m.members[y]
	m.sets[y], m.likelihood[y] = nil, nil
	m.own[x] = m.cost(x, x)
	for z, n := range m.name {
		if n == y {
			m.name[z] = x
		}
	}
	m.left--
	m.findNearest(x)
	for z := range m.sets {
		if m.sets[z] == nil || z == x {
			continue
		}
		if m.nearest[z] == x || m.nearest[z] == y {
			m.findNearest(z)
		} else if g := m.gain(z, x); g < m.least[z] || g == m.least[z] && x < m.nearest[z] {
			m.nearest[z], m.least[z] = x, g
		}
	}
}
