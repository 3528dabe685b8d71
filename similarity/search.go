package similarity

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// Candidate is a partition of the clients that the search considered, with the values by which the rules choose.
type Candidate struct {
	Threshold    float64 // an α at which the dendrogram has this cut, halfway between two merges; 0 for spectral clustering
	Clusters     [][]int
	Loss, L1, L2 float64 // eq. 9, 10; lower is better
	Silhouette   float64 // mean over the clients, -1..1; higher is better; 0 for one cluster
	Even         float64 // the same mean with equal weights for all clusters; low if clusters consist of a few outliers
	Ratio        float64 // height of the next merge divided by that of the last one; 0 if either is missing, and for spectral clustering
	Bend         float64 // decrease of the log mean distance within clusters to this candidate minus the decrease to the next; 0 at the ends
	Score        float64 // value that the rule compares; the highest is chosen; 0 if the rule does not consider the candidate
	Chosen       bool
}

// Choice is the result of a search. Candidates are in ascending order of the number of clusters.
type Choice struct {
	Candidates  []Candidate
	Threshold   float64 // α* of the chosen cut; 0 for spectral
	Clusters    [][]int
	Dendrogram  *Dendrogram // nil for spectral
	Eigenvalues []float64   // smallest eigenvalues of the Laplacian, ascending, MaxClusters + 1 if it has so many; nil for linkage
}

const (
	// minSilhouette is the value below which Kaufman and Rousseeuw (Finding Groups in Data, 1990) find no substantial
	// structure.
	minSilhouette = 0.25
	// weakSilhouette is the value up to which they call a structure weak. A weak structure is accepted only with few clusters,
	// because on data without groups the silhouette slowly rises with the number of clusters.
	weakSilhouette = 0.5
	// minEven is the smallest share of the mean silhouette that must remain if every cluster has the same weight. The share
	// is about 1 for groups, and 0.5..0.8 if one or a few outliers are separated from all other clients.
	minEven = 0.8
	// minRatio is the smallest ratio of merge heights that indicates groups. heightFloor is the height (relative to 1) below
	// which two merges count as equally high.
	minRatio, heightFloor = 1.5, 0.01
	// minBend is the smallest bend, and minEigengap the smallest distance between two eigenvalues, that indicates groups.
	minBend, minEigengap = 0.2, 0.1
	// minLossRatio is the smallest ratio of two losses that counts as an improvement.
	minLossRatio = 1.0
	// sameHeight is the difference below which two merges count as equally high.
	sameHeight = 1e-12
)

// Search computes candidate partitions of A (N x N, 0..1) and chooses one of them (algorithm 3). The candidates are the cuts of
// one dendrogram into 1..o.MaxClusters clusters, or the results of k-means on the spectral embedding for each of these numbers.
// o.Choose is the rule:
//
//	silhouette  the highest mean silhouette on A among the candidates that do not merely separate outliers (Even at
//	            least 0.8 of Silhouette) and, if it is below 0.5, have at most sqrt(N) clusters; one cluster if
//	            none is above 0.25
//	bend        the largest bend of the log mean distance within clusters; one cluster if none is above 0.2
//	eigengap    the largest distance of the Laplacian's k-th eigenvalue to the next (spectral only); one cluster if
//	            none is above 0.1
//	ratio       the largest ratio of the next merge's height to the last one's; one cluster if none is above 1.5
//	loss        the largest ratio of the next coarser candidate's loss to its own (LossRatio), among the cuts on the
//	            paper's grid α = 1.00, 0.95 .. 0.05; all candidates for spectral
//	fixed:α     the cut at α
//	count:Z     Z clusters, or as many as there are clients
//
// The paper says only "low score and relatively few clusters"; all rules except loss are not in the paper. They were measured
// with data angles and Ward's linkage on new Fashion-MNIST partitions of 100 clients (TestChoiceOnFreshPartitions in
// federation). On 50 partitions with groups, silhouette, bend and ratio were exact on all, and loss on 38. On 16 partitions
// without groups, silhouette found 1 to 8 clusters. docs/similarity.md has the results of the other linkages and of full
// sketches. The silhouette has two disadvantages: a single client far from all others does not get its own cluster, and more
// than sqrt(N) groups are not found if the silhouette is below 0.5, as with gradient angles alone.
func Search(a *mat.SymDense, o Options) (*Choice, error) {
	return search(a, nil, o, nil)
}

// search is Search. If class angles are given, o.Concepts may change the cut that a rule chose.
func search(a *mat.SymDense, angles []*HeldAngles, o Options, progress Progress) (*Choice, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if o.Method == "spectral" {
		return searchSpectral(a, o, progress)
	}
	return searchCuts(a, angles, o, progress)
}

