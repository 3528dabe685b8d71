package partition

import (
	"container/heap"
	"fmt"
	"math"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// The kind lda (III) is latent Dirichlet allocation as in the non-IID benchmark (Li, Diao, Chen, He, ICDE 2022). Each class is
// divided among all clients by a Dirichlet draw, in which a client that already has its even share n/N of the samples gets no
// more (the balancing cap). In the end every client has at least MinSamples samples.
func init() {
	register(kind{
		name:    "lda",
		help:    "each class divided among all clients by Dirichlet",
		flags:   []string{flagConcentration, flagMinSamples},
		resolve: resolveLDA,
		assign:  assignLDA,
	})
}

func resolveLDA(s *data.Set, o Options) (Options, error) {
	if err := checkConcentration(o.Concentration); err != nil {
		return o, err
	}
	if o.MinSamples < 1 {
		return o, fmt.Errorf("--min-samples %d: must be at least 1", o.MinSamples)
	}
	if n := s.Train.Len(); o.MinSamples > n/o.Clients {
		return o, fmt.Errorf("--min-samples %d: the %d training samples of %s give %d clients at most %d each; lower --min-samples or --clients",
			o.MinSamples, n, s.Name, o.Clients, n/o.Clients)
	}
	return Options{Concentration: o.Concentration, MinSamples: o.MinSamples}, nil
}

// maxLDADraws is the largest number of draws of a partition. It is drawn again if a client has too few samples. The benchmark
// repeats the draws without a bound, which never ends for small concentrations or many clients.
const maxLDADraws = 20

func assignLDA(p *Partition, s *data.Set) error {
	byClass := classIndices(s.Train.Labels, s.Classes)
	var best [][]int
	most := -1
	for draw := range uint64(maxLDADraws) {
		counts := drawLDA(p, byClass, s.Train.Len(), draw)
		if least := slices.Min(rowSums(counts)); least > most {
			best, most = counts, least
		}
		if most >= p.Params.MinSamples {
			break
		}
	}
	raiseToMinimum(best, p.Params.MinSamples)
	for c, indices := range byClass {
		stream.New(p.Seed, "partition/lda/shuffle", uint64(c)).Shuffle(len(indices), func(i, j int) {
			indices[i], indices[j] = indices[j], indices[i]
		})
		for i := range p.Shards {
			p.Shards[i].Train = append(p.Shards[i].Train, indices[:best[i][c]]...)
			indices = indices[best[i][c]:]
		}
	}
	return nil
}

// drawLDA draws the number of samples of each class for each client, N x C.
func drawLDA(p *Partition, byClass [][]int32, n int, draw uint64) [][]int {
	clients := len(p.Shards)
	counts := make([][]int, clients)
	for i := range counts {
		counts[i] = make([]int, len(byClass))
	}
	held := make([]int64, clients)
	for c, indices := range byClass {
		if len(indices) == 0 {
			continue
		}
		logs := logDirichlet(stream.New(p.Seed, "partition/lda/shares", draw, uint64(c)), p.Params.Concentration, clients)
		for i := range logs {
			// As long as samples are left, some client is below the mean, so not all clients are capped.
			if held[i]*int64(clients) >= int64(n) {
				logs[i] = math.Inf(-1)
			}
		}
		for i, k := range apportion(len(indices), normalise(logs), 0) {
			counts[i][c] = k
			held[i] += int64(k)
		}
	}
	return counts
}

// raiseToMinimum raises the number of samples of every client (row) to at least least. A missing sample is taken from the
// client that is largest at the time, and from its largest class, which changes the label skew of the two clients the least.
// The rows must sum to at least least per client. The sums of the columns do not change.
func raiseToMinimum(counts [][]int, least int) {
	donors := donorHeap{size: rowSums(counts)}
	var short []int
	for i, size := range donors.size {
		if size < least {
			short = append(short, i)
		} else {
			donors.client = append(donors.client, i)
		}
	}
	heap.Init(&donors)
	for _, i := range short {
		for need := least - donors.size[i]; need > 0; {
			d := donors.client[0]
			c := maxIndex(counts[d])
			k := min(need, donors.size[d]-least, counts[d][c])
			if k <= 0 {
				return // too few samples, which resolveLDA excludes
			}
			counts[d][c] -= k
			counts[i][c] += k
			donors.size[d] -= k
			heap.Fix(&donors, 0)
			need -= k
		}
	}
}

// donorHeap is a heap with the client of the most samples on top, or the lowest of several such clients.
type donorHeap struct {
	size   []int // number of samples of each client
	client []int
}

func (h *donorHeap) Len() int { return len(h.client) }
func (h *donorHeap) Less(a, b int) bool {
	x, y := h.client[a], h.client[b]
	return h.size[x] > h.size[y] || h.size[x] == h.size[y] && x < y
}
func (h *donorHeap) Swap(a, b int) { h.client[a], h.client[b] = h.client[b], h.client[a] }
func (h *donorHeap) Push(x any)    { h.client = append(h.client, x.(int)) }
func (h *donorHeap) Pop() any {
	last := h.client[len(h.client)-1]
	h.client = h.client[:len(h.client)-1]
	return last
}

// maxIndex returns the index of the largest element, or the lowest index of several such elements.
func maxIndex(x []int) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

func rowSums(m [][]int) []int {
	sums := make([]int, len(m))
	for i, row := range m {
		for _, v := range row {
			sums[i] += v
		}
	}
	return sums
}
