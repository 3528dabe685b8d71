package feddag

import (
	"strings"

	"feddag/federation"
	"feddag/similarity"

	"github.com/spf13/pflag"
)

// Flags implements [federation.Flagger]. The three variants share the flags of the sketches and of the clustering.
func (a *FedDAG) Flags(fs *pflag.FlagSet) {
	a.sketchFlags(fs)
	federation.FlagGroup(fs, federation.ClusteringFlags, a.clusteringFlags)
	a.trainingFlags(fs)
}

// oneOf lists the values that a flag may have.
func oneOf(known []string) string { return ": " + strings.Join(known, ", ") }

// sketchFlags declares the flags of phase 1: the warm-up, and what the clients send.
func (a *FedDAG) sketchFlags(fs *pflag.FlagSet) {
	fs.IntVar(&a.WarmUpRounds, "feddag-warmup-rounds", a.WarmUpRounds, "tg, rounds of E epochs that each client trains alone first")
	fs.Float64Var(&a.MaskFraction, "feddag-mask", a.MaskFraction, "fraction of the coordinates of its warm-up update that a client sends")
	fs.StringVar(&a.PrincipalVectors, "feddag-principal-vectors", a.PrincipalVectors, "p, principal vectors per class: a fraction of the client's samples of the class (0.01) or a count (3)")
	fs.IntVar(&a.SVDSamples, "feddag-svd-samples", a.SVDSamples, "maximum number of images of a class that the principal vectors are computed from; 0 is all of them")
}

// clusteringFlags declares the flags of phases 2 to 4: similarity, search for the clusters, CC-graph.
func (a *FedDAG) clusteringFlags(fs *pflag.FlagSet) {
	c := &a.Clustering
	fs.StringVar(&c.Rules, "feddag-rules", c.Rules, "rules for angles and weights"+oneOf(similarity.RuleSets))
	fs.Float64Var(&c.Delta, "feddag-delta", c.Delta, "δ; class-frequency weights lie in 1-δ..1+δ")
	fs.Float64Var(&c.Epsilon, "feddag-epsilon", c.Epsilon, "ε, added to counts before the logarithm")
	fs.StringVar(&c.Angle, "feddag-angle", c.Angle, "angle between two clients in a class"+oneOf(similarity.AngleNames)+" (between two principal vectors, eq. 4, or between the subspaces)")
	fs.StringVar(&c.Fusion, "feddag-fusion", c.Fusion, "gates between gradient and data"+oneOf(similarity.FusionNames)+" (shared: one gate for all clients; fixed:0 is data only, fixed:1 is gradient only)")

	fs.StringVar(&c.Method, "feddag-method", c.Method, "clustering method"+oneOf(similarity.MethodNames))
	fs.StringVar(&c.Linkage, "feddag-linkage", c.Linkage, "linkage"+oneOf(similarity.LinkageNames))
	fs.StringVar(&c.Scaling, "feddag-scaling", c.Scaling, "width of the spectral affinity"+oneOf(similarity.ScalingNames))
	fs.StringVar(&c.Choose, "feddag-choose", c.Choose, "rule that chooses the number of clusters"+oneOf(similarity.ChoiceNames))
	fs.BoolVar(&c.Concepts, "feddag-concepts", c.Concepts, "where some clients label the same images differently, merge clusters that do not differ in this way (linkage only)")
	fs.Float64Var(&c.Gamma, "feddag-gamma", c.Gamma, "γ of the clustering loss: deviation of the cluster sizes, in standard deviations, that costs nothing")
	fs.Float64Var(&c.Tau, "feddag-tau", c.Tau, "τ of the clustering loss: temperature, in clients")
	fs.Float64Var(&c.Lambda, "feddag-lambda", c.Lambda, "λ of the clustering loss: weight of the size term")
	fs.IntVar(&c.MaxClusters, "feddag-max-clusters", c.MaxClusters, "largest number of clusters that is considered")
	fs.IntVar(&c.TopK, "feddag-top-k", c.TopK, "k, number of sources of each cluster in the graph of complementary clusters (CC-graph)")
	fs.BoolVar(&c.Alignment, "feddag-alignment", c.Alignment, "weigh the edges of the CC-graph by class alignment (eq. 14) instead of eq. 12")
}

