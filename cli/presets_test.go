package cli

import (
	"strings"
	"testing"

	"feddag/federation"
	feddagalg "feddag/federation/algorithm/feddag"
	"feddag/similarity"

	"github.com/spf13/pflag"
)

// TestEveryPreset checks that every preset can be parsed with each of its algorithms, sets only flags that some algorithm
// has, and is listed with its flags.
func TestEveryPreset(t *testing.T) {
	known := map[string]bool{}
	for _, name := range federation.Names() {
		o, err := newOptions(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range o.groups {
			for _, p := range presets() {
				for _, x := range p.pairs {
					known[x.Key] = known[x.Key] || g.flags.Lookup(x.Key) != nil
				}
			}
		}
		for _, p := range o.presets() {
			args := []string{"--algorithm", name, "--preset", p.name}
			if _, ok := p.value("dataset"); !ok && p.isSetting() {
				args = append(args, "--dataset", "mnist")
			}
			if _, err := parse(args); err != nil {
				t.Errorf("%s with %s: %v", p.name, name, err)
			}
		}
	}
	if len(presets()) < 60 {
		t.Errorf("%d presets", len(presets()))
	}
	code, out, _ := feddag("presets")
	for _, p := range presets() {
		for _, x := range p.pairs {
			if !known[x.Key] {
				t.Errorf("%s: no algorithm has a flag %s", p.name, x.Key)
			}
		}
		if code != exitDone || !strings.Contains(out, p.name+": "+p.about) {
			t.Errorf("presets does not list %s", p.name)
		}
	}
	if code, out, _ := feddag("presets", "table-13-svhn"); code != exitDone || !strings.Contains(out, "\nholdout: 0.2\n") {
		t.Errorf("table-13-svhn: %s", out)
	}
	if code, _, log := feddag("presets", "table-13-svnh"); code != exitUsage || !strings.Contains(log, "did you mean table-13-svhn?") {
		t.Errorf("a wrong name: exit code %d: %s", code, log)
	}
	if code, _, log := feddag("train", "--algorithm", "fedavg", "--preset", "paper"); code != exitUsage || !strings.Contains(log, `preset "paper" is unknown`) {
		t.Errorf("paper for fedavg: exit code %d: %s", code, log)
	}
}

// TestPaperAndPrototype checks that the two variants of FedDAG agree with package similarity and with the algorithms'
// options, and that the later of two presets takes precedence, but not over a flag that is given.
func TestPaperAndPrototype(t *testing.T) {
	with := func(preset string, args ...string) (*options, *feddagalg.FedDAG) {
		t.Helper()
		o, err := parse(append([]string{"--preset", preset}, args...))
		if err != nil {
			t.Fatal(err)
		}
		return o, o.alg.(*feddagalg.FedDAG)
	}
	o, paper := with("paper")
	if paper.Clustering != similarity.PaperOptions() || paper.ClustersBy != feddagalg.ClustersBySimilarity || paper.Order != feddagalg.OrderParallel ||
		paper.SecondaryHead != feddagalg.SecondaryHeadFull || paper.OwnSource || o.run.Rounds != 200 || o.run.Batch != 64 {
		t.Errorf("paper: %+v", paper)
	}
	o.groupFlags("Of feddag").VisitAll(func(f *pflag.Flag) {
		for _, p := range presets()[:2] {
			if _, ok := p.value(f.Name); !ok {
				t.Errorf("%s says nothing of --%s, whose default may change", p.name, f.Name)
			}
		}
	})
	o, prototype := with("prototype")
	if prototype.Clustering != similarity.PrototypeOptions() || prototype.Order != feddagalg.OrderPrimaryFirst || prototype.PrincipalVectors != "3" ||
		prototype.PrimaryInit != feddagalg.PrimaryInitCommon || o.run.Rounds != 161 || o.run.Batch != 32 || o.dropout != 0.5 || o.run.WeightDecay != 0 {
		t.Errorf("prototype: %+v", prototype)
	}
	o, both := with("table-13-fashion-mnist, prototype", "--batch", "7")
	if both.Clustering != similarity.PrototypeOptions() || o.run.Rounds != 161 || o.run.Batch != 7 || o.partition.Holdout != 0.2 {
		t.Errorf("two presets: rounds %d, batch %d, held out %g", o.run.Rounds, o.run.Batch, o.partition.Holdout)
	}
}
