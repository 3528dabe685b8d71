// Package feddag implements FedDAG (Pramanik, Kantarcioglu, Oria, Sharma, "FedDAG: Clustered Federated Learning via Global
// Data and Gradient Integration for Heterogeneous Environments", ICLR 2026, arXiv 2602.23504) and its variants FedDAG* and
// FedDAG†. Equation, algorithm, section and appendix numbers in this package are the paper's.
//
// The method has five phases:
//
//	1  each client trains alone and sends a sketch of its data and of its update     warmup.go, sketch.go
//	2  the server compares the sketches: the proximity matrix A                      cluster.go, package similarity
//	3  the server cuts A into clusters                                               cluster.go, package similarity
//	4  the server finds which clusters complement each other: the CC-graph           cluster.go, graph.go
//	5  each cluster trains its model, which begins from the warm-up                  start.go, round.go, sharing.go
//
// That is how the paper does it, and ClustersBySimilarity does the same. By default, with ClustersByTest, tests of image
// features find the clusters and the CC-graph (groups.go, package similarity/groups). Nobody trains before phase 5, unless
// WarmUpRounds asks for it. By default, a model has one encoder, which related clusters share (parts.go).
//
// The files newcomers.go, shift.go, search.go, roster.go and rosters.go handle clients that join, leave or change their data
// during the run.
//
// Symbols, with the shape of each value:
//
//	i, z            a client and a cluster
//	n_i, n_i,c      training samples of client i, in total and of class c
//	P, P1           parameters of the network with two encoders, and of the network with one encoder
//	θ^0             the server's initial model of one encoder                  [P1]
//	θ_i             client i's weights after the warm-up                       [P1]
//	Δ_i, Δ~_i       client i's warm-up update, and the k values of it that it sends  [P1], [k]
//	A               proximity matrix, a dissimilarity                          [N, N], 0..1
//	α*              the threshold at which A's dendrogram is cut
//	H               complementarity of clusters, learner by source             [Z, Z]
//	Θ1_z, Θ2_z      primary and secondary encoder of cluster z
//	Θc_z            head of cluster z, on the features of both encoders
//	Θ2'_z           the secondary encoder that the clients of source z train
//	ψ_z             classifier of source z on the features of Θ2'_z alone; not in the paper
//	η2              server learning rate of the secondary encoders
package feddag

import (
	"fmt"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
	"feddag/torch"
)

func init() {
	for _, v := range []struct{ name, summary, variant string }{
		{"feddag", "clusters, found by the program, that learn from each other", FullVariant},
		{"feddag-star", "FedDAG*: the same clusters, one encoder each, no sharing between them", StarVariant},
		{"feddag-dagger", "FedDAG†: two encoders each, the secondary learned from the cluster's own clients", DaggerVariant},
	} {
		federation.Register(v.name, v.summary, func() federation.Algorithm { return newFedDAG(v.variant) })
	}
}

// The variants of FedDAG.
const (
	FullVariant   = "full"   // clusters share encoders, or their secondary encoders learn along the CC-graph
	StarVariant   = "star"   // FedDAG*: there is no secondary encoder
	DaggerVariant = "dagger" // FedDAG†: the secondary encoder learns from the cluster's own clients
)

// newFedDAG returns a variant with its default options.
func newFedDAG(variant string) *FedDAG {
	a := &FedDAG{
		Variant: variant, Encoders: 1,

		ClustersBy: ClustersByTest, Clustering: similarity.DefaultOptions(), PrincipalVectors: "0.01", WarmUpRounds: AutoWarmUp, MaskFraction: 0.02,

		Body: BodyParts, PrimaryInit: PrimaryInitWarm, HeadInit: HeadInitWarm, SecondaryInit: SecondaryInitGlobal,
		SecondaryHead: SecondaryHeadOwn, Sources: SourcesMean, OwnSource: true, ServerRate: 1, RateDecay: 1,
		Schedule: ScheduleBoth, Order: OrderSecondaryFirst,

		ShiftFactor: similarity.ShiftFactor,
	}
	switch variant {
	case StarVariant:
		a.Body = BodyOwn
	case DaggerVariant:
		a.Body, a.Encoders = BodyOwn, 2
	}
	return a
}

