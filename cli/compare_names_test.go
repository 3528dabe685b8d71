package cli

import (
	"slices"
	"testing"
)

// TestVariantNames checks that runs of different variants get different names, also if the name of a variant is that which another
// variant gets from its flags.
func TestVariantNames(t *testing.T) {
	run := func(label, rate, epochs string) keptRun {
		r := keptRun{algorithm: "fedavg", config: map[string]string{"lr": rate, "epochs": epochs, "label": label}}
		r.name = r.label()
		r.fillDefaults()
		return r
	}
	for _, c := range []struct {
		runs []keptRun
		want []string
	}{
		{[]keptRun{run("", "0.01", "5"), run("", "0.01", "5")}, []string{"fedavg", "fedavg"}},
		{[]keptRun{run("", "0.01", "5"), run("fast", "0.02", "5")}, []string{"fedavg", "fast"}},
		{[]keptRun{run("", "0.01", "5"), run("", "0.02", "5"), run("fedavg lr=0.02", "0.02", "5")}, []string{"fedavg lr=0.01", "fedavg lr=0.02", "fedavg lr=0.02"}},
		{
			[]keptRun{run("fedavg lr=0.02", "0.02", "3"), run("", "0.01", "5"), run("", "0.02", "5")},
			[]string{"fedavg lr=0.02 epochs=3", "fedavg lr=0.01", "fedavg lr=0.02 epochs=5"},
		},
	} {
		if err := disambiguateNames(c.runs); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, r := range c.runs {
			names = append(names, r.name)
		}
		if !slices.Equal(names, c.want) {
			t.Errorf("%q, want %q", names, c.want)
		}
	}
}

// TestAsksToRead checks which arguments make compare read runs instead of training them.
func TestAsksToRead(t *testing.T) {
	for arg, want := range map[string]bool{
		"--read": true, "--read=true": true, "--read=1": true, "--read=T": true, "--read=false": false, "--read=0": false, "--read=x": false, "--reader": false, "1": false,
	} {
		if got := asksToRead(arg); got != want {
			t.Errorf("%s: %t", arg, got)
		}
	}
}
