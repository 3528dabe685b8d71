package report

import (
	"fmt"
	"maps"
	"slices"

	"feddag/federation"
)

// Seconds is the wall time of a run's stages, which add up to the total.
type Seconds struct {
	Setup      float64 `json:"setup"`
	Warmup     float64 `json:"warmup"`
	Clustering float64 `json:"clustering"`
	Rounds     float64 `json:"rounds"`
	Arrival    float64 `json:"arrival,omitempty"`   // first local training of clients that joined
	Final      float64 `json:"final,omitempty"`     // training of every client once more, after the last round
	Newcomers  float64 `json:"newcomers,omitempty"` // work for the held-out clients after the last round
	// Evaluation is the time of evaluating all clients outside of the rounds: before the first round, and after a resume.
	Evaluation float64 `json:"evaluation,omitempty"`
	Files      float64 `json:"files,omitempty"` // writing checkpoints, models, tables and plots, but not the page and the summary
	Other      float64 `json:"other,omitempty"` // time that is in no other stage
	Total      float64 `json:"total"`
}

// SetStages fills in the times of a run's stages except the rounds, from the federation's names of the stages, and sets the
// total to the sum of all stages and the set-up.
func (s *Seconds) SetStages(setup float64, stages map[federation.Stage]float64) {
	s.Setup, s.Total, s.Other = setup, setup, 0
	for name, to := range map[federation.Stage]*float64{
		federation.WarmUpStage: &s.Warmup, federation.ClusteringStage: &s.Clustering,
		federation.ArrivalStage: &s.Arrival, federation.FinalStage: &s.Final, federation.NewcomersStage: &s.Newcomers,
		federation.EvaluationStage: &s.Evaluation, federation.FilesStage: &s.Files,
	} {
		*to = stages[name]
	}
	for _, stage := range slices.Sorted(maps.Keys(stages)) { // in sorted order, because the rounding of the sum depends on the order
		s.Total += stages[stage]
	}
}

// SetTotal sets the total to a measured time and Other to the time that is not in any stage.
func (s *Seconds) SetTotal(total float64) {
	s.Other = max(0, total-s.Total)
	s.Total += s.Other
}

// String lists the times of the stages in readable form.
func (s Seconds) String() string {
	text := fmt.Sprintf("%s: set-up %s, warm-up %s, clustering %s, rounds %s",
		duration(s.Total), duration(s.Setup), duration(s.Warmup), duration(s.Clustering), duration(s.Rounds))
	for _, stage := range []struct {
		name    string
		seconds float64
	}{{"arrivals", s.Arrival}, {"last local training", s.Final}, {"newcomers", s.Newcomers}, {"evaluation outside of the rounds", s.Evaluation}, {"files", s.Files}, {"other", s.Other}} {
		if stage.seconds >= 0.05 {
			text += fmt.Sprintf(", %s %s", stage.name, duration(stage.seconds))
		}
	}
	return text
}
