package feddag

import (
	"strings"

	"feddag/federation"
	"feddag/similarity"

	"github.com/spf13/pflag"
)

// Flags implements [federation.Flagger]. The three variants share the flags of the sketches and of the clustering. The flags of
// the secondary encoder are declared only for a variant that has one.
func (a *FedDAG) Flags(fs *pflag.FlagSet) {
	a.sketchFlags(fs)
	federation.FlagGroup(fs, federation.ClusteringFlags, a.clusteringFlags)
	a.trainingFlags(fs)
}

// oneOf returns the end of a flag's help text that lists the values of the flag.
func oneOf(known []string) string { return ": " + strings.Join(known, ", ") }

// sketchFlags declares the flags of phase 1: how the clusters are found, the warm-up, and what the clients send for the
// similarity.
func (a *FedDAG) sketchFlags(fs *pflag.FlagSet) {
	federation.FlagGroup(fs, federation.ClusteringFlags, func(fs *pflag.FlagSet) {
		fs.StringVar(&a.ClustersBy, "feddag-clustering", a.ClustersBy, clusterFinders.help("what finds the clusters"))
	})
	federation.SetEarlier(fs, "feddag-clustering", ClustersBySimilarity)
	federation.FlagGroup(fs, federation.TrainingFlags, func(fs *pflag.FlagSet) {
		fs.Var(warmUpValue{a}, "feddag-warmup-rounds", "tg, number of rounds of E epochs that each client trains alone before the first round; the models start from the result; 0 for no warm-up (default 0, or 2 with --feddag-clustering "+ClustersBySimilarity+", which needs them)")
	})
	federation.SetEarlier(fs, "feddag-warmup-rounds", "2")
	fs.Float64Var(&a.MaskFraction, "feddag-mask", a.MaskFraction, "fraction of the coordinates of its warm-up update that a client sends")
	fs.StringVar(&a.PrincipalVectors, "feddag-principal-vectors", a.PrincipalVectors, "p, number of principal vectors per class: a fraction of the client's samples of the class (0.01) or a count (3)")
	fs.IntVar(&a.SVDSamples, "feddag-svd-samples", a.SVDSamples, "maximum number of images per class from which the principal vectors are computed; 0 for all of them")
}

// clusteringFlags declares the flags of phases 2 to 4: the similarity, the search for the clusters and the CC-graph.
func (a *FedDAG) clusteringFlags(fs *pflag.FlagSet) {
	c := &a.Clustering
	fs.StringVar(&c.Rules, "feddag-rules", c.Rules, "rules for angles and weights"+oneOf(similarity.RuleSets))
	fs.Float64Var(&c.Delta, "feddag-delta", c.Delta, "δ; the class-frequency weights lie in 1-δ..1+δ")
	fs.Float64Var(&c.Epsilon, "feddag-epsilon", c.Epsilon, "ε, which is added to the class counts before the logarithm")
	fs.StringVar(&c.Angle, "feddag-angle", c.Angle, "angle between two clients in a class"+oneOf(similarity.AngleNames)+" (between two principal vectors, eq. 4, or between the subspaces)")
	fs.StringVar(&c.Fusion, "feddag-fusion", c.Fusion, "gates that weigh the gradients against the data"+oneOf(similarity.FusionNames)+" (shared: one gate for all clients; fixed:0: data only, fixed:1: gradients only)")

	fs.StringVar(&c.Method, "feddag-method", c.Method, "clustering method"+oneOf(similarity.MethodNames))
	fs.StringVar(&c.Linkage, "feddag-linkage", c.Linkage, "linkage"+oneOf(similarity.LinkageNames))
	fs.StringVar(&c.Scaling, "feddag-scaling", c.Scaling, "width of the spectral affinity"+oneOf(similarity.ScalingNames))
	fs.StringVar(&c.Choose, "feddag-choose", c.Choose, "rule that chooses the number of clusters"+oneOf(similarity.ChoiceNames))
	fs.BoolVar(&c.Concepts, "feddag-concepts", c.Concepts, "if some clients label the same images differently, merge the clusters that do not differ in this way (linkage only)")
	fs.Float64Var(&c.Gamma, "feddag-gamma", c.Gamma, "γ of the clustering loss: deviation of the cluster sizes, in standard deviations, that costs nothing")
	fs.Float64Var(&c.Tau, "feddag-tau", c.Tau, "τ of the clustering loss: temperature, in clients")
	fs.Float64Var(&c.Lambda, "feddag-lambda", c.Lambda, "λ of the clustering loss: weight of the size term")
	fs.IntVar(&c.MaxClusters, "feddag-max-clusters", c.MaxClusters, "largest number of clusters that is considered")
	fs.IntVar(&c.TopK, "feddag-top-k", c.TopK, "k, number of sources of each cluster in the graph of complementary clusters (CC-graph)")
	fs.BoolVar(&c.Alignment, "feddag-alignment", c.Alignment, "weigh the edges of the CC-graph by class alignment (eq. 14) instead of eq. 12")
}

