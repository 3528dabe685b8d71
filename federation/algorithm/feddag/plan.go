package feddag

import (
	"feddag/federation"
	"feddag/torch"
)

// PlanRound implements [federation.RoundPlanner].
func (a *FedDAG) PlanRound(env *federation.Env, t int, cohort []*federation.Client) []federation.PhaseWork {
	primary := federation.PhaseWork{Phase: federation.PrimaryPhase, Samples: federation.LocalSamples(cohort, env.Epochs)}
	every, err := a.secondaryPeriod()
	if err != nil || !a.dual() || (t+1)%every != 0 {
		return []federation.PhaseWork{primary}
	}
	var sources []*federation.Client // sources in the cohort
	for _, c := range cohort {
		if len(a.learners[a.clusterOf[c.ID]]) > 0 {
			sources = append(sources, c)
		}
	}
	secondary := federation.PhaseWork{Phase: federation.SecondaryPhase, Samples: federation.LocalSamples(sources, env.Epochs)}
	phases := []federation.PhaseWork{primary, secondary}
	if a.Order == OrderSecondaryFirst {
		phases = []federation.PhaseWork{secondary, primary}
	}
	if a.HeadEpochs > 0 {
		phases = append(phases, federation.PhaseWork{Phase: federation.HeadPhase, Samples: federation.LocalSamples(cohort, a.HeadEpochs)})
	}
	return phases
}

// Trainings implements [federation.Planner].
func (a *FedDAG) Trainings() []federation.Training {
	every, _ := a.secondaryPeriod()
	var kinds []federation.Training
	if tg := a.warmUpRounds(); tg > 0 && (a.trainsToCluster() || a.sendsWarmUpWeights()) {
		kinds = append(kinds, federation.Training{What: "warm-up", Parts: torch.All, Before: float64(tg)})
	}
	kinds = append(kinds, federation.Training{What: "primary", Dual: a.dual(), Parts: a.primaryParts(), Rounds: 1, Final: 1})
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
