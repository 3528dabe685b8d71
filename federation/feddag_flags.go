package federation

import (
	"strings"

	"feddag/similarity"

	"github.com/spf13/pflag"
)

// Flags implements [Flagger]. The three variants share them.
func (a *FedDAG) Flags(fs *pflag.FlagSet) {
	c := &a.Clustering
	one := func(known []string) string { return ": " + strings.Join(known, ", ") }

	fs.IntVar(&a.WarmUpRounds, "feddag-warmup-rounds", a.WarmUpRounds, "tg, rounds of E epochs each client trains alone first")
	fs.Float64Var(&a.MaskFraction, "feddag-mask", a.MaskFraction, "fraction of the warm-up update's coordinates a client sends")
	fs.StringVar(&a.PrincipalVectors, "feddag-principal-vectors", a.PrincipalVectors, "p, principal vectors per class: a fraction of its samples (0.01) or a count (3)")
	fs.IntVar(&a.SVDSamples, "feddag-svd-samples", a.SVDSamples, "images of a class the principal vectors are taken from at most; 0 is all")

	fs.StringVar(&c.Rules, "feddag-rules", c.Rules, "angle and weight rules"+one(similarity.RuleSets))
	fs.Float64Var(&c.Delta, "feddag-delta", c.Delta, "δ, class-frequency weights lie in 1-δ..1+δ")
	fs.Float64Var(&c.Epsilon, "feddag-epsilon", c.Epsilon, "ε, added to counts before the logarithm")
	fs.StringVar(&c.Angle, "feddag-angle", c.Angle, "angle of two clients in a class"+one(similarity.AngleNames)+" (of two principal vectors, eq. 4, or of the spans)")
	fs.StringVar(&c.Fusion, "feddag-fusion", c.Fusion, "gates between gradient and data"+one(similarity.FusionNames)+" (shared is one for all clients; 0 data only, 1 gradient only)")

	fs.StringVar(&c.Method, "feddag-method", c.Method, "clustering"+one(similarity.MethodNames))
	fs.StringVar(&c.Linkage, "feddag-linkage", c.Linkage, "linkage"+one(similarity.LinkageNames))
	fs.StringVar(&c.Scaling, "feddag-scaling", c.Scaling, "width of the spectral affinity"+one(similarity.ScalingNames))
	fs.StringVar(&c.Choose, "feddag-choose", c.Choose, "which number of clusters"+one(similarity.ChoiceNames))
	fs.BoolVar(&c.Concepts, "feddag-concepts", c.Concepts, "fewer clusters than the rule says where some name the same images differently: those that do not are merged (linkage only)")
	fs.Float64Var(&c.Gamma, "feddag-gamma", c.Gamma, "γ of the clustering loss, standard deviations of size that are free")
	fs.Float64Var(&c.Tau, "feddag-tau", c.Tau, "τ of the clustering loss, temperature in clients")
	fs.Float64Var(&c.Lambda, "feddag-lambda", c.Lambda, "λ of the clustering loss, weight of the size term")
	fs.IntVar(&c.MaxClusters, "feddag-max-clusters", c.MaxClusters, "largest number of clusters considered")
	fs.IntVar(&c.TopK, "feddag-top-k", c.TopK, "k, sources of each cluster in the CC-graph")
	fs.BoolVar(&c.Alignment, "feddag-alignment", c.Alignment, "weigh the CC-graph by class alignment (eq. 14), not eq. 12")

	fs.Float64Var(&a.ShiftFactor, "feddag-shift", a.ShiftFactor, "of eq. 41: a check assigns a client anew if its class histogram moved (W1) by more than this times n/C samples")
	fs.StringVar(&a.PrimaryInit, "feddag-primary-init", a.PrimaryInit, "primary encoder at the start: warm (mean of the warm-up's, eq. 22), common (θ^0)")
	if !a.dual() {
		return
	}
	fs.StringVar(&a.HeadInit, "feddag-head-init", a.HeadInit, "head at the start: warm (the warm-up's on the primary's features), both (half of it on each encoder's), random (algorithm 1)")
	fs.StringVar(&a.SecondaryInit, "feddag-secondary-init", a.SecondaryInit, "secondary encoder at the start: random, primary (a copy), global (mean of all clients' warm-up)")
	fs.StringVar(&a.Sources, "feddag-sources", a.Sources, "what a learner's several sources add: their mean, their mean weighted by H, or their sum (eq. 21)")
	fs.BoolVar(&a.OwnSource, "feddag-own-source", a.OwnSource, "a cluster's secondary learns from its own clients too")
	fs.Float64Var(&a.ServerRate, "feddag-server-rate", a.ServerRate, "η2, step along what the sources add")
	fs.Float64Var(&a.RateDecay, "feddag-rate-decay", a.RateDecay, "factor on η2 each round")
	fs.StringVar(&a.Schedule, "feddag-schedule", a.Schedule, "secondary phase: both (every round), K:1 (every K rounds)")
	fs.StringVar(&a.Order, "feddag-order", a.Order, "of a round's phases: parallel (both from the round's start, eq. 19), primary-first (the secondary under each client's just trained primary and head), secondary-first (primary and head on top of the new secondary)")
	fs.StringVar(&a.SecondaryHead, "feddag-secondary-head", a.SecondaryHead, "head that the secondary phase trains under: full (eq. 19), own (a classifier of its own, which each source keeps: the secondary encoder learns to classify by itself)")
	fs.IntVar(&a.HeadEpochs, "feddag-head-epochs", a.HeadEpochs, "epochs of the heads alone after a secondary phase; 0 is none")
	fs.Float64Var(&a.Diversity, "feddag-diversity", a.Diversity, "λ_div, weight of the squared cosine of the two encoders' features in the primary phase (A.11, with --feddag-primary-init common, --feddag-secondary-init random and --feddag-head-init random: both encoders random); 0 is none")
}

// Presets implements [Preseter]: the letter of the paper, and what the authors' published prototype does. Each sets all
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
