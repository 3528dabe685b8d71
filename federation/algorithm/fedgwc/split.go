package fedgwc

import (
	"math"
	"math/rand/v2"

	"feddag/internal/stream"
	"feddag/similarity"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// findParts divides clients with affinity p into parts. It returns a label for each client and the number of parts, which
// is the number from 2 to most with the lowest Davies-Bouldin score. labels is nil if no number has a score below 1, because
// then the affinity has no structure. seed returns the random stream of k-means with n parts.
//
// Clients are divided by k-means of the eigenvectors 0 to n-1 of the affinity, and the score is computed on the
// eigenvectors 1 to n, as scikit-learn's SpectralClustering and spectral_embedding choose them in the authors' code.
// Eigenvector 0 is constant, so a score that included it would have only n-1 dimensions, in which n parts of any data score
// below 1.
func findParts(p *mat.SymDense, most int, seed func(n int) *rand.Rand) (labels []int, parts int) {
	vectors, ok := embedding(p)
	if !ok {
		return nil, 0
	}
	clients, least := p.SymmetricDim(), 1.0
	for n := 2; n <= min(most, clients-1); n++ {
		found := similarity.KMeans(mat.DenseCopyOf(vectors.Slice(0, clients, 0, n)), n, seed(n))
		if score := daviesBouldin(mat.DenseCopyOf(vectors.Slice(0, clients, 1, n+1)), found, n); score < least {
			labels, parts, least = found, n, score
		}
	}
	return labels, parts
}

// split splits cluster z into the parts that [findParts] finds, if there are any. The parts have at least m clients on average,
// where m is the number of clients in a round. The first part keeps the number of the cluster.
func (a *FedGWC) split(z, m int) {
	g := a.interactions[z]
	best, parts := findParts(g.affinity(a.Gamma, a.Compare == "columns"), min(len(g.Members)/m, a.MostParts), func(n int) *rand.Rand {
		return stream.New(a.Env.Seed, "fedgwc-split", uint64(z), uint64(len(a.interactions)), uint64(n))
	})
	if best == nil {
		g.E, g.Patience = 1, 0
		return
	}
	for part := range parts {
		child := &interactions{E: 1}
		for i, label := range best {
			if label != part {
				continue
			}
			child.Members = append(child.Members, g.Members[i])
			var row []float64
			for j, other := range best {
				if other == part {
					row = append(row, g.W[i][j])
				}
			}
			child.W = append(child.W, row)
		}
		if part == 0 {
			a.interactions[z] = child
			continue
		}
		for _, i := range child.Members {
			a.Of[i] = len(a.States)
		}
		a.interactions, a.States = append(a.interactions, child), append(a.States, a.States[z])
	}
}

// embedding returns the eigenvectors of the random walk on an affinity p, [n, n], as columns, the slowest first. They are the
// eigenvectors of the normalised Laplacian in ascending order of the eigenvalues, with each row divided by the square root of
// its degree. It returns false if the eigenvalues do not converge.
func embedding(p *mat.SymDense) (*mat.Dense, bool) {
	laplacian, degrees := similarity.NormalisedLaplacian(p)
	var eigen mat.EigenSym
	if !eigen.Factorize(laplacian, true) {
		return nil, false
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for i, d := range degrees {
		floats.Scale(1/math.Sqrt(d), vectors.RawRowView(i))
	}
	return &vectors, true
}

// daviesBouldin returns the Davies-Bouldin score of a clustering of rows, [n, f], into the labels 0..k-1. It is the mean over
// the clusters of the largest (spread + spread') / distance, where spread' is the spread of another cluster and distance is
// between the two centres. A lower score is better. The score is infinite if a cluster is empty or two centres are equal.
func daviesBouldin(rows *mat.Dense, labels []int, k int) float64 {
	_, f := rows.Dims()
	centres, size, spread := mat.NewDense(k, f, nil), make([]float64, k), make([]float64, k)
	for i, z := range labels {
		floats.Add(centres.RawRowView(z), rows.RawRowView(i))
		size[z]++
	}
	for z, n := range size {
		if n == 0 {
			return math.Inf(1)
		}
		floats.Scale(1/n, centres.RawRowView(z))
	}
	for i, z := range labels {
		spread[z] += floats.Distance(rows.RawRowView(i), centres.RawRowView(z), 2) / size[z]
	}
	var score float64
	for z := range k {
		worst := 0.0
		for y := range k {
			if y != z {
				worst = max(worst, (spread[z]+spread[y])/floats.Distance(centres.RawRowView(z), centres.RawRowView(y), 2))
			}
		}
		score += worst / float64(k)
	}
	if math.IsNaN(score) {
		return math.Inf(1)
	}
	return score
}
