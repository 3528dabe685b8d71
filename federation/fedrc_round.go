package federation

import (
	"fmt"
	"slices"

	"feddag/torch"
)

// trainedOnce says whether a client has trained: then its E step divides by the priors.
func (a *FedRC) trainedOnce(c *Client) bool { return a.mass[c.ID] != nil }

// Round implements [Algorithm].
func (a *FedRC) Round(env *Env, t int, cohort []*Client) (_ Report, err error) {
	cohort = byID(cohort)
	steps, err := a.expect(cohort, true, func(*Client) bool { return true })
	if err != nil {
		return Report{}, err
	}
	models, trained, err := a.maximise(cohort, steps, t, PrimaryPhase)
	if err != nil {
		return Report{}, err
	}
	next := slices.Clone(a.states)
	for k := range next {
		var states vectors
		var clients []*Client
		at := 0
		for i, c := range cohort {
			if place := slices.Index(models[i], k); place >= 0 {
				states, clients = append(states, trained[at+place].End), append(clients, c)
			}
			at += len(models[i])
		}
		if len(states) == 0 {
			continue
		}
		if next[k], err = mean(a.net, a.states[k], states, sizes(clients), torch.All); err != nil {
			next[k] = a.states[k]
			next.Without(a.states).Close()
			ends(trained).Close()
			return Report{}, err
		}
	}
	a.Replace(next)
	var loss float64 // Σ_k of the weighted losses is a client's
	for _, r := range trained {
		loss += r.Loss[len(r.Loss)-1] / float64(len(cohort))
	}
	for i, c := range cohort {
		a.omega[c.ID], a.mass[c.ID] = steps[i].omega, steps[i].mass
		a.of[c.ID] = slices.Index(steps[i].omega, slices.Max(steps[i].omega))
		env.Ledger.Down(c, "models", a.K*a.net.Len())
		env.Ledger.Down(c, "priors", a.K*env.Data.Classes)
		env.Ledger.Up(c, "models", len(models[i])*a.net.Len())
		env.Ledger.Up(c, "mass", a.K*env.Data.Classes)
	}
	return Report{Loss: loss, Trained: a.mixtures(cohort, steps, models, trained)}, nil
}

// mixtures pairs clients with the mixture of the models that each has trained.
func (a *FedRC) mixtures(clients []*Client, steps []expected, models [][]int, trained []torch.Trained) []Local {
	all := make([]Local, len(clients))
	at := 0
	for i, c := range clients {
		m := &Mixture{}
		var sum float64
		for _, k := range models[i] {
			sum += steps[i].omega[k]
		}
		for place, k := range models[i] {
			m.States, m.Weights = append(m.States, trained[at+place].End), append(m.Weights, steps[i].omega[k]/sum)
		}
		at += len(models[i])
		all[i] = Local{c, Model{Net: a.net, State: m.States[slices.Index(m.Weights, slices.Max(m.Weights))], Mix: m}}
	}
	return all
}

// PredictsWith implements [Predictor].
func (a *FedRC) PredictsWith() string {
	return "the mixture of the models, by weights that fit its training data"
}

// Predict implements [Predictor].
func (a *FedRC) Predict(_ *Env, clients []*Client, score func([]*Client, []Model) error) error {
	steps, err := a.expect(clients, false, a.trainedOnce)
	if err != nil {
		return err
	}
	models := make([]Model, len(clients))
	for i, c := range clients {
		models[i] = Model{Net: a.net, State: a.Model(c.ID).State, Mix: &Mixture{a.states, steps[i].omega}}
	}
	return score(clients, models)
}

// Adapt implements [Adapter]: one more E and M step.
func (a *FedRC) Adapt(env *Env, clients []*Client) ([]Local, error) {
	steps, err := a.expect(clients, false, a.trainedOnce)
	if err != nil {
		return nil, err
	}
	models, trained, err := a.maximise(clients, steps, env.Rounds, FinalPhase)
	if err != nil {
		return nil, err
	}
	return a.mixtures(clients, steps, models, trained), nil
}

// Join implements [Newcomer]: a newcomer finds its weights on its own training data, from equal ones and without the
// priors.
func (a *FedRC) Join(env *Env, _ int, newcomers []*Client) error {
	omega, mass := slices.Clone(a.omega), slices.Clone(a.mass)
	for _, c := range newcomers {
		omega[c.ID], mass[c.ID] = slices.Repeat([]float64{1 / float64(a.K)}, a.K), nil
	}
	before := *a
	a.omega, a.mass = omega, mass
	steps, err := a.expect(newcomers, true, func(*Client) bool { return false })
	if err != nil {
		*a = before
		return err
	}
	for i, c := range newcomers {
		a.omega[c.ID] = steps[i].omega
		a.of[c.ID] = slices.Index(steps[i].omega, slices.Max(steps[i].omega))
		env.Ledger.Down(c, "models", a.K*a.net.Len())
	}
	return nil
}

// fedrcMeta is the part of a checkpoint that is not weights.
type fedrcMeta struct {
	Omega [][]float64
	Mass  [][][]float64
}

// Save implements [Checkpointer].
func (a *FedRC) Save() (Saved, error) { return a.save(fedrcMeta{a.omega, a.mass}) }

// Load implements [Checkpointer].
func (a *FedRC) Load(env *Env, s Saved) error {
	var meta fedrcMeta
	if err := a.load(env, s, &meta); err != nil {
		return err
	}
	if len(meta.Omega) != len(env.Clients) || len(meta.Mass) != len(env.Clients) || len(a.states) != a.K {
		return fmt.Errorf("%d models and weights of %d clients, this run has %d and %d", len(a.states), len(meta.Omega), a.K, len(env.Clients))
	}
	for i, omega := range meta.Omega {
		if a.of[i] >= 0 && len(omega) != a.K {
			return fmt.Errorf("client %d has weights for %d models, this run has %d", i, len(omega), a.K)
		}
	}
	a.omega, a.mass = meta.Omega, meta.Mass
	return nil
}
