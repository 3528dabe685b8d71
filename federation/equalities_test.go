package federation

import (
	"slices"
	"testing"
)

// Settings under which a method is FedAvg, bit for bit, on the same cohorts and from the same initialisation.
func TestDegenerateSettingsAreFedAvg(t *testing.T) {
	want, wantResult := finished(t, "fedavg", 2, nil)
	for _, c := range []struct {
		name   string
		change func(Algorithm)
	}{
		{"fedprox", func(a Algorithm) { a.(*FedProx).Mu = 0 }},
		{"pacfl", func(a Algorithm) { a.(*PACFL).Choose = "fixed:180" }},
		{"ifca", func(a Algorithm) { a.(*IFCA).K = 1 }},
	} {
		e, a := tinyEnv(t, 2), algorithm(t, c.name)
		c.change(a)
		r := mustRun(t, e, a, RunOptions{Algorithm: c.name})
		models := a.Models()
		for client := range e.Clients {
			x, err := a.Model(client).State.Floats()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(x, want["global"]) {
				t.Fatalf("%s: client %d's model is not FedAvg's (%d models)", c.name, client, len(models))
			}
		}
		if !equalResults(r, wantResult) {
			t.Errorf("%s: scores differ from FedAvg's", c.name)
		}
	}
}
