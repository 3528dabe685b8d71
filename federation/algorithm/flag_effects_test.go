package algorithm_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
	"feddag/similarity"

	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/mat"
)

// flagEffects has, for each flag of a method, a value that changes a tiny run, and the flags that must be given beside it.
var flagEffects = map[string]struct{ value, with string }{
	"cfl-calibrate":            {"true", cflSplits},
	"cfl-eps1":                 {"0", cflSplits},
	"cfl-eps2":                 {"1000", cflSplits},
	"cfl-from":                 {"1", "--cfl-calibrate=false --cfl-eps1=100 --cfl-eps2=0"},
	"cfl-full":                 {"true", ""},
	"cfl-gamma-max":            {"0.99", cflSplits},
	"cfl-keep":                 {"false", cflSplits},
	"cfl-gp-clusters":          {"2", ""},
	"cfl-gp-coordinates":       {"1", ""},
	"cfl-gp-normalise":         {"false", "--cfl-gp-clusters=3"},
	"cfl-gp-period":            {"1", "--cfl-gp-clusters=3"},
	"cfl-gp-until":             {"1", "--cfl-gp-clusters=3 --cfl-gp-period=1"},
	"confident-beta":           {"1", ""}, // example_confident_test.go
	"fblg-candidates":          {"1", ""},
	"fedbr-lambda":             {"0.1", ""},
	"fedbr-mean":               {"2", ""},
	"fedbr-mu":                 {"5", ""},
	"fedbr-pseudo-images":      {"3", ""},
	"fedbr-tau1":               {"1", ""},
	"fedbr-tau2":               {"1", ""},
	"feddag-alignment":         {"false", "--feddag-clustering=similarity --feddag-choose=count:4"},
	"feddag-angle":             {"principal", "--feddag-clustering=similarity --feddag-principal-vectors=3"},
	"feddag-body":              {"all", ""},
	"feddag-choose":            {"count:2", "--feddag-clustering=similarity"},
	"feddag-clustering":        {"similarity", ""},
	"feddag-delta":             {"0", "--feddag-clustering=similarity --feddag-fusion=fixed:0"},
	"feddag-diversity":         {"1", ""},
	"feddag-epsilon":           {"100", "--feddag-clustering=similarity --feddag-fusion=fixed:0"},
	"feddag-fusion":            {"fixed:0", "--feddag-clustering=similarity"},
	"feddag-gamma":             {"0", "--feddag-clustering=similarity --feddag-choose=loss"},
	"feddag-head-epochs":       {"1", ""},
	"feddag-head-init":         {"random", "--feddag-warmup-rounds=1"},
	"feddag-lambda":            {"100", "--feddag-clustering=similarity --feddag-choose=loss"},
	"feddag-linkage":           {"single", "--feddag-clustering=similarity"},
	"feddag-mask":              {"0.5", "--feddag-clustering=similarity --feddag-fusion=fixed:1"},
	"feddag-max-clusters":      {"2", "--feddag-clustering=similarity --feddag-choose=loss"},
	"feddag-method":            {"spectral", "--feddag-clustering=similarity --feddag-choose=count:2 --feddag-concepts=false"},
	"feddag-order":             {"parallel", ""},
	"feddag-own-source":        {"false", ""},
	"feddag-primary-init":      {"common", "--feddag-warmup-rounds=1"},
	"feddag-principal-vectors": {"3", "--feddag-clustering=similarity --feddag-angle=principal"},
	"feddag-rate-decay":        {"0.5", ""},
	"feddag-rules":             {"prototype", "--feddag-clustering=similarity"},
	"feddag-scaling":           {"global", spectral + " --feddag-choose=eigengap"},
	"feddag-schedule":          {"2:1", ""},
	"feddag-secondary-head":    {"full", ""},
	"feddag-secondary-init":    {"primary", "--feddag-warmup-rounds=1"},
	"feddag-server-rate":       {"0.5", ""},
	"feddag-sources":           {"sum", ""},
	"feddag-svd-samples":       {"1", "--feddag-clustering=similarity --feddag-fusion=fixed:0"},
	"feddag-tau":               {"100", "--feddag-clustering=similarity --feddag-choose=loss --feddag-lambda=100"},
	"feddag-top-k":             {"1", "--feddag-clustering=similarity --feddag-choose=count:4"},
	"feddag-warmup-rounds":     {"1", ""},
	"fedgwc-compare":           {"columns", "--fedgwc-epsilon=1e9"},
	"fedgwc-epsilon":           {"1e9", ""},
	"fedgwc-gamma":             {"10", "--fedgwc-epsilon=1e9"},
	"fedgwc-losses":            {"0", "--fedgwc-epsilon=1e9"},
	"fedgwc-per-cluster":       {"true", "--fedgwc-epsilon=1e9"},
	"fedmix-epsilon":           {"1", ""},
	"fedmix-group":             {"2", ""},
	"fedmix-lambda":            {"0.5", ""},
	"fedprox-mu":               {"1", ""},
	"fedrc-clusters":           {"2", ""},
	"fedrc-rate":               {"2", ""},
	"fedrc-top":                {"1", ""},
	"fedsoft-clusters":         {"2", ""},
	"fedsoft-everyone":         {"true", ""},
	"fedsoft-lambda":           {"1", ""},
	"fedsoft-per-centre":       {"1", "--fedsoft-clusters=2"},
	"fedsoft-period":           {"1", ""},
	"fedsoft-predict":          {"centre", ""},
	"fedsoft-rate":             {"2", ""},
	"fedsoft-restart":          {"false", ""},
	"fedsoft-sigma":            {"0.5", ""},
	"ifca-clusters":            {"2", ""},
	"ifca-redraw":              {"false", "--ifca-clusters=3"},
	"pacfl-angle":              {"minimum", "--pacfl-choose=count:3"},
	"pacfl-choose":             {"count:2", ""},
	"pacfl-linkage":            {"single", "--pacfl-choose=count:3"},
	"pacfl-vectors":            {"1", "--pacfl-choose=count:3"},
	"per-fedavg-delta":         {"0.1", ""},
	"per-fedavg-inner":         {"0.1", ""},
	"per-fedavg-outer":         {"1", ""},
	"per-fedavg-second-order":  {"false", ""},
	"per-fedavg-steps":         {"0", ""},
	"per-fedavg-uniform":       {"true", ""},
}