// FedDAG finds clusters of clients and trains a network for each cluster. Clusters learn from each other in one of two ways.
//
// By default, a network is an encoder and a head, and related clusters train the parts together for which their data agree (see
// Body and parts.go): the encoder if they hold similar images or the same classes, its first layer only if the images are similar, and
// the head only if they give the same classes the same labels. This is ours, not the paper's. A client trains as many samples per
// round as in FedAvg.
//
// With Encoders 2, as in the paper, a network has a primary encoder, a secondary encoder and a head on the features of both. The
// secondary encoder is learned from clusters that are rich in the classes in which the cluster is poor. A client trains twice as
// many samples per round. At equal numbers of training samples this is worse than the default; docs/feddag.md has the measurements.
//
// The method exactly as printed in the paper (--preset=paper) has a random head, adds up the updates of its sources, and trains
// secondary encoders under the head on both encoders. It starts with a low accuracy, swings, and gains nothing by the
// second encoder: under a head that fits already, the secondary encoder has next to nothing to learn. So other defaults of
// two encoders are ours too. A secondary encoder begins as the mean of all clients' encoders after the warm-up, or at random without a warm-up.
// While it is trained it has a classifier ψ of its own, so that it learns features that classify by themselves. A cluster
// is one of its own sources. The head starts as the head after the warm-up, or as that of θ^0. The primary encoder and the
// head are then trained on top of the new secondary encoder. docs/feddag.md measures the effect of each of these choices.
type FedDAG struct {
	Variant string // FullVariant, StarVariant or DaggerVariant

	Encoders int // number of encoders of a cluster's network, 1 or 2

	// Phase 1: what the clients send.
	WarmUpRounds     int     // tg, or AutoWarmUp
	MaskFraction     float64 // share of the update's coordinates that is sent
	PrincipalVectors string  // p per class: a fraction of n_i,c or a count, see similarity.ParseCount
	SVDSamples       int     // largest number of images per class from which the principal vectors are computed; 0 for all

	ClustersBy string             // how the clusters are found, ClustersBySimilarity or ClustersByTest
	Clustering similarity.Options // options of phases 2 to 4; ClustersByTest reads only the seed and TopK

	// Phase 5: the initial models.
	PrimaryInit   string // initial Θ1, one of the PrimaryInit constants
	HeadInit      string // initial Θc, one of the HeadInit constants
	SecondaryInit string // initial Θ2, one of the SecondaryInit constants

	// Phase 5: the training of the models.
	Body          string  // which parts of their networks clusters share, one of the Body constants
	Sources       string  // how a learner combines its sources, one of the Sources constants
	OwnSource     bool    // whether a cluster is also its own source; H of this edge is the mean H of its other edges, or 1 without any
	ServerRate    float64 // η2 of round 0
	RateDecay     float64 // factor of η2 per round
	Schedule      string  // ScheduleBoth, or "K:1": a secondary phase in every K-th round (B.9)
	Order         string  // order of the phases of a round, one of the Order constants
	SecondaryHead string  // head under which the secondary encoder is trained, one of the SecondaryHead constants
	HeadEpochs    int     // epochs in which the heads train alone after a secondary phase; 0 for none
	Diversity     float64 // λ_div: the loss of the primary phase has the term λ_div mean cos(φ1, φ2)² (A.11); 0 for no such term

	ShiftFactor float64 // factor of eq. 41: a client has shifted if its histogram moved by more than ShiftFactor n_i / C

	// The clusters and the CC-graph, see setClustering.
	clusters   [][]int            // client ids of each cluster
	clusterOf  []int              // cluster of each client; -1 for an absent client
	graph      [][]int            // sources of each learner, in descending order of H
	edgeScores [][]float64        // H of each edge of graph
	learners   [][]edge           // learners of each source, in ascending order
	sharing    similarity.Sharing // clusters that share parts of their networks; empty with BodyOwn

	// The models.
	net         *torch.Network // two encoders and a head; of FedDAG* one encoder and a head
	states      torch.Vectors  // [Θ1_z | Θ2_z | Θc_z] of each cluster; nil for a cluster that is dissolved
	sourceNet   *torch.Network // [Θ2'_z | ψ_z], which the secondary phase trains with classifiers
	classifiers torch.Vectors  // ψ_z of each cluster, as long as states; the entries are nil without classifiers

	serverStates []*algorithm.ServerState // states of the server's optimizer for each cluster's Θ1 and Θc, as long as states; nil before a cluster's first step

	// The state for clients that join, leave or change, see roster.go.
	roster        roster // the server's record of the clustering; nil if the clients cannot change
	rosterIDs     []int  // client id at each position in the roster
	encodedRoster []byte // the roster for checkpoints; nil until it is needed
}

// dual reports whether the clusters have a secondary encoder.
func (a *FedDAG) dual() bool { return a.Encoders == 2 }

// usesClassifiers reports whether the secondary encoders are trained under their own classifiers ψ.
func (a *FedDAG) usesClassifiers() bool { return a.dual() && a.SecondaryHead == SecondaryHeadOwn }

// primaryParts returns the parts that the primary phase trains: Θ1 and Θc.
func (a *FedDAG) primaryParts() torch.Part {
	if !a.dual() {
		return torch.All
	}
	return torch.Primary | torch.Head
}

// loadNetworks sets the networks that are trained.
func (a *FedDAG) loadNetworks(env *federation.Env) (err error) {
	if a.net, err = env.Net(a.dual()); err != nil || !a.usesClassifiers() {
		return err
	}
	a.sourceNet, err = env.Net(false)
	return err
}

// Averages implements [federation.Averager].
func (a *FedDAG) Averages() bool { return true }

// Clusters implements [federation.Clustered].
func (a *FedDAG) Clusters() [][]int { return a.clusters }

// Model implements [federation.Algorithm]: a client predicts with the model of its cluster.
func (a *FedDAG) Model(client int) federation.Model {
	return federation.Model{Net: a.net, State: a.states[a.clusterOf[client]]}
}

// Models implements [federation.Algorithm]. A dissolved cluster has no model.
func (a *FedDAG) Models() []federation.NamedModel {
	var models []federation.NamedModel
	for z, s := range a.states {
		if s != nil {
			models = append(models, federation.NamedModel{Name: clusterName(z), Model: federation.Model{Net: a.net, State: s}})
		}
	}
	return models
}

// clusterName returns the name of cluster z's model, in reports and in checkpoints.
func clusterName(z int) string { return fmt.Sprintf("cluster-%d", z) }

// classifierName returns the name of ψ_z in checkpoints.
func classifierName(z int) string { return fmt.Sprintf("classifier-%d", z) }

// Close implements [federation.Algorithm].
func (a *FedDAG) Close() {
	a.states.Close()
	a.classifiers.Close()
}
