package algorithm_test

import (
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestRateOfAMethod checks that a method's own multiple of the learning rate gives the same models as the multiplied learning
// rate.
func TestRateOfAMethod(t *testing.T) {
	for _, name := range []string{"fedrc --fedrc-rate=", "fedsoft --fedsoft-rate="} {
		want, scores := federationtest.Finished(t, name+"1", 1, func(e *federation.Env) { e.LearningRate = 0.125 })
		got, sameScores := federationtest.Finished(t, name+"2", 1, func(e *federation.Env) { e.LearningRate = 0.0625 })
		if !federationtest.EqualModels(got, want) || !federationtest.EqualResults(sameScores, scores) {
			t.Errorf("%s2 at half the learning rate is another run", name)
		}
		other, _ := federationtest.Finished(t, name+"1", 1, func(e *federation.Env) { e.LearningRate = 0.0625 })
		if federationtest.EqualModels(other, want) {
			t.Errorf("%s: the learning rate has no effect", name)
		}
	}
}
