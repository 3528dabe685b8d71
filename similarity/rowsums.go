package similarity

import (
	"math"

	"feddag/internal/parallel"
	"feddag/similarity/agreement"

	"gonum.org/v1/gonum/mat"
)

// sumRows is the number of rows of A that are summed at a time. They are an eighth of a page of every other row.
const sumRows = 64

// eachRowSums calls visit once for every client i with s (Z), where s_z = Σ_{j in C_z} A_ij and labels (N, 0..Z-1) has the
// cluster of each client. The loss and the silhouette need only these sums. Calls run in parallel, so visit may write only
// values of client i. s is reused.
func eachRowSums(a *mat.SymDense, labels []int, z int, visit func(i int, s []float64)) {
	n := a.SymmetricDim()
	raw := a.RawSymmetric()
	parallel.For((n+sumRows-1)/sumRows, func(b int) {
		from := b * sumRows
		to := min(from+sumRows, n)
		sums := mat.NewDense(to-from, z, nil)
		for j := range from { // rows above the block: their part in the columns of the block
			for k, x := range raw.Data[j*raw.Stride+from : j*raw.Stride+to] {
				sums.RawRowView(k)[labels[j]] += x
			}
		}
		for i := from; i < to; i++ {
			own := sums.RawRowView(i - from)
			for k, x := range upper(a, i) {
				j := i + 1 + k
				own[labels[j]] += x
				if j < to {
					sums.RawRowView(j - from)[labels[i]] += x
				}
			}
		}
		for i := from; i < to; i++ {
			visit(i, sums.RawRowView(i-from))
		}
	})
}

// scored has the values of one partition that the loss, the silhouette and the bend need, by client.
type scored struct {
	clusters   [][]int
	labels     []int
	within     []float64 // Σ_j A_ij over the cluster of client i
	silhouette []float64
}

// scoreAll returns the scores of several partitions of the rows of A. fine is a partition of which all clusters of the others
// are unions, so that A is read only once. It is nil if there is no such partition.
func scoreAll(a *mat.SymDense, partitions [][][]int, fine [][]int) []*scored {
	n := a.SymmetricDim()
	scores := make([]*scored, len(partitions))
	for k, clusters := range partitions {
		scores[k] = &scored{clusters, agreement.Labels(clusters, n), make([]float64, n), make([]float64, n)}
	}
	if fine == nil {
		for _, s := range scores {
			eachRowSums(a, s.labels, len(s.clusters), s.take)
		}
		return scores
	}
	eachRowSums(a, agreement.Labels(fine, n), len(fine), func(i int, sums []float64) {
		for _, s := range scores {
			own := make([]float64, len(s.clusters))
			for z, x := range sums {
				own[s.labels[fine[z][0]]] += x
			}
			s.take(i, own)
		}
	})
	return scores
}

// take adds the sums of client i over the clusters.
func (s *scored) take(i int, sums []float64) {
	z := s.labels[i]
	s.within[i] = sums[z]
	if len(s.clusters) < 2 || len(s.clusters[z]) == 1 {
		return
	}
	a := sums[z] / float64(len(s.clusters[z])-1)
	b := math.Inf(1)
	for y, x := range sums {
		if y != z {
			b = min(b, x/float64(len(s.clusters[y])))
		}
	}
	if m := max(a, b); m > 0 {
		s.silhouette[i] = (b - a) / m
	}
}

// means returns the mean silhouette over the clients, and the mean over the clusters of the mean silhouette of their
// clients.
func (s *scored) means() (mean, even float64) {
	for _, members := range s.clusters {
		total := 0.0
		for _, i := range members {
			total += s.silhouette[i]
		}
		mean += total / float64(len(s.labels))
		even += total / float64(len(members)*len(s.clusters))
	}
	return mean, even
}

// distance returns the mean A_ij over the pairs i < j within a cluster, or 0 if there is no such pair.
func (s *scored) distance() float64 {
	total, pairs := 0.0, 0.0
	for _, members := range s.clusters {
		for _, i := range members {
			total += s.within[i]
		}
		pairs += float64(len(members)) * float64(len(members)-1)
	}
	return total / max(pairs, 1)
}
