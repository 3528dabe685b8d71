package algorithm_test

import (
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestOptionsConformance checks that runs with the options that every method reads have the same bits for any number of workers
// and after a stop at any round.
func TestOptionsConformance(t *testing.T) {
	for _, o := range []struct {
		what   string
		change func(*federation.Env)
	}{
		{"schedule", func(e *federation.Env) { e.Schedule = schedule(t, "step:1:0.5") }},
	} {
		for _, name := range federation.Names() {
			t.Run(o.what+"/"+name, func(t *testing.T) {
				plain, _ := federationtest.Finished(t, name, 1, nil)
				w1, r1 := federationtest.Finished(t, name, 1, o.change)
				w3, r3 := federationtest.Finished(t, name, 3, o.change)
				if federationtest.EqualModels(w1, plain) {
					t.Error("no effect")
				}
				if !federationtest.EqualModels(w1, w3) || !federationtest.EqualResults(r1, r3) {
					t.Error("1 and 3 workers differ")
				}
				stopAndResumeWith(t, name, o.change)
			})
		}
	}
}
