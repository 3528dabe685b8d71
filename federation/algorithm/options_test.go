package algorithm_test

import (
	"strings"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"

	"github.com/spf13/pflag"
)

// TestBadMethodOptions checks that an invalid value gives an error that names the flag.
func TestBadMethodOptions(t *testing.T) {
	for _, c := range []struct{ name, flag, value string }{
		{"fedprox", "fedprox-mu", "-1"},
		{"fedprox", "fedprox-mu", "Inf"},
		{"per-fedavg", "per-fedavg-inner", "-1"},
		{"per-fedavg", "per-fedavg-outer", "NaN"},
		{"per-fedavg", "per-fedavg-delta", "0"},
		{"per-fedavg", "per-fedavg-steps", "-1"},
		{"fedmix", "fedmix-lambda", "1"},
		{"fedmix", "fedmix-group", "-1"},
		{"fedmix", "fedmix-epsilon", "0"},
		{"fedbr", "fedbr-mu", "-1"},
		{"fedbr", "fedbr-tau2", "NaN"},
		{"fedbr", "fedbr-mean", "0"},
		{"fedsoft", "fedsoft-period", "0"},
		{"fedsoft", "fedsoft-lambda", "-1"},
		{"fedsoft", "fedsoft-sigma", "0"},
		{"fedsoft", "fedsoft-per-centre", "-1"},
		{"fedsoft", "fedsoft-predict", "center"},
		{"pacfl", "pacfl-vectors", "0"},
		{"pacfl", "pacfl-choose", "four"},
		{"pacfl", "pacfl-linkage", "mean"},
		{"cfl", "cfl-eps1", "-1"},
		{"cfl", "cfl-from", "-1"},
		{"cfl", "cfl-gamma-max", "1"},
		{"cfl", "cfl-linkage", "average"},
		{"cfl-gp", "cfl-gp-period", "0"},
		{"cfl-gp", "cfl-gp-until", "0"},
		{"cfl-gp", "cfl-gp-coordinates", "0"},
		{"fedgwc", "fedgwc-epsilon", "-1"},
		{"fedgwc", "fedgwc-gamma", "0"},
		{"fedgwc", "fedgwc-losses", "-1"},
		{"fedrc", "fedrc-rate", "0"},
		{"fedsoft", "fedsoft-rate", "-1"},
		{"pacfl", "pacfl-angle", "least"},
		{"fedgwc", "fedgwc-most-parts", "1"},
		{"fedgwc", "fedgwc-compare", "rows and columns"},
		{"fedrc", "fedrc-top", "-1"},
		{"fblg", "fblg-candidates", "0"},
		{"feddag", "feddag-diversity", "-1"},
		{"feddag", "feddag-encoders", "3"},
	} {
		a := federationtest.Algorithm(t, c.name)
		if err := a.(federation.Validator).Validate(); err != nil {
			t.Errorf("%s: the defaults are refused: %v", c.name, err)
		}
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		a.(federation.Flagger).Flags(fs)
		if err := fs.Set(c.flag, c.value); err != nil {
			t.Errorf("--%s %s: %v", c.flag, c.value, err)
		}
		prefix, _, _ := strings.Cut(c.flag, "-")
		if err := a.(federation.Validator).Validate(); err == nil || !strings.Contains(err.Error(), "--"+prefix) {
			t.Errorf("--%s %s: %v", c.flag, c.value, err)
		}
	}
}

// TestFlagNames checks that every flag of a method starts with the method's name, so that no two methods share a flag.
func TestFlagNames(t *testing.T) {
	for _, name := range federation.Names() {
		f, ok := federationtest.Algorithm(t, name).(federation.Flagger)
		if !ok {
			continue
		}
		prefix := name
		if strings.HasPrefix(name, "feddag-") {
			prefix = "feddag"
		}
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.Flags(fs)
		fs.VisitAll(func(flag *pflag.Flag) {
			if !strings.HasPrefix(flag.Name, prefix+"-") {
				t.Errorf("%s has a flag --%s", name, flag.Name)
			}
		})
	}
}
