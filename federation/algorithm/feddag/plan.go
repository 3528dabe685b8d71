package feddag

import (
	"feddag/federation"
	"feddag/torch"
)

// Trainings implements [federation.Planner]: the kinds of training of a run, and how often a client does each.
func (a *FedDAG) Trainings() []federation.Training {
	every, _ := a.secondaryPeriod()
	kinds := []federation.Training{
		{What: "warm-up", Parts: torch.All, Before: float64(a.WarmUpRounds)},
		{What: "primary", Dual: a.dual(), Parts: a.primaryParts(), Rounds: 1, Final: 1},
	}
	if a.dual() {
		second := federation.Training{What: "secondary", Dual: true, Parts: torch.Secondary, Rounds: 1 / float64(max(1, every))}
		if a.usesClassifiers() {
			second.Dual, second.Parts = false, torch.All
		}
		kinds = append(kinds, second)
		if a.HeadEpochs > 0 {
			kinds = append(kinds, federation.Training{What: "heads", Dual: true, Parts: torch.Head, Epochs: a.HeadEpochs, Rounds: 1 / float64(max(1, every))})
		}
	}
	return kinds
}
