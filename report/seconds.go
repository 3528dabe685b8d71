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
	Arrival    float64 `json:"arrival,omitempty"`   // the first local training of clients that joined
	Final      float64 `json:"final,omitempty"`     // every client's training once more, after the last round
	Newcomers  float64 `json:"newcomers,omitempty"` // held-out clients, after the last round
	// Evaluation is that of all clients outside of the rounds: before the first one, and after a resume.
	Evaluation float64 `json:"evaluation,omitempty"`
	Files      float64 `json:"files,omitempty"` // checkpoints, models, tables and plots; the page and the summary itself are left out
	Other      float64 `json:"other,omitempty"` // time that is in no other stage
	Total      float64 `json:"total"`
}

// SetStages fills in the time of a run's stages but the rounds, by the names
// that the federation gives them, and as the total the sum of all with the
// set-up.
func (s *Seconds) SetStages(setup float64, stages map[federation.Stage]float64) {
	s.Setup, s.Total, s.Other = setup, setup, 0
	for name, to := range map[federation.Stage]*float64{
		federation.WarmUpStage: &s.Warmup, federation.ClusteringStage: &s.Clustering,
		federation.ArrivalStage: &s.Arrival, federation.FinalStage: &s.Final, federation.NewcomersStage: &s.Newcomers,
		federation.EvaluationStage: &s.Evaluation, federation.FilesStage: &s.Files,
	} {
		*to = stages[name]
	}
	for _, stage := range slices.Sorted(maps.Keys(stages)) { // all of them, and in one order, because sums depend on it
		s.Total += stages[stage]
	}
}

// SetTotal sets the total to a measured time and Other to what is in no stage.
func (s *Seconds) SetTotal(total float64) {
	s.Other = max(0, total-s.Total)
	s.Total += s.Other
}

// String lists the stages for a person.
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
