package fedrc

import (
	"slices"

	"feddag/federation"
	"feddag/torch"
)

// Round implements [federation.Algorithm]: it does the E step and the M step, and averages the models.
func (a *FedRC) Round(env *federation.Env, t int, cohort []*federation.Client) (_ federation.Report, err error) {
	cohort = federation.ByID(cohort)
	steps, err := a.expect(cohort, true, func(*federation.Client) bool { return true })
	if err != nil {
		return federation.Report{}, err
	}
	models, trained, err := a.maximise(cohort, steps, t, federation.PrimaryPhase)
	if err != nil {
		return federation.Report{}, err
	}
	members := make([][]int, a.K)   // members[k] has the indices of the trainings of model k
	var owners []*federation.Client // the client of each training
	for i, c := range cohort {
		for _, k := range models[i] {
			members[k] = append(members[k], len(owners))
			owners = append(owners, c)
		}
	}
	if err := a.Aggregate(members, federation.Ends(trained), func(_, k int) float64 { return float64(owners[k].Size()) }); err != nil {
		federation.Ends(trained).Close()
		return federation.Report{}, err
	}
	var loss float64 // a client's loss is the sum over k of its weighted losses
	for _, r := range trained {
		loss += r.Loss[len(r.Loss)-1] / float64(len(cohort))
	}
	for i, c := range cohort {
		a.omega[c.ID], a.mass[c.ID] = steps[i].omega, steps[i].mass
		a.Of[c.ID] = slices.Index(steps[i].omega, slices.Max(steps[i].omega))
		env.Ledger.Down(c, "models", a.K*a.Net.Len())
		env.Ledger.Down(c, "priors", a.K*env.Data.Classes)
		env.Ledger.Up(c, "models", len(models[i])*a.Net.Len())
		env.Ledger.Up(c, "mass", a.K*env.Data.Classes)
	}
	return federation.Report{Loss: loss, Trained: a.mixtures(cohort, steps, models, trained)}, nil
}

// mixtures pairs every client with the mixture of the models that it has trained.
func (a *FedRC) mixtures(clients []*federation.Client, steps []expectation, models [][]int, trained []torch.Trained) []federation.Local {
	locals := make([]federation.Local, len(clients))
	first := 0 // index of the client's first training
	for i, c := range clients {
		m := &federation.Mixture{}
		var sum float64
		for _, k := range models[i] {
			sum += steps[i].omega[k]
		}
		for place, k := range models[i] {
			m.States, m.Weights = append(m.States, trained[first+place].End), append(m.Weights, steps[i].omega[k]/sum)
		}
		first += len(models[i])
		locals[i] = federation.Local{Client: c, Model: federation.Model{Net: a.Net, State: m.States[slices.Index(m.Weights, slices.Max(m.Weights))], Mix: m}}
	}
	return locals
}

// PredictsWith implements [federation.Predictor].
func (a *FedRC) PredictsWith() string {
	return "the mixture of the models, with weights that fit its training data"
}

// Predict implements [federation.Predictor]: an E step with the current models gives each client's weights.
func (a *FedRC) Predict(_ *federation.Env, clients []*federation.Client, score func([]*federation.Client, []federation.Model) error) error {
	steps, err := a.expect(clients, false, a.trainedOnce)
	if err != nil {
		return err
	}
	models := make([]federation.Model, len(clients))
	for i, c := range clients {
		models[i] = federation.Model{Net: a.Net, State: a.Model(c.ID).State, Mix: &federation.Mixture{States: a.States, Weights: steps[i].omega}}
	}
	return score(clients, models)
}

// Adapt implements [federation.Adapter]: it does another E step and M step.
func (a *FedRC) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	steps, err := a.expect(clients, false, a.trainedOnce)
	if err != nil {
		return nil, err
	}
	models, trained, err := a.maximise(clients, steps, env.Rounds, federation.FinalPhase)
	if err != nil {
		return nil, err
	}
	return a.mixtures(clients, steps, models, trained), nil
}