// cflSplits lets CFL split every cluster as soon as it can.
const cflSplits = "--cfl-from=1 --cfl-calibrate=false --cfl-eps1=100 --cfl-eps2=0"

// spectral lets FedDAG find its clusters by spectral clustering.
const spectral = "--feddag-clustering=similarity --feddag-method=spectral --feddag-concepts=false"

// withoutEffect are the flags that change nothing among the two planted groups of a tiny run, with the reason.
var withoutEffect = map[string]string{
	"cfl-linkage":       "both linkages cut the two groups apart",
	"feddag-concepts":   "all clients name the classes alike",
	"feddag-shift":      "it is read where a scenario changes the data of clients",
	"fedgwc-most-parts": "two groups have two parts",
}

// TestFlagsHaveAnEffect checks that every flag of every method changes a run: its models, its scores, who predicts with what, or
// what the clusters were found by.
func TestFlagsHaveAnEffect(t *testing.T) {
	plain := map[string]outcome{} // by the method and its flags
	for _, name := range federation.Names() {
		f, ok := federationtest.Algorithm(t, name).(federation.Flagger)
		if !ok || strings.HasPrefix(name, "example-") || strings.HasPrefix(name, "feddag-") {
			continue
		}
		fs := pflag.NewFlagSet(name, pflag.ContinueOnError)
		f.Flags(fs)
		fs.VisitAll(func(flag *pflag.Flag) {
			effect, ok := flagEffects[flag.Name]
			switch {
			case withoutEffect[flag.Name] != "":
				return
			case !ok:
				t.Errorf("--%s: add a value that changes a run to flagEffects", flag.Name)
				return
			}
			t.Run(flag.Name, func(t *testing.T) {
				base := strings.TrimSpace(name + " " + effect.with)
				without, ok := plain[base]
				if !ok {
					without = outcomeOf(t, base)
					plain[base] = without
				}
				if with := outcomeOf(t, base+" --"+flag.Name+"="+effect.value); with.equal(without) {
					t.Errorf("--%s %s changes nothing beside %q", flag.Name, effect.value, effect.with)
				}
			})
		})
	}
}

// outcome is what a run leaves: models, scores, and what its clusters were found by.
type outcome struct {
	models map[string][]float32
	result *federation.Result
	seen   effectRecorder
}

func outcomeOf(t *testing.T, name string) outcome {
	t.Helper()
	var o outcome
	o.models, o.result = federationtest.Finished(t, name, 1, func(e *federation.Env) {
		e.Rounds = 8
		e.Observers = append(e.Observers, &o.seen)
	})
	return o
}

func (o outcome) equal(other outcome) bool {
	return federationtest.EqualModels(o.models, other.models) && federationtest.EqualResults(o.result, other.result) &&
		slices.Equal(o.seen.texts, other.seen.texts)
}

// effectRecorder is an observer that keeps the numbers of clusterings and rounds as text.
type effectRecorder struct {
	federationtest.Silent
	texts []string
}

// Clustered keeps what the clients were clustered by and what came out.
func (r *effectRecorder) Clustered(c *similarity.Result) error {
	for _, m := range []*mat.SymDense{c.Gradient, c.Data, c.Proximity} {
		if m != nil {
			r.texts = append(r.texts, fmt.Sprint(m.RawSymmetric().Data))
		}
	}
	if c.Complementarity != nil {
		r.texts = append(r.texts, fmt.Sprint(c.Complementarity.RawMatrix().Data))
	}
	r.texts = append(r.texts, fmt.Sprint(c.Gates, c.Candidates, c.Clusters, c.Graph))
	return nil
}

// Round keeps the notes of the method and the clusters.
func (r *effectRecorder) Round(result federation.RoundResult) error {
	r.texts = append(r.texts, fmt.Sprint(result.Notes, result.Clusters))
	return nil
}
