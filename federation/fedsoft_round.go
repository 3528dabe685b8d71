package federation

import (
	"fmt"
	"slices"

	"feddag/torch"
)

// mixture returns Σ_s u_is c_s / Σ_s u_is; the caller closes it.
func (a *FedSoft) mixture(c *Client) (*torch.Vector, error) {
	return mean(a.net, a.states[0], a.states, a.u[c.ID], torch.All)
}

// personal returns a client's own model, or the mixture before it has one; the caller closes it.
func (a *FedSoft) personal(c *Client, restart bool) (*torch.Vector, error) {
	if a.own[c.ID] == nil || restart {
		return a.mixture(c)
	}
	return torch.VectorOf(a.env.Device, a.own[c.ID])
}

// proximal trains clients: (λ/2) Σ_s u_is |w - c_s|² is, but for a constant, (λ U/2) |w - mixture|² with U = Σ_s u_is.
func (a *FedSoft) proximal(clients []*Client, t int, phase Phase) ([]torch.Trained, error) {
	var starts, anchors vectors
	defer func() {
		starts.Close()
		anchors.Close()
	}()
	tasks := make([]Task, len(clients))
	for i, c := range clients {
		start, err := a.personal(c, a.Restart)
		if err != nil {
			return nil, err
		}
		starts = append(starts, start)
		anchor, err := a.mixture(c)
		if err != nil {
			return nil, err
		}
		anchors = append(anchors, anchor)
		var sum float64
		for _, u := range a.u[c.ID] {
			sum += u
		}
		tasks[i] = Task{Client: c, Start: start, Anchor: anchor, Proximal: a.Lambda * sum}
	}
	return a.env.LocalSGD(a.net, tasks, t, phase, torch.All)
}

// Round implements [Algorithm]. Select has drawn the clients of every centre.
func (a *FedSoft) Round(env *Env, t int, cohort []*Client) (_ Report, err error) {
	cohort = byID(cohort)
	trained, err := a.proximal(cohort, t, PrimaryPhase)
	if err != nil {
		return Report{}, err
	}
	next := slices.Clone(a.states)
	defer func() {
		if err != nil {
			ends(trained).Close()
			next.Without(a.states).Close()
		}
	}()
	for s := range next {
		var states vectors
		var weights []float64
		for i, c := range cohort {
			if !slices.Contains(a.picked[s], c.ID) {
				continue
			}
			weight := 1.0
			if a.Everyone {
				weight = a.u[c.ID][s] * float64(c.Size())
			}
			states, weights = append(states, trained[i].End), append(weights, weight)
		}
		if len(states) == 0 {
			continue
		}
		if next[s], err = mean(a.net, a.states[s], states, weights, torch.All); err != nil {
			next[s] = a.states[s]
			return Report{}, err
		}
	}
	own := slices.Clone(a.own)
	for i, c := range cohort {
		if own[c.ID], err = trained[i].End.Floats(); err != nil {
			return Report{}, err
		}
	}
	a.own = own
	a.Replace(next)
	for _, c := range cohort {
		env.Ledger.Down(c, "centres", a.K*a.net.Len())
		env.Ledger.Up(c, "model", a.net.Len())
	}
	return Report{Loss: lastLoss(trained), Trained: locals(a.net, cohort, trained)}, nil
}

// PredictsWith implements [Predictor].
func (a *FedSoft) PredictsWith() string {
	if a.Predicts == "centre" {
		return "the centre that most of its samples vote for"
	}
	return "its own model of its last training, or the mixture of the centres before the first"
}

// Predict implements [Predictor].
func (a *FedSoft) Predict(_ *Env, clients []*Client, score func([]*Client, []Model) error) error {
	if a.Predicts == "centre" {
		models := make([]Model, len(clients))
		for i, c := range clients {
			models[i] = a.Model(c.ID)
		}
		return score(clients, models)
	}
	for some := range slices.Chunk(clients, onceAtOnce) {
		if err := a.predictOwn(some, score); err != nil {
			return err
		}
	}
	return nil
}

func (a *FedSoft) predictOwn(clients []*Client, score func([]*Client, []Model) error) error {
	models := make([]Model, len(clients))
	for i, c := range clients {
		v, err := a.personal(c, false)
		if err != nil {
			return err
		}
		defer v.Close()
		models[i] = Model{Net: a.net, State: v}
	}
	return score(clients, models)
}

// Adapt implements [Adapter].
func (a *FedSoft) Adapt(env *Env, clients []*Client) ([]Local, error) {
	trained, err := a.proximal(clients, env.Rounds, FinalPhase)
	if err != nil {
		return nil, err
	}
	return locals(a.net, clients, trained), nil
}

// Join implements [Newcomer]: its samples vote, and it starts at the mixture.
func (a *FedSoft) Join(_ *Env, _ int, newcomers []*Client) error {
	for _, c := range newcomers {
		a.own[c.ID] = nil
	}
	return a.estimate(newcomers)
}

// fedsoftMeta is the part of a checkpoint that is not weights.
type fedsoftMeta struct{ U [][]float64 }

// Save implements [Checkpointer].
func (a *FedSoft) Save() (Saved, error) {
	s, err := a.save(fedsoftMeta{a.u})
	if err != nil {
		return s, err
	}
	for i, x := range a.own {
		s.keep(fmt.Sprintf("own-%d", i), x)
	}
	return s, nil
}

// Load implements [Checkpointer].
func (a *FedSoft) Load(env *Env, s Saved) error {
	var meta fedsoftMeta
	if err := a.load(env, s, &meta); err != nil {
		return err
	}
	if len(meta.U) != len(env.Clients) {
		return fmt.Errorf("weights of %d clients, this run has %d", len(meta.U), len(env.Clients))
	}
	for i, u := range meta.U {
		if a.of[i] >= 0 && len(u) != a.K {
			return fmt.Errorf("client %d has weights for %d centres, this run has %d", i, len(u), a.K)
		}
	}
	a.u, a.own = meta.U, make([][]float32, len(env.Clients))
	for i := range a.own {
		var err error
		if a.own[i], err = s.kept(fmt.Sprintf("own-%d", i), a.net.Len()); err != nil {
			return err
		}
	}
	return nil
}
