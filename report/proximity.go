package report

import (
	"fmt"

	"feddag/internal/numfmt"
	"feddag/similarity"
	"feddag/similarity/groups"

	"gonum.org/v1/gonum/mat"
)

// proximity is the matrix between clients that proximity.npy and the plots show.
type proximity struct {
	matrix *mat.SymDense
	places []int  // indices of its clients into the clustered clients; nil for all
	title  string // title of the heat map
	sample string // first line of the titles of plots that show a sample, with its line break; empty for all clients
}

// proximity returns the matrix of the clustering. If tests found the clusters, the matrix is computed here because only files
// and plots need it; it then has the distance of each pair of clients in units of its noise. With more than 2,000 clients, it
// is the matrix of a random sample.
func (c *Clustering) proximity() (p proximity, err error) {
	r := c.Result
	if r.Roster == nil {
		return proximity{matrix: r.Proximity, title: "Proximity of the clients, ordered by cluster (0 is alike)"}, nil
	}
	p.title = "Distance of the clients in units of its noise, ordered by cluster (0 is one distribution)"
	n := len(c.Counts)
	if n > groups.MostDistances {
		p.places = groups.Sample(n, groups.MostDistances, 0)
		p.sample = fmt.Sprintf("a random sample of %s of %s clients\n", numfmt.Thousands(float64(len(p.places))), numfmt.Thousands(float64(n)))
	}
	p.matrix, err = r.Roster.Distances(p.places)
	return p, err
}

// clusters returns the rows of the matrix that belong to each of the given clusters. A cluster without a client in the sample
// is empty.
func (p proximity) clusters(clusters [][]int) [][]int {
	if p.places == nil {
		return clusters
	}
	row := map[int]int{}
	for k, i := range p.places {
		row[i] = k
	}
	sampled := make([][]int, len(clusters))
	for z, members := range clusters {
		for _, i := range members {
			if k, ok := row[i]; ok {
				sampled[z] = append(sampled[z], k)
			}
		}
	}
	return sampled
}

// tree returns the average-linkage tree of the matrix, in which distances below 0 count as 0. Clusters that tests found were
// not cut from this tree.
func (p proximity) tree() (*similarity.Dendrogram, error) { return averageTree(p.matrix) }

func averageTree(matrix *mat.SymDense) (*similarity.Dendrogram, error) {
	n := matrix.SymmetricDim()
	positive := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i + 1; j < n; j++ {
			positive.SetSym(i, j, max(matrix.At(i, j), 0))
		}
	}
	return similarity.Agglomerate(positive, "average")
}
