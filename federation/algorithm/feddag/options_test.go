package feddag

import (
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestOptionValues checks that the options with a fixed list of values accept only these values, that the error names the
// flag and all of the values, and that the help of the flag names the values too.
func TestOptionValues(t *testing.T) {
	for name, values := range map[string]choices{
		"feddag-clustering":     clusterFinders,
		"feddag-primary-init":   primaryInits,
		"feddag-head-init":      headInits,
		"feddag-secondary-init": secondaryInits,
		"feddag-sources":        sourceRules,
		"feddag-order":          phaseOrders,
		"feddag-secondary-head": secondaryHeads,
	} {
		a := newFedDAG(FullVariant)
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		a.Flags(fs)
		flag := fs.Lookup(name)
		if flag == nil {
			t.Errorf("there is no flag --%s", name)
			continue
		}
		for _, value := range values.names() {
			if err := fs.Set(name, value); err != nil {
				t.Error(err)
			}
			if err := a.Validate(); err != nil {
				t.Errorf("--%s %s: %v", name, value, err)
			}
			if !strings.Contains(flag.Usage, value) {
				t.Errorf("the help of --%s does not name %s: %s", name, value, flag.Usage)
			}
		}
		if err := fs.Set(name, "unknown"); err != nil {
			t.Error(err)
		}
		err := a.Validate()
		if err == nil || !strings.Contains(err.Error(), "--"+name) || !strings.Contains(err.Error(), strings.Join(values.names(), ", ")) {
			t.Errorf("--%s unknown: error %v, want one that names the flag and %v", name, err, values.names())
		}
	}
}

// TestScheduleValues checks that a schedule is "both" or K:1.
func TestScheduleValues(t *testing.T) {
	for schedule, want := range map[string]int{ // 0 for an error
		ScheduleBoth: 1, "1:1": 1, "15:1": 15,
		"": 0, "0:1": 0, "-1:1": 0, "+2:1": 0, "02:1": 0, "3:1x": 0, "3:2": 0, "3": 0, ":1": 0, "both:1": 0,
	} {
		a := newFedDAG(FullVariant)
		a.Schedule = schedule
		period, err := a.secondaryPeriod()
		if period != want || (err != nil) != (want == 0) {
			t.Errorf("schedule %q: period %d and error %v, want period %d", schedule, period, err, want)
		}
		if err != nil && !strings.Contains(err.Error(), "--feddag-schedule") {
			t.Errorf("schedule %q: the error does not name the flag: %v", schedule, err)
		}
	}
}