// trainingFlags declares the flags of phase 5 and of the clients that change during the run. The flags of the initial models
// are not in the group of the rounds, because they decide what the clients send after the warm-up.
func (a *FedDAG) trainingFlags(fs *pflag.FlagSet) {
	federation.FlagGroup(fs, federation.RoundFlags, func(fs *pflag.FlagSet) {
		fs.Float64Var(&a.ShiftFactor, "feddag-shift", a.ShiftFactor, "factor of eq. 41: a check reassigns a client if its class histogram has moved by more than this times n/C samples (W1 distance; n samples, C classes)")
	})
	federation.FlagGroup(fs, federation.RoundFlags, func(fs *pflag.FlagSet) {
		fs.StringVar(&a.Body, "feddag-body", a.Body, bodySharings.help("which parts of their networks related clusters train together"))
	})
	federation.SetEarlier(fs, "feddag-body", BodyOwn)
	federation.FlagGroup(fs, federation.TrainingFlags, func(fs *pflag.FlagSet) {
		fs.StringVar(&a.PrimaryInit, "feddag-primary-init", a.PrimaryInit, primaryInits.help("initial primary encoder"))
	})
	if a.Variant == StarVariant {
		return
	}
	if a.Variant == FullVariant {
		federation.FlagGroup(fs, federation.TrainingFlags, func(fs *pflag.FlagSet) {
			fs.IntVar(&a.Encoders, "feddag-encoders", a.Encoders, "number of encoders of each cluster's network: 1, or 2, as in the paper, where the second one learns from other clusters")
		})
		federation.SetEarlier(fs, "feddag-encoders", "2")
	}
	federation.FlagGroup(fs, federation.TrainingFlags, func(fs *pflag.FlagSet) {
		fs.StringVar(&a.HeadInit, "feddag-head-init", a.HeadInit, headInits.help("initial head"))
		fs.StringVar(&a.SecondaryInit, "feddag-secondary-init", a.SecondaryInit, secondaryInits.help("initial secondary encoder"))
	})
	federation.FlagGroup(fs, federation.RoundFlags, func(fs *pflag.FlagSet) {
		fs.StringVar(&a.Sources, "feddag-sources", a.Sources, sourceRules.help("how a learner combines several sources"))
		fs.BoolVar(&a.OwnSource, "feddag-own-source", a.OwnSource, "let a cluster's secondary encoder learn from the cluster's own clients too")
		fs.Float64Var(&a.ServerRate, "feddag-server-rate", a.ServerRate, "η2, server learning rate of the secondary encoders")
		fs.Float64Var(&a.RateDecay, "feddag-rate-decay", a.RateDecay, "factor by which η2 is multiplied in each round")
		fs.StringVar(&a.Schedule, "feddag-schedule", a.Schedule, "rounds with a secondary phase: "+ScheduleBoth+" (every round), K:1 (every K-th round)")
		fs.StringVar(&a.Order, "feddag-order", a.Order, phaseOrders.help("order of the phases of a round"))
	})
	federation.FlagGroup(fs, federation.TrainingFlags, func(fs *pflag.FlagSet) {
		fs.StringVar(&a.SecondaryHead, "feddag-secondary-head", a.SecondaryHead, secondaryHeads.help("head that the secondary encoder trains under"))
	})
	federation.FlagGroup(fs, federation.RoundFlags, func(fs *pflag.FlagSet) {
		fs.IntVar(&a.HeadEpochs, "feddag-head-epochs", a.HeadEpochs, "epochs per round in which the heads train alone after a secondary phase; 0 is none")
		fs.Float64Var(&a.Diversity, "feddag-diversity", a.Diversity, "λ_div, weight of the squared cosine between the two encoders' features in the primary phase (A.11 uses it with --feddag-primary-init common, --feddag-secondary-init random and --feddag-head-init random); 0 is none")
	})
}

