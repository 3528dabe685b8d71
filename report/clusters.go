package report

import (
	"math"
	"slices"

	"feddag/report/plot"
	"feddag/similarity"
	"feddag/similarity/agreement"
	"feddag/similarity/groups"
)

// ClustersFile is the file with the clustering of a run. proximity.npy, the CC-graph and the plots are separate files.
const ClustersFile = "clusters.json"

// proximityFile has the matrix from which the clusters were found.
const proximityFile = "proximity.npy"

// Clustering is a clustering of clients, with everything that its files, plots and tables show.
type Clustering struct {
	Title       string // title of the run
	Result      *similarity.Result
	Counts      [][]int  // n_i,c of the clustered clients
	Groups      []int    // true groups of the clustered clients; nil if they are not known
	IDs         []int    // ids of the clustered clients; nil if they are 0, 1, ...
	Classes     []string // names of the classes; nil if they only have numbers
	Stability   *similarity.Steadiness
	Comparisons []similarity.Comparison

	explained []groups.Explanation // result of Explanations; nil before its first call
	like      *LikeImages          // result of LikeImages; nil before its first call
}

// Validity describes the quality of a clustering. The first three fields need known groups. The silhouette needs the
// proximity matrix, which does not exist if tests found the clusters.
type Validity struct {
	ARI        *float64 `json:"adjusted_rand_index"`
	NMI        *float64 `json:"normalised_mutual_information"`
	Purity     *float64 `json:"purity"`
	Silhouette Float    `json:"silhouette"` // mean silhouette of the clients, computed from A
}

// Validity computes the quality of the clustering, and compares it with the true groups if they are known.
func (c *Clustering) Validity() (v Validity, err error) {
	v.Silhouette = Float(math.NaN())
	if c.Result.Proximity != nil {
		silhouette, err := similarity.Silhouette(c.Result.Proximity, c.Result.Clusters)
		if v.Silhouette = Float(silhouette); err != nil {
			return v, err
		}
	}
	if c.Groups == nil {
		return v, nil
	}
	labels := agreement.Labels(c.Result.Clusters, len(c.Groups))
	for _, m := range []struct {
		to      **float64
		measure func(a, b []int) (float64, error)
	}{{&v.ARI, agreement.AdjustedRandIndex}, {&v.NMI, agreement.NormalisedMutualInformation}, {&v.Purity, agreement.Purity}} {
		x, err := m.measure(labels, c.Groups)
		if err != nil {
			return v, err
		}
		*m.to = &x
	}
	return v, nil
}

// clustersJSON is the content of clusters.json.
type clustersJSON struct {
	Clusters   [][]int              `json:"clusters"`                    // client ids
	Clients    []int                `json:"clients,omitempty"`           // ids of the clustered clients, in the order of true_groups and proximity.npy; absent if all clients were clustered
	Rows       []int                `json:"proximity_clients,omitempty"` // ids of the clients in proximity.npy; absent if it has all clustered clients
	ARI        *float64             `json:"adjusted_rand_index"`
	Groups     []int                `json:"true_groups"` // true group of each clustered client
	Threshold  Float                `json:"threshold"`
	Graph      [][]int              `json:"graph"`           // sources of each cluster
	Scores     [][]Float            `json:"complementarity"` // H, null on the diagonal
	Gates      []Float              `json:"gates"`           // gate of each cluster; 1 uses gradients only
	Entropy    [2]Float             `json:"entropy"`         // entropy before and after learning the gates, in nats
	Validity   Validity             `json:"validity"`
	FoundBy    string               `json:"found_by,omitempty"`     // "similarity" or "test"; absent for the clusters of another method
	Explained  []groups.Explanation `json:"explanations,omitempty"` // what separates each pair of clusters that tests found
	Like       *LikeImages          `json:"like_images,omitempty"`  // which of these clusters hold similar images
	Stability  *stabilityJSON       `json:"stability,omitempty"`
	Eigen      []Float              `json:"eigenvalues,omitempty"` // smallest eigenvalues of the Laplacian; spectral clustering only
	Rule       string               `json:"rule,omitempty"`        // rule that chose among the candidates; absent if tests found the clusters
	Merges     []mergeJSON          `json:"merges,omitempty"`      // merges of the tree from which the clusters were cut, in the order of the tree
	Candidates []candidateJSON      `json:"candidates"`
	Comparison []methodClusters     `json:"comparison,omitempty"`
	*SharedParts
}

