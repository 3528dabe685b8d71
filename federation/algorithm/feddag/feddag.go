package feddag

import (
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/internal/spelling"
	"feddag/similarity"
	"feddag/torch"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func init() {
	for _, v := range []struct{ name, summary, variant string }{
		{"feddag", "clusters, each with its own encoder and one learned from complementary clusters", FullVariant},
		{"feddag-star", "FedDAG*: the same clusters, one encoder each, no sharing between them", StarVariant},
		{"feddag-dagger", "FedDAG†: two encoders each, the secondary learned from the cluster's own clients", DaggerVariant},
	} {
		federation.Register(v.name, v.summary, func() federation.Algorithm { return newFedDAG(v.variant) })
	}
}

// newFedDAG returns a variant with its defaults.
func newFedDAG(variant string) *FedDAG {
	return &FedDAG{
		Variant:    variant,
		Clustering: similarity.DefaultOptions(), PrincipalVectors: "0.01", WarmUpRounds: 2, MaskFraction: 0.02,
		PrimaryInit: "warm", HeadInit: "warm", SecondaryInit: "global", SecondaryHead: "own",
		Sources: "mean", OwnSource: true, ServerRate: 1, RateDecay: 1, Schedule: "both", Order: "secondary-first",
		ShiftFactor: similarity.ShiftFactor,
	}
}

// The variants of FedDAG.
const (
	FullVariant   = "full"   // the secondary encoder learns along the CC-graph
	StarVariant   = "star"   // FedDAG*: no secondary encoder
	DaggerVariant = "dagger" // FedDAG†: the secondary learns from the cluster's own clients
)

// FedDAG finds clusters of clients from their data and their gradients, and trains for each a primary encoder, a
// secondary encoder and a head on both. The secondary is learned from clusters that are rich in the classes the
// cluster is poor in (Pramanik, Kantarcioglu, Oria, Sharma, ICLR 2026, arXiv 2602.23504).
//
// As printed (--preset=paper: random head, sum of sources, the secondary trained under the head on both encoders) it starts
// low, swings and gains nothing by the second encoder: under a head that fits already, the secondary has next to nothing
// to learn. The defaults here are ours. A secondary encoder begins at the mean of all clients' warm-up and has a classifier
// ψ of its own while it is trained, so that it learns features that classify by themselves; a cluster is among its own
// sources; primary and head, which starts as the warm-up's, are then trained on top of it. docs/feddag.md has what each
// brings.
type FedDAG struct {
	Variant string // FullVariant, StarVariant, DaggerVariant

	Clustering       similarity.Options // phases 2 to 4
	PrincipalVectors string             // p per class: a fraction of n_i,c or a count
	SVDSamples       int                // images of a class looked at; 0 is all
	WarmUpRounds     int                // tg
	MaskFraction     float64            // share of the update's coordinates that is sent

	PrimaryInit   string  // of Θ1: "warm" (eq. 22) or "common" (θ^0)
	HeadInit      string  // of Θc: "warm" (the warm-up's on the primary), "both" (half of it on each) or "random" (algorithm 1)
	SecondaryInit string  // of Θ2: "random", "primary" (a copy of Θ1) or "global" (the mean of all clients' warm-up)
	Sources       string  // a learner's sources are averaged ("mean"), averaged by H ("weighted") or added ("sum", eq. 21)
	OwnSource     bool    // a cluster is one of its own sources too, with the mean H of the others
	ServerRate    float64 // η2
	RateDecay     float64 // of η2, each round
	Schedule      string  // "both", or "K:1": a secondary phase every K rounds (B.9)
	Order         string  // of a round's phases: "parallel" (eq. 19), "primary-first", "secondary-first"
	SecondaryHead string  // what the secondary phase trains under: the "full" head on both encoders (eq. 19), or "own", a classifier ψ on Θ2 alone
	HeadEpochs    int     // of the heads alone, once the secondary encoders have moved; 0 is none
	Diversity     float64 // λ_div: the primary phase's loss has λ_div mean cos(φ1, φ2)² (A.11); 0 is none

	ShiftFactor float64 // of eq. 41: a client has shifted above ShiftFactor n_i / C

	net        *torch.Network
	clusters   [][]int
	clusterOf  []int         // cluster of each client, -1 of one that is not there
	graph      [][]int       // sources of each learner, by falling H
	edgeScores [][]float64   // their H
	learners   [][]edge      // learners of each source, ascending
	states     torch.Vectors // [Θ1_z | Θ2_z | Θc_z], by cluster; nil of one that is dissolved

	sourceNet   *torch.Network // [Θ2' | ψ_z], what the secondary phase trains with classifiers
	classifiers torch.Vectors  // ψ_z of each source, as long as states; its entries are nil unless SecondaryHead is "own"

	roster        *similarity.Roster // the clustering as the server keeps it; nil where nobody comes, leaves or changes
	rosterIDs     []int              // client of each place in the roster
	encodedRoster []byte             // the roster, for checkpoints; nil if not made yet
}

// dual says whether the method has a secondary encoder.
func (a *FedDAG) dual() bool { return a.Variant != StarVariant }

// classifies says whether the secondary encoder is trained to classify by itself.
func (a *FedDAG) usesClassifiers() bool { return a.dual() && a.SecondaryHead == "own" }

// Validate implements [Validator].
func (a *FedDAG) Validate() error {
	for _, v := range []struct {
		flag, value string
		known       []string
	}{
		{"primary-init", a.PrimaryInit, []string{"warm", "common"}},
		{"head-init", a.HeadInit, []string{"warm", "both", "random"}},
		{"secondary-init", a.SecondaryInit, []string{"random", "primary", "global"}},
		{"sources", a.Sources, []string{"mean", "weighted", "sum"}},
		{"order", a.Order, []string{"parallel", "primary-first", "secondary-first"}},
		{"secondary-head", a.SecondaryHead, []string{"full", "own"}},
	} {
		if err := spelling.OneOf("--feddag-"+v.flag, v.value, v.known); err != nil {
			return err
		}
	}
	if _, err := a.secondaryPeriod(); err != nil {
		return err
	}
	if _, err := similarity.ParseCount(a.PrincipalVectors); err != nil {
		return fmt.Errorf("--feddag-principal-vectors: %w", err)
	}
	switch {
	case a.WarmUpRounds < 1:
		return fmt.Errorf("--feddag-warmup-rounds is %d: use 1 or more", a.WarmUpRounds)
	case !(a.MaskFraction > 0 && a.MaskFraction <= 1):
		return fmt.Errorf("--feddag-mask is %g: use a fraction above 0, at most 1", a.MaskFraction)
	case a.SVDSamples < 0:
		return fmt.Errorf("--feddag-svd-samples is %d: use 0 (all) or more", a.SVDSamples)
	case !(a.Diversity >= 0 && a.Diversity <= 1e6):
		return fmt.Errorf("--feddag-diversity is %g: use 0 or more", a.Diversity)
	case !(a.ServerRate >= 0 && a.ServerRate <= 1e6):
		return fmt.Errorf("--feddag-server-rate is %g: use 0 or more", a.ServerRate)
	case !(a.RateDecay > 0 && a.RateDecay <= 1):
		return fmt.Errorf("--feddag-rate-decay is %g: use a factor above 0, at most 1", a.RateDecay)
	case a.HeadEpochs < 0:
		return fmt.Errorf("--feddag-head-epochs is %d: use 0 (none) or more", a.HeadEpochs)
	case !(a.ShiftFactor >= 0 && a.ShiftFactor <= 1e6):
		return fmt.Errorf("--feddag-shift is %g: use 0 or more", a.ShiftFactor)
	}
	if err := a.Clustering.Validate(); err != nil {
		return fmt.Errorf("--feddag-...: %w", err)
	}
	return nil
}

// secondaryEvery returns K of the schedule, 1 for "both".
func (a *FedDAG) secondaryPeriod() (int, error) {
	if a.Schedule == "both" {
		return 1, nil
	}
	var k int
	if _, err := fmt.Sscanf(a.Schedule+" ", "%d:1 ", &k); err != nil || k < 1 || a.Schedule != fmt.Sprintf("%d:1", k) {
		return 0, fmt.Errorf("--feddag-schedule is %q: use both, or K:1 with a whole number K", a.Schedule)
	}
	return k, nil
}

// edge leads from a source to a learner of the CC-graph.
type edge struct {
	learner int
	weight  float64 // H
}

// assign takes up a clustering of those of n clients that are there and its CC-graph with the H of its edges, and
// returns an error unless they fit.
func (a *FedDAG) setClustering(n int, clusters, graph [][]int, scores [][]float64) error {
	a.clusters, a.graph, a.edgeScores = clusters, graph, scores
	a.clusterOf = slices.Repeat([]int{-1}, n)
	for z, members := range clusters {
		for _, i := range members {
			if i < 0 || i >= n {
				return fmt.Errorf("cluster %d has client %d of %d", z, i, n)
			}
			if a.clusterOf[i] >= 0 {
				return fmt.Errorf("client %d is in clusters %d and %d", i, a.clusterOf[i], z)
			}
			a.clusterOf[i] = z
		}
	}
	if len(graph) != len(clusters) || len(scores) != len(clusters) {
		return fmt.Errorf("a graph of %d clusters, with scores of %d, for %d", len(graph), len(scores), len(clusters))
	}
	a.learners = make([][]edge, len(clusters))
	for j, sources := range graph {
		h := scores[j]
		if len(h) != len(sources) {
			return fmt.Errorf("cluster %d has %d sources and %d scores", j, len(sources), len(h))
		}
		switch {
		case len(clusters[j]) == 0: // dissolved
		case a.Variant == DaggerVariant:
			sources, h = []int{j}, []float64{1}
		case a.OwnSource:
			own := 1.
			if len(h) > 0 {
				own = stat.Mean(h, nil)
			}
			sources, h = append(slices.Clone(sources), j), append(slices.Clone(h), own)
		}
		for k, z := range sources {
			if z < 0 || z >= len(clusters) {
				return fmt.Errorf("cluster %d learns from cluster %d of %d", j, z, len(clusters))
			}
			a.learners[z] = append(a.learners[z], edge{j, h[k]})
		}
	}
	return nil
}

// edges returns the H of the edges of a CC-graph.
func edgeScores(h *mat.Dense, graph [][]int) [][]float64 {
	scores := make([][]float64, len(graph))
	for p, sources := range graph {
		scores[p] = make([]float64, len(sources))
		for k, q := range sources {
			scores[p][k] = h.At(p, q)
		}
	}
	return scores
}

// Clusters implements [Clusterer].
func (a *FedDAG) Clusters() [][]int { return a.clusters }

// Model implements [Algorithm].
func (a *FedDAG) Model(client int) federation.Model {
	return federation.Model{Net: a.net, State: a.states[a.clusterOf[client]]}
}

// Models implements [Algorithm].
func (a *FedDAG) Models() []federation.NamedModel {
	var models []federation.NamedModel
	for z, s := range a.states {
		if s != nil {
			models = append(models, federation.NamedModel{Name: clusterName(z), Model: federation.Model{Net: a.net, State: s}})
		}
	}
	return models
}

func clusterName(z int) string    { return fmt.Sprintf("cluster-%d", z) }
func classifierName(z int) string { return fmt.Sprintf("classifier-%d", z) }

// primaryParts are what the primary phase trains: the primary encoder and the head.
func (a *FedDAG) primaryParts() torch.Part {
	if !a.dual() {
		return torch.All
	}
	return torch.Primary | torch.Head
}

// Close implements [Algorithm].
func (a *FedDAG) Close() {
	a.states.Close()
	a.classifiers.Close()
}
