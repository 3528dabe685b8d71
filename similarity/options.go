package similarity

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Options are the options of phases 2 to 4. Start from DefaultOptions, PaperOptions or PrototypeOptions.
type Options struct {
	// Rules is "paper" (angle of |cosine|, 90 degrees if one client lacks the class, weight from the ratio of ln(n+ε),
	// scaled to 1-δ..1+δ) or "prototype" (signed angle, 180 degrees if one client lacks the class, weight from the ratio of
	// counts, scaled to 1..1.5, weighted angle capped at 180 degrees).
	Rules          string
	Delta, Epsilon float64 // δ and ε of eq. 5; paper rules only

	// Angle is "pair" (the smallest angle between two principal vectors, eq. 4) or "principal" (the smallest angle between
	// any two vectors of the spans, which is the first principal angle of the subspaces). The latter has no sign, so it
	// cannot be used with the prototype's rules.
	Angle string

	// Fusion says how the gates of eq. 7 and 8 are found: "shared" (one gate for all clients, not in the paper), "mlp",
	// "direct", or "fixed:x" with x in 0 (data only) .. 1 (gradient only). See LearnGates.
	Fusion string

	Method  string // "linkage" or "spectral"
	Linkage string // "ward", "average", "complete", "weighted" or "single"
	Scaling string // width of the spectral affinity: "local" or "global"

	// Choose is the rule that chooses one of the candidates: "silhouette" (the default), "bend" (of the distance within
	// clusters), "ratio" (of merge heights; linkage only), "eigengap" (spectral only), "loss" (eq. 10), "fixed:α" (the cut at
	// α; linkage only) or "count:Z". See Search.
	Choose             string
	Concepts           bool    // under concept shift, merge clusters that label the same images alike (concepts.go)
	Gamma, Tau, Lambda float64 // γ, τ and λ of eq. 9, 10
	MaxClusters        int     // candidates have 1..MaxClusters clusters

	TopK      int  // largest number of sources of each learner in the CC-graph
	Alignment bool // eq. 14 (true) or eq. 12 (false)

	Seed uint64 // seed of the initial gate network and of k-means++
}

// DefaultOptions returns the paper's values, with four differences. Ward's linkage is used because average linkage mixes
// concepts if concepts differ and labels are uneven; otherwise the other linkages find the same clusters. The number of
// clusters is chosen by the highest mean silhouette, with Concepts. And there is one gate for all clients. With one gate per
// client, the entropy of eq. 8 is lowest if each gate is 0 or 1. Then the distance of a pair in A is either one angle or the
// other, depending on the gate of the client with the smaller number, and Ward's tree mixes concepts with some seeds
// (docs/similarity.md).
func DefaultOptions() Options {
	return Options{
		Rules: "paper", Delta: 0.6, Epsilon: 1, Angle: "pair",
		Fusion: "shared",
		Method: "linkage", Linkage: "ward", Scaling: "local",
		Choose: "silhouette", Concepts: true, Gamma: 1, Tau: 1, Lambda: 0.01, MaxClusters: 30,
		TopK: 2, Alignment: true,
	}
}

// PaperOptions returns DefaultOptions with the paper's gate network, average linkage, and the choice of the clusters by the
// paper's loss.
func PaperOptions() Options {
	o := DefaultOptions()
	o.Fusion, o.Linkage, o.Choose, o.Concepts = "mlp", "average", "loss", false
	return o
}

// PrototypeOptions returns the options of the authors' published prototype: its rules for angles and weights, the gate network,
// single linkage cut at 0.4, and a CC-graph without alignment.
func PrototypeOptions() Options {
	o := DefaultOptions()
	o.Rules, o.Fusion, o.Linkage, o.Choose, o.Concepts, o.Alignment = "prototype", "mlp", "single", "fixed:0.4", false, false
	return o
}

// The values of the options, in the order in which help texts list them.
var (
	RuleSets       = []string{"paper", "prototype"}
	AngleNames     = []string{"pair", "principal"}
	FusionNames    = []string{"shared", "mlp", "direct", "fixed:x"}
	MethodNames    = []string{"linkage", "spectral"}
	LinkageNames   = []string{"ward", "average", "complete", "weighted", "single"}
	ScalingNames   = []string{"local", "global"}
	ChoiceNames    = []string{"silhouette", "bend", "ratio", "eigengap", "loss", "fixed:α", "count:Z"}
	linkageChoices = []string{"ratio", "fixed"} // need a dendrogram
)

