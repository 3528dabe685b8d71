package feddag

import (
	"feddag/similarity"

	"github.com/spf13/pflag"
)

// Presets implements [federation.Presetter]. The preset "paper" follows the text of the paper, "prototype" does what the
// authors' published prototype does. Each sets all flags of the variant, and those of the run in which the two differ.
func (a *FedDAG) Presets() map[string]map[string]string {
	paper := newFedDAG(a.Variant)
	paper.ClustersBy, paper.Clustering = ClustersBySimilarity, similarity.PaperOptions()
	paper.HeadInit, paper.SecondaryInit = HeadInitRandom, SecondaryInitRandom
	paper.SecondaryHead = SecondaryHeadFull
	paper.Sources, paper.OwnSource, paper.Order = SourcesSum, false, OrderParallel

	prototype := newFedDAG(a.Variant)
	prototype.ClustersBy, prototype.Clustering = ClustersBySimilarity, similarity.PrototypeOptions()
	prototype.PrincipalVectors = "3"
	prototype.PrimaryInit, prototype.HeadInit, prototype.SecondaryInit = PrimaryInitCommon, HeadInitRandom, SecondaryInitPrimary
	prototype.SecondaryHead = SecondaryHeadFull
	prototype.Sources, prototype.OwnSource, prototype.Order = SourcesSum, false, OrderPrimaryFirst

	return map[string]map[string]string{
		"paper": paper.addFlagValues(map[string]string{
			"rounds": "200", "batch": "64", "weight-decay": "0.0001", "dropout": "0",
		}),
		"prototype": prototype.addFlagValues(map[string]string{
			"rounds": "161", "batch": "32", "weight-decay": "0", "dropout": "0.5",
		}),
	}
}

// addFlagValues adds the present values of the algorithm's flags, by flag name, to values and returns it.
func (a *FedDAG) addFlagValues(values map[string]string) map[string]string {
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	a.Flags(fs)
	fs.VisitAll(func(f *pflag.Flag) { values[f.Name] = f.Value.String() })
	return values
}