func searchCuts(a *mat.SymDense, angles []*HeldAngles, o Options, progress Progress) (*Choice, error) {
	tree, err := agglomerate(a, o.Linkage, progress.step("linkage"))
	if err != nil {
		return nil, err
	}
	s := &Choice{Dendrogram: tree}
	h := tree.Heights()
	for z := 1; z <= min(o.MaxClusters, tree.N); z++ {
		if m := tree.N - z; m == len(h) || m > 0 && h[m]-h[m-1] > sameHeight || m == 0 && h[m] > sameHeight {
			s.Candidates = append(s.Candidates, Candidate{Threshold: between(h, m), Clusters: tree.After(m), Ratio: heightRatio(h, m)})
		}
	}
	name, x, err := o.choice()
	if err != nil {
		return nil, err
	}
	chosen := -1
	switch name {
	case "fixed":
		chosen = s.insert(Candidate{Threshold: x, Clusters: tree.Cut(x)})
		s.Candidates[chosen].Threshold = x
	case "count":
		m := max(tree.N-int(x), 0)
		chosen = s.insert(Candidate{Threshold: between(h, m), Clusters: tree.After(m)})
	}
	if err := progress.step("candidates").tell(0, len(s.Candidates)); err != nil {
		return nil, err
	}
	s.score(a, o, true)
	if chosen < 0 {
		chosen = s.pick(name)
		if o.Concepts && angles != nil {
			chosen = s.withinConcepts(chosen, angles)
		}
	}
	return s.choose(chosen), nil
}

func searchSpectral(a *mat.SymDense, o Options, progress Progress) (*Choice, error) {
	partitions, eigenvalues, err := spectral(a, o, progress.step("spectral"))
	if err != nil {
		return nil, err
	}
	s := &Choice{Eigenvalues: eigenvalues}
	for _, clusters := range partitions {
		s.Candidates = append(s.Candidates, Candidate{Clusters: clusters})
	}
	name, x, err := o.choice()
	if err != nil {
		return nil, err
	}
	if err := progress.step("candidates").tell(0, len(s.Candidates)); err != nil {
		return nil, err
	}
	s.score(a, o, false)
	if name != "count" {
		return s.choose(s.pick(name)), nil
	}
	chosen := slices.IndexFunc(s.Candidates, func(c Candidate) bool { return len(c.Clusters) == min(int(x), a.SymmetricDim()) })
	if chosen < 0 {
		return nil, fmt.Errorf("count %g: spectral clustering found no partition into this number of clusters: raise max clusters (%d) or use a smaller count", x, o.MaxClusters)
	}
	return s.choose(chosen), nil
}

// pick returns the index of the candidate that a rule without a number chooses, and sets the Score of the candidates. The
// candidates must be scored.
func (s *Choice) pick(rule string) int {
	switch rule {
	case "silhouette":
		return s.best(rule, silhouette)
	case "bend":
		return s.best(rule, func(c Candidate) float64 { return c.Bend })
	case "ratio":
		return s.best(rule, func(c Candidate) float64 { return c.Ratio })
	case "eigengap":
		return s.best(rule, func(c Candidate) float64 { return eigengap(s.Eigenvalues, len(c.Clusters)) })
	}
	if s.Dendrogram != nil {
		return s.byLoss(onGrid(s.Dendrogram, s.Candidates))
	}
	all := make([]int, len(s.Candidates))
	for k := range all {
		all[k] = k
	}
	return s.byLoss(all)
}

// LeastScore returns the value that a candidate's Score must exceed for a rule to choose more than one cluster.
func LeastScore(rule string) float64 {
	return map[string]float64{"silhouette": minSilhouette, "bend": minBend, "ratio": minRatio, "eigengap": minEigengap, "loss": minLossRatio}[rule]
}

// between returns a threshold at which exactly the first m merges are applied: halfway to the next height. If all merges are
// applied, it is 1, or the last height if that is larger.
func between(h []float64, m int) float64 {
	switch {
	case m == len(h):
		return max(1, h0(h, m-1))
	case m == 0:
		return h[0] / 2
	}
	return (h[m-1] + h[m]) / 2
}

func h0(h []float64, m int) float64 {
	if m < 0 {
		return 0
	}
	return h[m]
}

func heightRatio(h []float64, m int) float64 {
	if m == 0 || m == len(h) {
		return 0
	}
	return h[m] / max(h[m-1], heightFloor)
}