// ChoiceRules returns the names of the choice rules that need no number.
func ChoiceRules() []string {
	return slices.DeleteFunc(slices.Clone(ChoiceNames), func(name string) bool { return strings.Contains(name, ":") })
}

// Validate returns an error for the first option with an invalid value. The error lists the values that the option may take.
func (o Options) Validate() error {
	for _, v := range []struct {
		name, value string
		known       []string
	}{
		{"rules", o.Rules, RuleSets},
		{"angle", o.Angle, AngleNames},
		{"method", o.Method, MethodNames},
		{"linkage", o.Linkage, LinkageNames},
		{"scaling", o.Scaling, ScalingNames},
	} {
		if !slices.Contains(v.known, v.value) {
			return fmt.Errorf("%s %q is unknown: use one of %s", v.name, v.value, strings.Join(v.known, ", "))
		}
	}
	if o.Angle == "principal" && o.Rules == "prototype" {
		return fmt.Errorf("angle %q has no sign, but the rules %q need one: use angle pair or rules paper", o.Angle, o.Rules)
	}
	if _, _, err := o.fusion(); err != nil {
		return err
	}
	if _, _, err := o.choice(); err != nil {
		return err
	}
	for _, v := range []struct {
		name             string
		value, low, high float64
	}{
		{"delta", o.Delta, 0, 1},
		{"epsilon", o.Epsilon, 0, 1e9},
		{"gamma", o.Gamma, 0, 1e9},
		{"tau", o.Tau, 1e-9, 1e9},
		{"lambda", o.Lambda, 0, 1e9},
	} {
		if !(v.value >= v.low && v.value <= v.high) {
			return fmt.Errorf("%s is %g: use a number in %g..%g", v.name, v.value, v.low, v.high)
		}
	}
	if o.MaxClusters < 1 {
		return fmt.Errorf("max clusters is %d: use 1 or more", o.MaxClusters)
	}
	if o.TopK < 0 {
		return fmt.Errorf("top k is %d: use 0 or more", o.TopK)
	}
	return nil
}

// fusion splits Fusion into its name and, for fixed:x, the gate x.
func (o Options) fusion() (name string, x float64, err error) {
	text, fixed := strings.CutPrefix(o.Fusion, "fixed:")
	if !fixed && slices.Contains(FusionNames, o.Fusion) {
		return o.Fusion, 0, nil
	}
	x, err = strconv.ParseFloat(text, 64)
	if !fixed || err != nil || !(x >= 0 && x <= 1) {
		return "", 0, fmt.Errorf("fusion %q is unknown: use one of %s, x in 0..1", o.Fusion, strings.Join(FusionNames, ", "))
	}
	return "fixed", x, nil
}

// choice splits Choose into its name and, for fixed:α and count:Z, the number.
func (o Options) choice() (name string, x float64, err error) {
	name, text, numbered := strings.Cut(o.Choose, ":")
	bad := fmt.Errorf("choice rule %q is unknown: use one of %s, α >= 0, Z >= 1", o.Choose, strings.Join(ChoiceNames, ", "))
	switch {
	case !numbered && slices.Contains(ChoiceNames, name):
	case numbered && name == "fixed":
		if x, err = strconv.ParseFloat(text, 64); err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return "", 0, bad
		}
	case numbered && name == "count":
		z, err := strconv.Atoi(text)
		if err != nil || z < 1 {
			return "", 0, bad
		}
		x = float64(z)
	default:
		return "", 0, bad
	}
	if o.Method == "spectral" && slices.Contains(linkageChoices, name) {
		return "", 0, fmt.Errorf("choice rule %q needs a dendrogram: use silhouette, loss or count:Z with spectral clustering", o.Choose)
	}
	if o.Method != "spectral" && name == "eigengap" {
		return "", 0, fmt.Errorf("choice rule %q needs eigenvalues: use it with spectral clustering", o.Choose)
	}
	return name, x, nil
}
