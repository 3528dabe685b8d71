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

// flagEffects has, for each flag of a method, a value that changes a tiny run, and the flags that must also be set.
var flagEffects = map[string]struct{ value, with string }{
	"cfl-calibrate":            {"true", cflSplits},
	"cfl-eps1":                 {"0", cflSplits},
	"cfl-eps2":                 {"1000", cflSplits},
	"cfl-from":                 {"1", "--cfl-calibrate=false --cfl-eps1=100 --cfl-eps2=0"},
	"cfl-full":                 {"true", ""},
	"cfl-gamma-max":            {"0.99", cflSplits},
	"cfl-keep":                 {"false", cflSplits},
	"cfl-linkage":              {"single", cflSplits},
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
	"feddag-alignment":         {"false", "--feddag-encoders=2 --feddag-clustering=similarity --feddag-choose=count:4"},
	"feddag-angle":             {"principal", "--feddag-clustering=similarity --feddag-principal-vectors=3"},
	"feddag-body":              {"all", ""},
	"feddag-choose":            {"count:2", "--feddag-clustering=similarity"},
	"feddag-clustering":        {"similarity", ""},
	"feddag-concepts":          {"false", "--feddag-clustering=similarity --feddag-choose=bend"},
	"feddag-delta":             {"0", "--feddag-clustering=similarity --feddag-fusion=fixed:0"},
	"feddag-diversity":         {"1", "--feddag-encoders=2"},
	"feddag-encoders":          {"2", ""},
	"feddag-epsilon":           {"100", "--feddag-clustering=similarity --feddag-fusion=fixed:0"},
	"feddag-fusion":            {"fixed:0", "--feddag-clustering=similarity"},
	"feddag-gamma":             {"0", "--feddag-clustering=similarity --feddag-choose=loss"},
	"feddag-head-epochs":       {"1", "--feddag-encoders=2"},
	"feddag-head-init":         {"random", "--feddag-encoders=2 --feddag-warmup-rounds=1"},
	"feddag-lambda":            {"100", "--feddag-clustering=similarity --feddag-choose=loss"},
	"feddag-linkage":           {"single", "--feddag-clustering=similarity"},
	"feddag-mask":              {"0.5", "--feddag-clustering=similarity --feddag-fusion=fixed:1"},
	"feddag-max-clusters":      {"2", "--feddag-clustering=similarity --feddag-choose=loss"},
	"feddag-method":            {"spectral", "--feddag-clustering=similarity --feddag-choose=count:2 --feddag-concepts=false"},
	"feddag-order":             {"parallel", "--feddag-encoders=2"},
	"feddag-own-source":        {"false", "--feddag-encoders=2"},
	"feddag-primary-init":      {"common", "--feddag-warmup-rounds=1"},
	"feddag-principal-vectors": {"3", "--feddag-clustering=similarity --feddag-angle=principal"},
	"feddag-rate-decay":        {"0.5", "--feddag-encoders=2"},
	"feddag-rules":             {"prototype", "--feddag-clustering=similarity"},
	"feddag-scaling":           {"global", spectral + " --feddag-choose=eigengap"},
	"feddag-schedule":          {"2:1", "--feddag-encoders=2"},
	"feddag-secondary-head":    {"full", "--feddag-encoders=2"},
	"feddag-secondary-init":    {"primary", "--feddag-encoders=2 --feddag-warmup-rounds=1"},
	"feddag-server-rate":       {"0.5", "--feddag-encoders=2"},
	"feddag-shift":             {"9", "--feddag-clustering=similarity"},
	"feddag-sources":           {"sum", "--feddag-encoders=2"},
	"feddag-svd-samples":       {"1", "--feddag-clustering=similarity --feddag-fusion=fixed:0"},
	"feddag-tau":               {"100", "--feddag-clustering=similarity --feddag-choose=loss --feddag-lambda=100"},
	"feddag-top-k":             {"1", "--feddag-encoders=2 --feddag-clustering=similarity --feddag-choose=count:4"},
	"feddag-warmup-rounds":     {"1", ""},
	"fedgwc-compare":           {"columns", "--fedgwc-epsilon=1e9"},
	"fedgwc-epsilon":           {"1e9", ""},
	"fedgwc-gamma":             {"10", "--fedgwc-epsilon=1e9"},
	"fedgwc-losses":            {"0", "--fedgwc-epsilon=1e9"},
	"fedgwc-most-parts":        {"2", "--fedgwc-epsilon=1e9"},
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

// effectProblems are the clients with which a flag has an effect that it does not have with the two planted groups of a tiny run.
var effectProblems = map[string]func(*federation.Env){
	"cfl-linkage":       chainOfLabels,    // both linkages cut two groups apart
	"feddag-concepts":   narrowConcepts,   // without concepts all clients label the classes alike
	"feddag-shift":      shiftingClient,   // it is read if a scenario changes the data of clients
	"fedgwc-most-parts": fourDifficulties, // two groups have two parts
}

// chainOfLabels gives client i a share i/7 of class 3; the rest is class 0.
func chainOfLabels(e *federation.Env) {
	for i, c := range e.Clients {
		for k := range c.Train {
			label := 0
			if k*(len(e.Clients)-1) < i*len(c.Train) {
				label = 3
			}
			c.Train[k] = int32(federationtest.Classes*((i*6+k)%48) + label)
		}
	}
}

// narrowConcepts gives half of the clients of each of two concepts only classes 0 and 1.
func narrowConcepts(e *federation.Env) {
	federationtest.TwoConcepts(e)
	for i, c := range e.Clients {
		if i/2%2 == 1 {
			for k := range c.Train {
				c.Train[k] = c.Train[k]/federationtest.Classes*federationtest.Classes + int32(k%2)
			}
		}
	}
}

// fourDifficulties gives client i the first i mod 4 + 1 classes, and samples only a few clients, so that a cluster may have four
// parts.
func fourDifficulties(e *federation.Env) {
	e.Rate = 0.25
	federationtest.TwoConcepts(e)
	for i, c := range e.Clients {
		c.LabelMap = nil
		for k := range c.Train {
			c.Train[k] = c.Train[k]/federationtest.Classes*federationtest.Classes + int32(k%(i%4+1))
		}
	}
}

// shiftingClient gives client 4 the classes of the other group in round 2, before a check of the clusters.
func shiftingClient(e *federation.Env) {
	var err error
	e.Scenario, err = federation.ParseScenario([]byte(`{"version": 2, "reserve": 0.4, "check_every": 2, "events": [{"round": 2, "shift": 4, "labels": [2, 3]}]}`))
	if err != nil {
		panic(err) // the text is constant
	}
}

// TestFlagsHaveAnEffect checks that every flag of every method changes a run: its models, its scores, the models with which
// clients predict, or the method that finds the clusters.
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
			if !ok {
				t.Errorf("--%s: add a value that changes a run to flagEffects", flag.Name)
				return
			}
			t.Run(flag.Name, func(t *testing.T) {
				base := strings.TrimSpace(name + " " + effect.with)
				problem := effectProblems[flag.Name]
				without, ok := plain[base]
				if !ok || problem != nil {
					without = outcomeOf(t, base, problem)
				}
				if problem == nil {
					plain[base] = without
				}
				if with := outcomeOf(t, base+" --"+flag.Name+"="+effect.value, problem); with.equal(without) {
					t.Errorf("--%s %s changes nothing beside %q", flag.Name, effect.value, effect.with)
				}
			})
		})
	}
}

// outcome is the result of a run: models, scores, and the data of its clustering.
type outcome struct {
	models map[string][]float32
	result *federation.Result
	seen   effectRecorder
}

// outcomeOf runs a method with flags. problem changes the clients if it is not nil.
func outcomeOf(t *testing.T, name string, problem func(*federation.Env)) outcome {
	t.Helper()
	var o outcome
	o.models, o.result = federationtest.Finished(t, name, 1, func(e *federation.Env) {
		e.Rounds = 8
		if problem != nil {
			problem(e)
		}
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

// Clustered records the data of the clustering and its result.
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
