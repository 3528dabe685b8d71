package similarity

import (
	"testing"

	"gonum.org/v1/gonum/mat"
)

// TestScoreDecides checks that the candidate that a rule chooses has the highest Score, above the rule's LeastScore, and that the
// rules with a number set no Score.
func TestScoreDecides(t *testing.T) {
	const n, groups = 24, 4
	a := mat.NewSymDense(n, nil)
	for i := range n {
		for j := range i {
			x := 0.8 + 0.01*float64((i+j)%7)
			if i%groups == j%groups {
				x = 0.1 + 0.01*float64((i*j)%5)
			}
			a.SetSym(i, j, x)
		}
	}
	for _, rule := range []string{"silhouette", "bend", "ratio", "loss", "eigengap", "count:4", "fixed:0.5"} {
		o := DefaultOptions()
		if o.Choose = rule; rule == "eigengap" {
			o.Method = "spectral"
		}
		s, err := Search(a, o)
		if err != nil {
			t.Fatal(err)
		}
		best, chosen := 0, -1
		for k, c := range s.Candidates {
			if c.Score > s.Candidates[best].Score {
				best = k
			}
			if c.Chosen {
				chosen = k
			}
		}
		least := LeastScore(rule)
		switch score := s.Candidates[best].Score; {
		case least == 0 && score != 0:
			t.Errorf("%s: a score of %g", rule, score)
		case least > 0 && (best != chosen || !(score > least)):
			t.Errorf("%s: chose candidate %d of score %g, the highest is %d of %g", rule, chosen, s.Candidates[chosen].Score, best, score)
		}
	}
}