// stabilityJSON is the JSON form of a similarity.Steadiness.
type stabilityJSON struct {
	ARI      []Float  `json:"adjusted_rand_index"`                   // index of each repetition against the clustering
	Count    []int    `json:"clusters"`                              // number of clusters of each repetition
	Clusters []Float  `json:"jaccard"`                               // Jaccard index of each cluster, mean over the repetitions
	Between  *float64 `json:"adjusted_rand_index_between,omitempty"` // index between the clusterings of the two halves of the images
}

// candidateJSON is the JSON form of a similarity.Candidate.
type candidateJSON struct {
	Threshold  Float   `json:"threshold"`
	Count      int     `json:"count"`
	Loss       Float   `json:"loss"`
	L1         Float   `json:"l1"`
	L2         Float   `json:"l2"`
	Silhouette Float   `json:"silhouette"`
	Ratio      Float   `json:"ratio"`
	Score      Float   `json:"score"` // the score that the rule compared; 0 if the rule did not consider the candidate
	Chosen     bool    `json:"chosen"`
	Clusters   [][]int `json:"clusters"`
}

// mergeJSON is the JSON form of a similarity.Merge: the numbers of two nodes and the height. The clients are nodes 0 to N-1,
// in the order of "clients"; the k-th merge is node N+k.
type mergeJSON struct {
	A      int   `json:"a"`
	B      int   `json:"b"`
	Height Float `json:"height"`
}

// methodClusters is a row of the comparison of clustering methods. ARI and Purity are only set if the true groups are known.
type methodClusters struct {
	Method     string   `json:"method"`
	Choose     string   `json:"choose"`
	Count      int      `json:"count"`
	Silhouette Float    `json:"silhouette"`
	Loss       Float    `json:"loss"`
	ARI        *float64 `json:"adjusted_rand_index"`
	Purity     *float64 `json:"purity"`
	Clusters   [][]int  `json:"clusters"`
}