// secondEncoderFlags are the flags of the second encoder.
var secondEncoderFlags = []string{
	"feddag-head-init", "feddag-secondary-init", "feddag-sources", "feddag-own-source", "feddag-server-rate", "feddag-rate-decay",
	"feddag-schedule", "feddag-order", "feddag-secondary-head", "feddag-head-epochs", "feddag-diversity",
}

// Unread implements [federation.Unreader]. FedDAG* and FedDAG† never learn along the CC-graph, so the flags of the graph have no
// effect on their models. FedDAG shows the graph, and learns along it with two encoders.
func (a *FedDAG) Unread() []federation.UnreadFlag {
	var unread []federation.UnreadFlag
	add := func(where, who string, never bool, names ...string) {
		for _, name := range names {
			unread = append(unread, federation.UnreadFlag{Name: name, Where: where, Who: who, Never: never})
		}
	}
	if a.Variant != FullVariant {
		where, who := "with --algorithm feddag-"+a.Variant, "it is read by --algorithm feddag, whose clusters learn from each other"
		add(where, who, true, "feddag-top-k", "feddag-alignment")
		if a.dual() {
			add(where, who, true, "feddag-sources", "feddag-own-source")
		}
	} else if !a.dual() {
		add("with --feddag-encoders 1", "it is read by --feddag-encoders 2", false, secondEncoderFlags...)
	}
	if a.ClustersBy == ClustersByTest {
		add("with --feddag-clustering "+ClustersByTest, "it is read by --feddag-clustering "+ClustersBySimilarity, false, a.similarityFlags()...)
		if !a.sendsWarmUpWeights() {
			add("if no part of a model starts from the warm-up", "it is read by --feddag-primary-init "+PrimaryInitWarm, false, "feddag-warmup-rounds")
		} else if a.warmUpRounds() == 0 {
			add("with --feddag-warmup-rounds 0, where every primary encoder starts at θ^0", "it is read by --feddag-warmup-rounds 1 or more", false, "feddag-primary-init")
		}
		return unread
	}
	c := a.Clustering
	if c.Rules == "prototype" {
		add("with --feddag-rules prototype", "it is read by --feddag-rules paper", false, "feddag-delta", "feddag-epsilon")
	}
	if c.Method == "linkage" {
		unread = append(unread, federation.UnreadFlag{
			Name: "feddag-scaling", Where: "with --feddag-method linkage", Who: "it is read by --feddag-method spectral, and by feddag cluster --compare", Compared: true,
		})
	}
	if c.Method == "spectral" {
		add("with --feddag-method spectral", "it is read by --feddag-method linkage", false, "feddag-linkage", "feddag-concepts")
	} else if strings.HasPrefix(c.Choose, "count:") || strings.HasPrefix(c.Choose, "fixed:") {
		add("with --feddag-choose "+c.Choose+", which says how many clusters there are", "it is read by the rules "+strings.Join(similarity.ChoiceRules(), ", "), false, "feddag-concepts")
	}
	return unread
}

// similarityFlags returns the names of the flags that only the similarity reads. Among the flags of the clustering, the tests
// read only the number of sources.
func (a *FedDAG) similarityFlags() []string {
	names := []string{"feddag-mask", "feddag-principal-vectors", "feddag-svd-samples", "feddag-shift"}
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	fs.SortFlags = false
	a.clusteringFlags(fs)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Name != "feddag-top-k" {
			names = append(names, f.Name)
		}
	})
	return names
}
