package feddag

import (
	"fmt"
	"strconv"
	"strings"

	"feddag/internal/spelling"
	"feddag/similarity"
)

// Values of FedDAG.PrimaryInit. Their meanings are in primaryInits.
const (
	PrimaryInitWarm   = "warm"
	PrimaryInitCommon = "common"
)

// Values of FedDAG.HeadInit. Their meanings are in headInits.
const (
	HeadInitWarm   = "warm"
	HeadInitBoth   = "both"
	HeadInitRandom = "random"
)

// Values of FedDAG.SecondaryInit. Their meanings are in secondaryInits.
const (
	SecondaryInitRandom  = "random"
	SecondaryInitPrimary = "primary"
	SecondaryInitGlobal  = "global"
)

// Values of FedDAG.Sources. Their meanings are in sourceRules.
const (
	SourcesMean     = "mean"
	SourcesWeighted = "weighted"
	SourcesSum      = "sum"
)

// Values of FedDAG.Order. Their meanings are in phaseOrders.
const (
	OrderParallel       = "parallel"
	OrderPrimaryFirst   = "primary-first"
	OrderSecondaryFirst = "secondary-first"
)

// Values of FedDAG.SecondaryHead. Their meanings are in secondaryHeads.
const (
	SecondaryHeadFull = "full"
	SecondaryHeadOwn  = "own"
)

// ScheduleBoth is the value of FedDAG.Schedule for a secondary phase in every round.
const ScheduleBoth = "both"

// choice is a value of an option and its meaning, for the help of the flag. The meaning may be empty.
type choice struct{ value, meaning string }

// choices are the values that an option may have, in the order in which the help lists them.
type choices []choice

// The values of each option. Validate, the help of the flags and the error for an unknown value read them from here.
var (
	clusterFinders = choices{
		{ClustersByTest, "statistical tests of image features, without training"},
		{ClustersBySimilarity, "the paper's proximity matrix of gradients and data, cut by a rule"},
	}
	bodySharings = choices{
		{BodyOwn, "each cluster trains a network of its own"},
		{BodyAlike, "clusters train an encoder together if their images are alike, whatever their labels, or if they hold the same classes"},
		{BodyParts, "as alike, but clusters whose images differ have a first layer each, and clusters that name the same classes alike train the head together, too"},
		{BodyAll, "all clusters train one encoder, and have a head each"},
	}
	primaryInits = choices{
		{PrimaryInitWarm, "the mean of the cluster's clients after the warm-up, eq. 22; θ^0 without a warm-up"},
		{PrimaryInitCommon, "θ^0"},
	}
	headInits = choices{
		{HeadInitWarm, "the head after the warm-up on the primary encoder's features, zeros on the secondary's"},
		{HeadInitBoth, "half of the head after the warm-up on each encoder's features"},
		{HeadInitRandom, "algorithm 1"},
	}
	secondaryInits = choices{
		{SecondaryInitRandom, "as in algorithm 1, the same for all clusters"},
		{SecondaryInitPrimary, "a copy of the primary encoder"},
		{SecondaryInitGlobal, "the mean of all clients after the warm-up; random without a warm-up"},
	}
	sourceRules = choices{
		{SourcesMean, ""},
		{SourcesWeighted, "the mean weighted by H"},
		{SourcesSum, "eq. 21"},
	}
	phaseOrders = choices{
		{OrderParallel, "both phases start from the models at the start of the round, eq. 19"},
		{OrderPrimaryFirst, "the secondary encoder trains under each client's newly trained primary encoder and head"},
		{OrderSecondaryFirst, "the primary encoder and the head train on top of the new secondary encoder"},
	}
	secondaryHeads = choices{
		{SecondaryHeadFull, "the head on both encoders, eq. 19"},
		{SecondaryHeadOwn, "a classifier of its own, which each source keeps"},
	}
)

// names returns the values without their meanings.
func (c choices) names() []string {
	names := make([]string, len(c))
	for i, x := range c {
		names[i] = x.value
	}
	return names
}

