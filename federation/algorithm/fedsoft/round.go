package fedsoft

import (
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// mixture returns a client's mixture of the centres, Σ_s u_is c_s / Σ_s u_is. The caller closes it.
func (a *FedSoft) mixture(c *federation.Client) (*torch.Vector, error) {
	return algorithm.Mean(a.Net, a.States[0], a.States, a.u[c.ID], torch.All)
}

// personal returns a client's own model, or the mixture if it has no own model or if restart is set. The caller closes it.
func (a *FedSoft) personal(c *federation.Client, restart bool) (*torch.Vector, error) {
	if a.own[c.ID] == nil || restart {
		return a.mixture(c)
	}
	return torch.VectorOf(a.Env.Device, a.own[c.ID])
}

// proximal trains the clients. The term (λ/2) Σ_s u_is |w - c_s|² equals, up to a constant, (λ U/2) |w - mixture|² with U =
// Σ_s u_is, so a single anchor is enough.
func (a *FedSoft) proximal(clients []*federation.Client, t int, phase federation.Phase) ([]torch.Trained, error) {
	var starts, anchors torch.Vectors
	defer func() {
		starts.Close()
		anchors.Close()
	}()
	jobs := make([]torch.Job, len(clients))
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
		job := c.Job(start)
		job.Anchor, job.Proximal = anchor, a.Lambda*sum
		jobs[i] = job
	}
	sgd := a.Env.SGD()
	sgd.LearningRate *= a.Rate
	return a.Env.LocalTraining(a.Net, jobs, t, phase, torch.All, sgd, a.Env.Epochs)
}

// Round implements [federation.Algorithm]. Select has drawn the clients of every centre.
func (a *FedSoft) Round(env *federation.Env, t int, cohort []*federation.Client) (_ federation.Report, err error) {
	cohort = federation.ByID(cohort)
	trained, err := a.proximal(cohort, t, federation.PrimaryPhase)
	if err != nil {
		return federation.Report{}, err
	}
	defer func() {
		if err != nil {
			federation.Ends(trained).Close()
		}
	}()
	members := make([][]int, a.K)
	for s, ids := range a.drawn {
		for i, c := range cohort {
			if slices.Contains(ids, c.ID) {
				members[s] = append(members[s], i)
			}
		}
	}
	weight := func(s, i int) float64 {
		if c := cohort[i]; a.Everyone {
			return a.u[c.ID][s] * float64(c.Size())
		}
		return 1
	}
	own := slices.Clone(a.own)
	for i, c := range cohort {
		if own[c.ID], err = trained[i].End.Floats(); err != nil {
			return federation.Report{}, err
		}
	}
	if err := a.Aggregate(members, federation.Ends(trained), weight); err != nil {
		return federation.Report{}, err
	}
	a.own = own
	for _, c := range cohort {
		env.Ledger.Down(c, "centres", a.K*a.Net.Len())
		env.Ledger.Up(c, "model", a.Net.Len())
	}
	return federation.Report{Loss: federation.LastLoss(trained), Trained: federation.Locals(a.Net, cohort, trained)}, nil
}

// PredictsWith implements [federation.Predictor].
func (a *FedSoft) PredictsWith() string {
	if a.Predicts == "centre" {
		return "the centre for which most of its samples vote"
	}
	return "its own model from its last training, or the mixture of the centres before its first training"
}

// Predict implements [federation.Predictor].
func (a *FedSoft) Predict(_ *federation.Env, clients []*federation.Client, score func([]*federation.Client, []federation.Model) error) error {
	if a.Predicts == "centre" {
		models := make([]federation.Model, len(clients))
		for i, c := range clients {
			models[i] = a.Model(c.ID)
		}
		return score(clients, models)
	}
	for chunk := range slices.Chunk(clients, federation.ModelsAtOnce) {
		if err := a.predictOwn(chunk, score); err != nil {
			return err
		}
	}
	return nil
}

// predictOwn scores clients with their own models.
func (a *FedSoft) predictOwn(clients []*federation.Client, score func([]*federation.Client, []federation.Model) error) error {
	models := make([]federation.Model, len(clients))
	for i, c := range clients {
		v, err := a.personal(c, false)
		if err != nil {
			return err
		}
		defer v.Close()
		models[i] = federation.Model{Net: a.Net, State: v}
	}
	return score(clients, models)
}

// Adapt implements [federation.Adapter].
func (a *FedSoft) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	trained, err := a.proximal(clients, env.Rounds, federation.FinalPhase)
	if err != nil {
		return nil, err
	}
	return federation.Locals(a.Net, clients, trained), nil
}
