package federation

import "time"

// Stage names a part of a run whose wall time is recorded: see [Env.Stage] and [Env.Seconds]. The names are the keys of
// the stages in checkpoints and in summary.json.
type Stage string

// The stages that the engine and its algorithms time.
const (
	WarmUpStage     Stage = "warmup"     // the local training before the clustering
	ClusteringStage Stage = "clustering" // the search for the clusters
	RoundsStage     Stage = "rounds"     // all rounds, with the evaluation of all clients in them
	ArrivalStage    Stage = "arrival"    // the first local training of clients that join during the run
	FinalStage      Stage = "final"      // the last local training of every present client, after the last round
	NewcomersStage  Stage = "newcomers"  // the scores of the held-out clients, after the last round
	EvaluationStage Stage = "evaluation" // the evaluation of all clients outside of the rounds: before the first one, and after a resume
	FilesStage      Stage = "files"      // the writing of checkpoints and models
)

// Seconds returns the wall time of each stage so far, in seconds. The map is not a copy: a caller that changes it changes the
// next checkpoint.
func (e *Env) Seconds() map[Stage]float64 { return e.seconds }

// Stage calls f, adds the wall time of the call to a stage, and returns f's error. The time of a stage inside another stage, such
// as the warm-up of clients that join, counts only for the inner stage, so the stages add up to the time of the run.
func (e *Env) Stage(name Stage, f func() error) error {
	start, outer := time.Now(), e.nested
	e.nested = 0
	defer func() {
		elapsed := time.Since(start).Seconds()
		e.seconds[name] += elapsed - e.nested
		e.nested = outer + elapsed
	}()
	return f()
}