// comparison returns the rows of the comparison in order.
func (c *Clustering) comparison() ([]methodClusters, error) {
	var rows []methodClusters
	for _, x := range c.Comparisons {
		row := methodClusters{
			Method: x.Method, Choose: x.Choose, Count: len(x.Clusters),
			Silhouette: Float(x.Silhouette), Loss: Float(x.Loss), Clusters: c.withIDs(x.Clusters),
		}
		if c.Groups != nil {
			labels := agreement.Labels(x.Clusters, len(c.Groups))
			ari, err := agreement.AdjustedRandIndex(labels, c.Groups)
			if err != nil {
				return nil, err
			}
			purity, err := agreement.Purity(labels, c.Groups)
			if err != nil {
				return nil, err
			}
			row.ARI, row.Purity = &ari, &purity
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// withIDs converts clusters of indices into the clustered clients to clusters of client ids.
func (c *Clustering) withIDs(clusters [][]int) [][]int {
	if c.IDs == nil {
		return clusters
	}
	named := make([][]int, len(clusters))
	for z, members := range clusters {
		for _, i := range members {
			named[z] = append(named[z], c.IDs[i])
		}
		slices.Sort(named[z])
	}
	return named
}

// rows returns the clusters with their numbers of samples per class.
func (c *Clustering) rows() ([]Cluster, error) {
	profiles, err := similarity.Profiles(c.Counts, c.Result.Clusters)
	if err != nil {
		return nil, err
	}
	rows, named := make([]Cluster, len(profiles)), c.withIDs(c.Result.Clusters)
	for z, p := range profiles {
		rows[z] = Cluster{Members: named[z], Samples: p.Samples, Histogram: p.Classes}
	}
	return rows, nil
}

// WriteClustering writes clusters.json, proximity.npy, the CC-graph, and the
// plots of a clustering in each of the formats.
func (d *Dir) WriteClustering(c *Clustering, formats []plot.Format) error {
	file, err := c.file()
	if err != nil {
		return err
	}
	rows, err := c.rows()
	if err != nil {
		return err
	}
	near, err := c.proximity()
	if err != nil {
		return err
	}
	if near.places != nil {
		for _, i := range near.places {
			file.Rows = append(file.Rows, c.id(i))
		}
	}
	if err := d.WriteJSON(ClustersFile, file); err != nil {
		return err
	}
	if err := d.WriteNPY(proximityFile, near.matrix); err != nil {
		return err
	}
	return c.writePlots(d, rows, near, formats)
}

// file returns the content of clusters.json.
func (c *Clustering) file() (*clustersJSON, error) {
	r := c.Result
	validity, err := c.Validity()
	if err != nil {
		return nil, err
	}
	file := &clustersJSON{
		Clusters: c.withIDs(r.Clusters), Clients: c.IDs, ARI: validity.ARI, Groups: c.Groups, Threshold: Float(r.Threshold), Graph: r.Graph,
		Gates: Floats(r.Gates), Entropy: [2]Float{Float(r.EntropyBefore), Float(r.EntropyAfter)},
		Validity: validity, Eigen: Floats(r.Eigenvalues), FoundBy: r.FoundBy,
	}
	if r.FoundBy != similarity.FoundByTest {
		file.Rule = r.Rule
		if r.Dendrogram != nil {
			for _, m := range r.Dendrogram.Merges {
				file.Merges = append(file.Merges, mergeJSON{m.A, m.B, Float(m.Height)})
			}
		}
	}
	if s := c.Stability; s != nil {
		file.Stability = &stabilityJSON{Floats(s.ARI), s.Count, Floats(s.Clusters), s.Between}
	}
	if r.FoundBy == similarity.FoundByTest { // there is no cut and no gate
		file.Threshold, file.Entropy = Float(math.NaN()), [2]Float{Float(math.NaN()), Float(math.NaN())}
	}
	file.Explained = c.Explanations()
	file.Like, file.SharedParts = c.LikeImages(), c.sharedParts()
	for p := range r.Graph { // only FedDAG's clusterings have one
		row := make([]Float, len(r.Clusters))
		for q := range row {
			row[q] = Float(r.Complementarity.At(p, q))
		}
		file.Scores = append(file.Scores, row)
	}
	for _, k := range r.Candidates {
		file.Candidates = append(file.Candidates, candidateJSON{
			Float(k.Threshold), len(k.Clusters), Float(k.Loss), Float(k.L1), Float(k.L2),
			Float(k.Silhouette), Float(k.Ratio), Float(k.Score), k.Chosen, c.withIDs(k.Clusters),
		})
	}
	file.Comparison, err = c.comparison()
	return file, err
}

// id returns the id of a client from its index among the clustered clients.
func (c *Clustering) id(place int) int {
	if c.IDs == nil {
		return place
	}
	return c.IDs[place]
}

// KeptClustering is the part of clusters.json that the report of a resumed run needs.
type KeptClustering struct {
	ARI     *float64 // adjusted Rand index; nil without known groups
	FoundBy string   // what found the clusters; empty if the file does not have it
}

// ReadClusters reads clusters.json.
func (d *Dir) ReadClusters() (k KeptClustering, err error) {
	var file clustersJSON
	if err := d.ReadJSON(ClustersFile, &file); err != nil {
		return k, err
	}
	return KeptClustering{ARI: file.ARI, FoundBy: file.FoundBy}, nil
}

// candidates returns the candidates of the search.
func (f *clustersJSON) candidates() (candidates []similarity.Candidate) {
	for _, x := range f.Candidates {
		candidates = append(candidates, similarity.Candidate{
			Threshold: float64(x.Threshold), Clusters: x.Clusters, Loss: float64(x.Loss), L1: float64(x.L1), L2: float64(x.L2),
			Silhouette: float64(x.Silhouette), Ratio: float64(x.Ratio), Score: float64(x.Score), Chosen: x.Chosen,
		})
	}
	return candidates
}

// tree returns the tree from which the clusters were cut, or nil if the file has none.
func (f *clustersJSON) tree() *similarity.Dendrogram {
	if len(f.Merges) == 0 {
		return nil
	}
	n := len(f.Merges) + 1
	t := &similarity.Dendrogram{N: n}
	size := func(node, merge int) int {
		switch {
		case node < 0 || node >= n+merge:
			return -1
		case node < n:
			return 1
		}
		return t.Merges[node-n].Size
	}
	for k, m := range f.Merges {
		a, b := size(m.A, k), size(m.B, k)
		if a < 0 || b < 0 { // not a tree
			return nil
		}
		t.Merges = append(t.Merges, similarity.Merge{A: m.A, B: m.B, Height: float64(m.Height), Size: a + b})
	}
	return t
}

// places converts clusters of client ids to clusters of indices into ids. Clients that are not in ids are left out. nil
// stands for all clients.
func (f *clustersJSON) places(ids []int) [][]int {
	if ids == nil {
		return f.Clusters
	}
	place := make(map[int]int, len(ids))
	for k, id := range ids {
		place[id] = k
	}
	clusters := make([][]int, len(f.Clusters))
	for z, members := range f.Clusters {
		for _, id := range members {
			if k, ok := place[id]; ok {
				clusters[z] = append(clusters[z], k)
			}
		}
		slices.Sort(clusters[z])
	}
	return clusters
}