// trainingFlags declares the flags of phase 5 and of clients that change during the run.
func (a *FedDAG) trainingFlags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.ShiftFactor, "feddag-shift", a.ShiftFactor, "factor of eq. 41: a check reassigns a client if its class histogram has moved (W1) by more than this times n/C samples")
	fs.StringVar(&a.PrimaryInit, "feddag-primary-init", a.PrimaryInit, "initial primary encoder: warm (the mean after the warm-up, eq. 22), common (θ^0)")
	if !a.dual() {
		return
	}
	fs.StringVar(&a.HeadInit, "feddag-head-init", a.HeadInit, "initial head: warm (the warm-up's head on the primary's features), both (half of it on each encoder's features), random (algorithm 1)")
	fs.StringVar(&a.SecondaryInit, "feddag-secondary-init", a.SecondaryInit, "initial secondary encoder: random, primary (a copy of the primary), global (the mean of all clients after the warm-up)")
	fs.StringVar(&a.Sources, "feddag-sources", a.Sources, "how a learner combines several sources: mean, weighted (mean weighted by H), sum (eq. 21)")
	fs.BoolVar(&a.OwnSource, "feddag-own-source", a.OwnSource, "a cluster's secondary encoder learns from the cluster's own clients too")
	fs.Float64Var(&a.ServerRate, "feddag-server-rate", a.ServerRate, "η2, server learning rate of the secondary encoders")
	fs.Float64Var(&a.RateDecay, "feddag-rate-decay", a.RateDecay, "factor by which η2 is multiplied in each round")
	fs.StringVar(&a.Schedule, "feddag-schedule", a.Schedule, "rounds with a secondary phase: both (every round), K:1 (every K-th round)")
	fs.StringVar(&a.Order, "feddag-order", a.Order, "order of the phases of a round: parallel (both start from the models of the round's start, eq. 19), primary-first (the secondary trains under each client's newly trained primary encoder and head), secondary-first (primary and head train on top of the new secondary)")
	fs.StringVar(&a.SecondaryHead, "feddag-secondary-head", a.SecondaryHead, "head that the secondary encoder trains under: full (the head on both encoders, eq. 19), own (a classifier of its own, which each source keeps)")
	fs.IntVar(&a.HeadEpochs, "feddag-head-epochs", a.HeadEpochs, "epochs in which the heads train alone after a secondary phase; 0 is none")
	fs.Float64Var(&a.Diversity, "feddag-diversity", a.Diversity, "λ_div, weight of the squared cosine between the two encoders' features in the primary phase (A.11 uses it with --feddag-primary-init common, --feddag-secondary-init random and --feddag-head-init random); 0 is none")
}

// Presets implements [Presetter]: the letter of the paper, and what the authors' published prototype does. Each sets all
// of FedDAG's flags.
func (a *FedDAG) Presets() map[string]map[string]string {
	paper := newFedDAG(a.Variant)
	paper.Clustering = similarity.PaperOptions()
	paper.HeadInit, paper.SecondaryInit, paper.SecondaryHead = "random", "random", "full"
	paper.Sources, paper.OwnSource, paper.Order = "sum", false, "parallel"

	prototype := newFedDAG(a.Variant)
	prototype.Clustering = similarity.PrototypeOptions()
	prototype.PrincipalVectors = "3"
	prototype.PrimaryInit, prototype.HeadInit, prototype.SecondaryInit = "common", "random", "primary"
	prototype.SecondaryHead = "full"
	prototype.Sources, prototype.OwnSource, prototype.Order = "sum", false, "primary-first"

	return map[string]map[string]string{
		"paper": paper.values(map[string]string{
			"rounds": "200", "batch": "64", "weight-decay": "0.0001", "dropout": "0",
		}),
		"prototype": prototype.values(map[string]string{
			"rounds": "161", "batch": "32", "weight-decay": "0", "dropout": "0.5",
		}),
	}
}

// values adds the algorithm's flags, as they stand, to others.
func (a *FedDAG) values(others map[string]string) map[string]string {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	a.Flags(fs)
	fs.VisitAll(func(f *pflag.Flag) { others[f.Name] = f.Value.String() })
	return others
}
