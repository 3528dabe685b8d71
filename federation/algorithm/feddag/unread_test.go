package feddag

import (
	"fmt"
	"reflect"
	"testing"

	"feddag/federation/federationtest"

	"github.com/spf13/pflag"
)

// The flags that are unread with FedDAG* and FedDAG† change none of their models, and each of them changes the models of FedDAG.
func TestUnreadFlagsChangeNothing(t *testing.T) {
	values := map[string]string{
		"feddag-top-k": "0", "feddag-alignment": "false", "feddag-sources": "sum", "feddag-own-source": "false", "feddag-scaling": "global",
	}
	for _, variant := range []string{StarVariant, DaggerVariant} {
		name := "feddag-" + variant
		plain, _ := federationtest.Finished(t, name+" --feddag-clustering=similarity --feddag-choose=count:3", 2, nil)
		a := newFedDAG(variant)
		a.ClustersBy = ClustersBySimilarity
		for _, u := range a.Unread() {
			line := fmt.Sprintf("%s --feddag-clustering=similarity --feddag-choose=count:3 --%s=%s", name, u.Name, values[u.Name])
			if got, _ := federationtest.Finished(t, line, 2, nil); !reflect.DeepEqual(got, plain) {
				t.Errorf("%s has an effect, and the algorithm says that it has none", line)
			}
		}
	}
	plain, _ := federationtest.Finished(t, twoEncoders+" --feddag-clustering=similarity --feddag-choose=count:3", 2, nil)
	for name, value := range values {
		switch name {
		case "feddag-alignment": // with three clusters of two sources each, all other clusters are sources anyway
			continue
		case "feddag-scaling": // spectral clustering reads it
			continue
		}
		line := fmt.Sprintf("%s --feddag-clustering=similarity --feddag-choose=count:3 --%s=%s", twoEncoders, name, value)
		if got, _ := federationtest.Finished(t, line, 2, nil); reflect.DeepEqual(got, plain) {
			t.Errorf("%s has no effect", line)
		}
	}
}

// A variant declares flags that it does not read, because the configurations of earlier programs have them.
func TestUnreadFlagsAreDeclared(t *testing.T) {
	for _, variant := range []string{FullVariant, StarVariant, DaggerVariant} {
		a := newFedDAG(variant)
		a.ClustersBy = ClustersBySimilarity
		if variant == FullVariant {
			a.Encoders = 2
		}
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		a.Flags(fs)
		graph := 0 // flags of the CC-graph and its sources
		for _, u := range a.Unread() {
			if u.Name != "feddag-scaling" {
				graph++
			}
		}
		if (graph == 0) != (variant == FullVariant) {
			t.Errorf("%s: %v", variant, a.Unread())
		}
		for _, u := range a.Unread() {
			if fs.Lookup(u.Name) == nil {
				t.Errorf("%s: there is no flag --%s", variant, u.Name)
			}
		}
	}
}
