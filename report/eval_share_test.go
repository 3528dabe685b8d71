package report

import (
	"math"
	"strings"
	"testing"
)

// TestRoundsWithoutEvaluation checks that a run that is not evaluated in every round names the number of rounds in its means,
// and that it has no swing if only one round was evaluated.
func TestRoundsWithoutEvaluation(t *testing.T) {
	for _, c := range []struct {
		every, evaluated int
		swing            bool
		text             string
	}{{1, 10, true, "mean of last 10 "}, {5, 3, true, "mean of last 10 (3 evaluated)"}, {12, 1, false, "mean of last 10 (1 evaluated)"}} {
		var rounds []Round
		for n := range 12 {
			r := Round{Round: n + 1, Pre: NoScore, CohortPre: NoScore, CohortPost: NoScore}
			if (n+1)%c.every == 0 || n == 11 {
				x := Stat{float64(n), 1}
				r.Pre, r.CohortPre, r.CohortPost = Score{x, x}, Score{x, x}, Score{x, x}
			}
			rounds = append(rounds, r)
		}
		var s Summary
		s.SetRounds(rounds)
		if s.Last10Rounds != c.evaluated {
			t.Errorf("every %d rounds: %d evaluated, want %d", c.every, s.Last10Rounds, c.evaluated)
		}
		if s.Final.Post.Balanced.Mean != 11 || s.Final.Pre.Balanced.Mean != 11 {
			t.Errorf("every %d rounds: final scores %+v, want those of round 11", c.every, s.Final)
		}
		if text := s.Table(); !strings.Contains(text, c.text) {
			t.Errorf("every %d rounds: no %q in\n%s", c.every, c.text, text)
		}
		if math.IsNaN(float64(s.Swing)) == c.swing {
			t.Errorf("every %d rounds: swing %v", c.every, s.Swing)
		}
	}
}

// TestEvalShareIsNamed checks that the share of the test sets is named wherever a run's accuracies are shown.
func TestEvalShareIsNamed(t *testing.T) {
	c := someComparison(t, 12)
	const share = "10% of its own test set"
	if err := c.Settle(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(c.Text(), share) {
		t.Error("a share is named that is not there")
	}
	c.EvalShare = 0.1
	for _, table := range c.Tables() {
		text := table.Markdown()
		if strings.Contains(text, "test set") && !strings.Contains(text, share) {
			t.Errorf("table %s says nothing of the share:\n%s", table.Label, text)
		}
	}
	for _, p := range comparePlots {
		if title := p.of(c).Title; !strings.Contains(title, share) {
			t.Errorf("a plot says nothing of the share: %s", title)
		}
	}
	s := Summary{EvalShare: 0.1}
	if text := s.Table(); !strings.Contains(text, "10% of each client's test set") {
		t.Errorf("the summary says nothing of the share:\n%s", text)
	}
	if text := (Summary{EvalShare: 1}).Table(); !strings.Contains(text, "Accuracy on the clients' test sets") {
		t.Error(text)
	}
}
