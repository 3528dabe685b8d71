package feddag

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// TestDiversity checks that the diversity regulariser (A.11) lowers the squared cosine between the features of the two
// encoders.
func TestDiversity(t *testing.T) {
	cosine := func(lambda float64) float64 {
		e, a := twoClusters(t, func(_ *federation.Env, a *FedDAG) {
			a.Diversity, a.PrimaryInit, a.HeadInit = lambda, PrimaryInitCommon, HeadInitRandom
		})
		for round := range 4 {
			report, err := a.Round(e, round, e.Sample(round))
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range report.Trained {
				l.Close()
			}
		}
		seen, err := e.Predict(a.net, e.Train, []torch.Prediction{{
			State: a.Model(0).State, Samples: e.Clients[0].Train, Features: true,
		}})
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		f := a.net.Features()
		for row := range slices.Chunk(seen[0].Features, 2*f) {
			u, v := row[:f], row[f:]
			if n := math.Sqrt(algorithm.Dot(u, u) * algorithm.Dot(v, v)); n > 0 {
				sum += math.Pow(algorithm.Dot(u, v)/n, 2)
			}
		}
		return sum
	}
	if without, with := cosine(0), cosine(2); !(with < without) {
		t.Errorf("the sum of squared cosines is %g without and %g with the regulariser", without, with)
	}
}