// help returns the help of a flag: what, which describes the option, and its values with their meanings.
func (c choices) help(what string) string {
	values := make([]string, len(c))
	for i, x := range c {
		values[i] = x.value
		if x.meaning != "" {
			values[i] += " (" + x.meaning + ")"
		}
	}
	return what + ": " + strings.Join(values, ", ")
}

// Validate implements [federation.Validator].
func (a *FedDAG) Validate() error {
	for _, option := range []struct {
		flag, value string
		known       choices
	}{
		{"feddag-clustering", a.ClustersBy, clusterFinders},
		{"feddag-body", a.Body, bodySharings},
		{"feddag-primary-init", a.PrimaryInit, primaryInits},
		{"feddag-head-init", a.HeadInit, headInits},
		{"feddag-secondary-init", a.SecondaryInit, secondaryInits},
		{"feddag-sources", a.Sources, sourceRules},
		{"feddag-order", a.Order, phaseOrders},
		{"feddag-secondary-head", a.SecondaryHead, secondaryHeads},
	} {
		if err := spelling.OneOf("--"+option.flag, option.value, option.known.names()); err != nil {
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
	case a.Encoders != 1 && a.Encoders != 2:
		return fmt.Errorf("--feddag-encoders is %d: use 1, or 2 for a second encoder that learns from other clusters", a.Encoders)
	case a.warmUpRounds() < 0:
		return fmt.Errorf("--feddag-warmup-rounds is %d: use 0 for no warm-up, or more", a.WarmUpRounds)
	case a.warmUpRounds() == 0 && a.trainsToCluster():
		return fmt.Errorf("--feddag-warmup-rounds is 0, but --feddag-clustering %s compares the updates of the warm-up: use 1 or more, or --feddag-clustering %s",
			ClustersBySimilarity, ClustersByTest)
	case !(a.MaskFraction > 0 && a.MaskFraction <= 1):
		return fmt.Errorf("--feddag-mask is %g: use a fraction above 0 and at most 1", a.MaskFraction)
	case a.SVDSamples < 0:
		return fmt.Errorf("--feddag-svd-samples is %d: use 1 or more, or 0 for all images", a.SVDSamples)
	case !(a.Diversity >= 0 && a.Diversity <= 1e6):
		return fmt.Errorf("--feddag-diversity is %g: use a number from 0 to 1e6", a.Diversity)
	case !(a.ServerRate >= 0 && a.ServerRate <= 1e6):
		return fmt.Errorf("--feddag-server-rate is %g: use a number from 0 to 1e6", a.ServerRate)
	case !(a.RateDecay > 0 && a.RateDecay <= 1):
		return fmt.Errorf("--feddag-rate-decay is %g: use a factor above 0 and at most 1", a.RateDecay)
	case a.HeadEpochs < 0:
		return fmt.Errorf("--feddag-head-epochs is %d: use 1 or more, or 0 for none", a.HeadEpochs)
	case !(a.ShiftFactor >= 0 && a.ShiftFactor <= 1e6):
		return fmt.Errorf("--feddag-shift is %g: use a number from 0 to 1e6", a.ShiftFactor)
	}
	if err := a.Clustering.Validate(); err != nil {
		return fmt.Errorf("clustering options of FedDAG (--feddag-...): %w", err)
	}
	return nil
}

// secondaryPeriod returns the K of the schedule K:1, and 1 for ScheduleBoth.
func (a *FedDAG) secondaryPeriod() (int, error) {
	if a.Schedule == ScheduleBoth {
		return 1, nil
	}
	text, _ := strings.CutSuffix(a.Schedule, ":1")
	k, err := strconv.Atoi(text)
	if err != nil || k < 1 || a.Schedule != fmt.Sprintf("%d:1", k) {
		return 0, fmt.Errorf("--feddag-schedule is %q: use %s, or K:1 with a whole number K of 1 or more", a.Schedule, ScheduleBoth)
	}
	return k, nil
}
