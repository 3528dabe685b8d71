package report

import (
	"strings"
	"testing"

	"feddag/federation"
)

// TestSecondsOfStages checks that the total of the stages has every stage, including stages without a field.
func TestSecondsOfStages(t *testing.T) {
	s := Seconds{Rounds: 5, Total: 99}
	s.SetStages(1, map[federation.Stage]float64{"warmup": 2, "clustering": 3, "rounds": 5, "arrival": 7, "final": 11, "newcomers": 13, "evaluation": 19, "files": 23, "unknown": 17})
	want := Seconds{Setup: 1, Warmup: 2, Clustering: 3, Rounds: 5, Arrival: 7, Final: 11, Newcomers: 13, Evaluation: 19, Files: 23, Total: 101}
	if s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	s.SetTotal(103)
	want.Other, want.Total = 2, 103
	if s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	if text := s.String(); !strings.HasPrefix(text, "103 s: set-up 1 s,") || !strings.HasSuffix(text, "arrivals 7 s, last local training 11 s, newcomers 13 s, evaluation outside of the rounds 19 s, files 23 s, other 2 s") {
		t.Errorf("got %q", text)
	}
	if text := (Seconds{Setup: 1}).String(); strings.Contains(text, "newcomers") {
		t.Errorf("got %q", text)
	}
}
