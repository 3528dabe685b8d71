package similarity

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"feddag/internal/stream"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

const (
	scaleNeighbour = 7    // the neighbour whose distance is a client's local scale
	minScale       = 1e-6 // smallest scale; distances are in 0..1
	restarts       = 10
	lloydSteps     = 100
)

// spectral returns partitions of the N rows of A into 1..o.MaxClusters clusters, in ascending order of this number, and the
// smallest eigenvalues of the Laplacian, ascending. Numbers for which k-means leaves a cluster empty are left out.
//
//	S_ij = exp( -A_ij^2 / (2 s_i s_j) ),  L = I - D^-1/2 S D^-1/2,  D_ii = Σ_j S_ij
//
// s_i is the distance between client i and its 7th neighbour (Scaling "local"), or the median of these distances
// ("global"). The rows of L's first k eigenvectors (N x k), scaled to unit length, are clustered by k-means, with k-means++
// starts from o.Seed and the best of 10 restarts. The cost is O(N^3).
func spectral(a *mat.SymDense, o Options, tell teller) (partitions [][][]int, eigenvalues []float64, err error) {
	n := a.SymmetricDim()
	if n == 0 {
		return nil, nil, fmt.Errorf("spectral clustering: empty matrix")
	}
	for i := range n {
		for k, x := range upper(a, i) {
			if !(x >= 0) || math.IsInf(x, 0) {
				return nil, nil, fmt.Errorf("spectral clustering: the distance between clients %d and %d is %g", i, i+1+k, x)
			}
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(laplacian(a, o.Scaling), true) {
		return nil, nil, fmt.Errorf("spectral clustering: the eigenvalues of the Laplacian of %d clients did not converge", n)
	}
	eigenvalues = eigen.Values(nil)
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	most := min(o.MaxClusters, n)
	for k := 1; k <= most; k++ {
		if err := tell.tell(k-1, most); err != nil {
			return nil, nil, err
		}
		rows := mat.DenseCopyOf(vectors.Slice(0, n, 0, k)) // N x k
		for i := range n {
			if norm := floats.Norm(rows.RawRowView(i), 2); norm > 0 {
				floats.Scale(1/norm, rows.RawRowView(i))
			}
		}
		clusters := groupByLabel(KMeans(rows, k, stream.New(o.Seed, "spectral", uint64(k))))
		if len(clusters) == k {
			partitions = append(partitions, clusters)
		}
	}
	return partitions, eigenvalues[:min(most+1, n)], nil
}

// laplacian returns the normalised Laplacian of the affinity exp(-a_ij² / (2 σ_i σ_j)) of a distance matrix a. With local
// scaling σ_i is the distance of row i to its 7th neighbour (Zelnik-Manor, Perona, NIPS 2004). With global scaling it is the
// median of these distances for all rows.
func laplacian(a *mat.SymDense, scaling string) *mat.SymDense {
	n := a.SymmetricDim()
	scale := make([]float64, n)
	row := make([]float64, 0, n)
	for i := range n {
		row = row[:0]
		for j := range n {
			if j != i {
				row = append(row, a.At(i, j))
			}
		}
		slices.Sort(row)
		scale[i] = minScale
		if len(row) > 0 {
			scale[i] = max(row[min(scaleNeighbour, len(row))-1], minScale)
		}
	}
	if scaling == "global" {
		sorted := slices.Sorted(slices.Values(scale))
		for i := range scale {
			scale[i] = sorted[n/2]
		}
	}
	affinity := mat.NewSymDense(n, nil)
	for i := range n {
		affinity.SetSym(i, i, 1)
		for k, x := range upper(a, i) {
			j := i + 1 + k
			affinity.SetSym(i, j, math.Exp(-x*x/(2*scale[i]*scale[j])))
		}
	}
	l, _ := NormalisedLaplacian(affinity)
	return l
}

// KMeans returns the label 0..k-1 of each row of x (N x F). Of 10 k-means++ starts it uses the one with the smallest sum of
// squares. A label may have no rows.
func KMeans(x *mat.Dense, k int, random *rand.Rand) []int {
	var best []int
	least := math.Inf(1)
	for range restarts {
		labels, sum := lloyd(x, plusPlus(x, k, random))
		if sum < least {
			best, least = labels, sum
		}
	}
	return best
}

// plusPlus chooses k rows as centres (k x F), each with a probability proportional to its squared distance to the nearest
// centre so far.
func plusPlus(x *mat.Dense, k int, random *rand.Rand) *mat.Dense {
	n, f := x.Dims()
	centres := mat.NewDense(k, f, nil)
	distance := make([]float64, n)
	pick := random.IntN(n)
	for c := range k {
		centres.SetRow(c, x.RawRowView(pick))
		total := 0.0
		for i := range n {
			d := square(x.RawRowView(i), centres.RawRowView(c))
			if c == 0 || d < distance[i] {
				distance[i] = d
			}
			total += distance[i]
		}
		r := random.Float64() * total
		pick = n - 1
		for i, d := range distance {
			if r -= d; r < 0 {
				pick = i
				break
			}
		}
	}
	return centres
}

// lloyd moves the centres until no row changes its cluster. A centre without rows does not move.
func lloyd(x, centres *mat.Dense) (labels []int, sum float64) {
	n, f := x.Dims()
	k, _ := centres.Dims()
	labels = make([]int, n)
	for step := range lloydSteps {
		moved := step == 0
		sum = 0
		for i := range n {
			best, least := 0, math.Inf(1)
			for c := range k {
				if d := square(x.RawRowView(i), centres.RawRowView(c)); d < least {
					best, least = c, d
				}
			}
			moved = moved || labels[i] != best
			labels[i] = best
			sum += least
		}
		if !moved {
			break
		}
		total, size := mat.NewDense(k, f, nil), make([]float64, k)
		for i, c := range labels {
			floats.Add(total.RawRowView(c), x.RawRowView(i))
			size[c]++
		}
		for c := range k {
			if size[c] > 0 {
				floats.ScaleTo(centres.RawRowView(c), 1/size[c], total.RawRowView(c))
			}
		}
	}
	return labels, sum
}

func square(u, v []float64) (d float64) {
	for k, x := range u {
		d += (x - v[k]) * (x - v[k])
	}
	return d
}