// insert returns the index of the candidate with the same number of clusters as c. If there is none, it inserts c in order.
func (s *Choice) insert(c Candidate) int {
	at, found := slices.BinarySearchFunc(s.Candidates, len(c.Clusters), func(c Candidate, z int) int { return len(c.Clusters) - z })
	if !found {
		s.Candidates = slices.Insert(s.Candidates, at, c)
	}
	return at
}

// score sets the values by which the rules choose. nested says that the clusters of each candidate are unions of the clusters
// of the next one.
func (s *Choice) score(a *mat.SymDense, o Options, nested bool) {
	partitions := make([][][]int, len(s.Candidates))
	var fine [][]int
	for k, c := range s.Candidates {
		partitions[k] = c.Clusters
		if nested {
			fine = c.Clusters
		}
	}
	scores := scoreAll(a, partitions, fine)
	fall := make([]float64, len(scores)+1) // decrease of the log mean distance from the previous candidate
	for k, score := range scores {
		c := &s.Candidates[k]
		c.Loss, c.L1, c.L2 = lossOf(score, o)
		c.Silhouette, c.Even = score.means()
		if k > 0 {
			fall[k] = math.Log(max(scores[k-1].distance(), heightFloor) / max(score.distance(), heightFloor))
		}
	}
	for k := 1; k < len(scores)-1; k++ {
		s.Candidates[k].Bend = fall[k] - fall[k+1]
	}
}

// eigengap returns the distance between the k-th eigenvalue and the next one, or 0 if there is no next one.
func eigengap(eigenvalues []float64, k int) float64 {
	if k >= len(eigenvalues) {
		return 0
	}
	return eigenvalues[k] - eigenvalues[k-1]
}

// best returns the candidate with the highest value, or the coarsest of several such candidates. If no value is above the
// rule's LeastScore, it returns the coarsest of all candidates.
func (s *Choice) best(rule string, value func(Candidate) float64) int {
	best, least := 0, LeastScore(rule)
	for k := range s.Candidates {
		x := value(s.Candidates[k])
		s.Candidates[k].Score = x
		if x > least {
			best, least = k, x
		}
	}
	return best
}

// silhouette returns the mean silhouette of a candidate. It returns 0 if the value comes from separating outliers. It also
// returns 0 if the value is weak and there are more than sqrt(N) clusters, so that a cluster has on average fewer clients than
// there are clusters.
func silhouette(c Candidate) float64 {
	n, z := 0, len(c.Clusters)
	for _, members := range c.Clusters {
		n += len(members)
	}
	if c.Even < minEven*c.Silhouette || c.Silhouette < weakSilhouette && z*z > n {
		return 0
	}
	return c.Silhouette
}

// byLoss applies LossRatio to some of the candidates.
func (s *Choice) byLoss(among []int) int {
	losses := make([]float64, len(among))
	for k, c := range among {
		losses[k] = s.Candidates[c].Loss
		if k > 0 {
			s.Candidates[c].Score = lossRatio(losses, k)
		}
	}
	return among[LossRatio(losses)]
}

func (s *Choice) choose(k int) *Choice {
	s.Candidates[k].Chosen = true
	s.Threshold, s.Clusters = s.Candidates[k].Threshold, s.Candidates[k].Clusters
	return s
}

// onGrid returns the candidates that are cuts at α = 1.00, 0.95 .. 0.05 (times the highest merge if that is above 1).
func onGrid(tree *Dendrogram, candidates []Candidate) []int {
	top := max(1, h0(tree.Heights(), tree.N-2))
	var on []int
	for step := 20; step >= 1; step-- {
		z := len(tree.Cut(top * float64(step) / 20))
		k := slices.IndexFunc(candidates, func(c Candidate) bool { return len(c.Clusters) == z })
		if k >= 0 && !slices.Contains(on, k) {
			on = append(on, k)
		}
	}
	if len(on) == 0 {
		return []int{0}
	}
	return on
}

// LossRatio chooses one of several partitions by their losses (eq. 10), which are given from coarse to fine, each partition
// once. It returns the index of the partition for which the loss of the next coarser partition is the largest multiple of its
// own loss, or the coarsest of several such partitions. If every loss is at least the previous one, or there are no losses, it
// returns 0.
//
// On the published losses of the paper's table 19, this chooses the published 11 clusters for both data sets. The lowest
// loss does not.
func LossRatio(losses []float64) int {
	best, ratio := 0, minLossRatio
	for k := 1; k < len(losses); k++ {
		r := lossRatio(losses, k)
		if r > ratio {
			best, ratio = k, r
		}
	}
	return best
}

// lossRatio returns the ratio of the loss before the k-th loss to the k-th loss.
func lossRatio(losses []float64, k int) float64 {
	return losses[k-1] / max(losses[k], math.SmallestNonzeroFloat64)
}
