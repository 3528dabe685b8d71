package federation

import (
	"slices"

	"feddag/torch"
)

// ModelsAtOnce is the number of clients that are trained together if each of them has its own model for a short time.
// It bounds the memory of the models.
const ModelsAtOnce = 32

// Adapter is implemented by a method whose clients train with a special objective after the last round. The clients of other
// methods train all weights of their model by plain SGD.
type Adapter interface {
	// Adapt trains each client once more from its own model, in [FinalPhase], and returns the trained models, which the
	// caller closes. It changes no model that the algorithm holds.
	Adapt(env *Env, clients []*Client) ([]Local, error)
}

// End does the work after the last round. If [Options].FinalPost is set, it trains every present client once more for its score
// after local training. It passes the models to the observers and scores the held-out clients. Then it passes the models of
// clusters that have only held-out clients.
func (r *Runner) End() error {
	e := r.env
	if e.FinalPost {
		err := e.Stage(FinalStage, func() error {
			_, err := r.trainOnce(e.Present())
			return err
		})
		if err != nil {
			return err
		}
	}
	models := r.alg.Models()
	if err := e.Stage(FilesStage, func() error { return e.notifyModels(models, "") }); err != nil {
		return err
	}
	if err := e.Stage(NewcomersStage, r.scoreHeldOut); err != nil {
		return err
	}
	added := slices.DeleteFunc(r.alg.Models(), func(m NamedModel) bool {
		return slices.ContainsFunc(models, func(before NamedModel) bool { return before.Name == m.Name })
	})
	return e.Stage(FilesStage, func() error { return e.notifyModels(added, "") })
}

// scoreHeldOut lets the clients that were never present join after the last round, as in tables 11 and 13 of the FedDAG paper.
// The method gives each of them a model by its rule for newcomers. They are scored with this model and, if
// [Options].FinalPost is set, after one local training from it. If the method has no such rule, they have no scores and
// observers get a warning.
func (r *Runner) scoreHeldOut() error {
	e := r.env
	if _, ok := r.alg.(Newcomer); !ok {
		if n := len(e.population.neverPresent()); n > 0 {
			e.Warn("%d clients are held out, and %s takes no newcomers: they have no scores", n, r.options.Algorithm)
		}
		return nil
	}
	heldOut, err := e.JoinHeldOut(r.alg)
	if err != nil || len(heldOut) == 0 {
		return err
	}
	r.heldOutTraffic, r.heldOutWork = e.Ledger.takeRound()
	pre, err := e.Evaluate(r.alg, heldOut)
	if err != nil {
		return err
	}
	for k, c := range heldOut {
		r.heldOut = append(r.heldOut, c.ID)
		r.last[c.ID].Pre, r.best[c.ID].Pre = pre[k], pre[k]
	}
	if e.FinalPost {
		_, err = r.trainOnce(heldOut)
	}
	return err
}

// trainOnce trains clients once more from their models, [ModelsAtOnce] at a time, and returns their scores after training. It
// closes the trained models.
func (r *Runner) trainOnce(clients []*Client) ([]Score, error) {
	defer r.env.Span(clients, 1)()
	var scores []Score
	for some := range slices.Chunk(clients, ModelsAtOnce) {
		post, err := r.adaptAndScore(some)
		if err != nil {
			return nil, err
		}
		scores = append(scores, post...)
	}
	return scores, nil
}

// adaptAndScore trains a few clients once more and returns their scores after training. Under [DropOnDivergence], a client that
// diverges has no score.
func (r *Runner) adaptAndScore(clients []*Client) ([]Score, error) {
	remaining := clients
	trained, err := r.env.adapt(r.alg, remaining)
	for err != nil {
		finite, diverged := r.env.splitDiverged(remaining, err)
		if diverged == nil {
			return nil, err
		}
		for _, c := range diverged {
			r.env.Warn("client %d diverges in its last local training: it has no score after local training", c.ID)
			r.last[c.ID].Post = noScore
		}
		trained, err = nil, nil
		if remaining = finite; len(remaining) > 0 {
			trained, err = r.env.adapt(r.alg, remaining)
		}
	}
	post, err := r.scoreTrained(trained)
	if err != nil {
		return nil, err
	}
	scores := slices.Repeat([]Score{noScore}, len(clients))
	for k, l := range trained {
		scores[slices.Index(clients, l.Client)] = post[k]
	}
	return scores, nil
}

// adapt trains clients once more and returns their models in the order of the clients. It calls Adapt if the method is an
// [Adapter]. Otherwise it trains by plain SGD, with one call for consecutive clients of the same network.
func (e *Env) adapt(alg Algorithm, clients []*Client) ([]Local, error) {
	if a, ok := alg.(Adapter); ok {
		return a.Adapt(e, clients)
	}
	var all []Local
	for len(clients) > 0 {
		net, n := alg.Model(clients[0].ID).Net, 0
		var jobs []torch.Job
		for n < len(clients) && alg.Model(clients[n].ID).Net == net {
			jobs = append(jobs, clients[n].Job(alg.Model(clients[n].ID).State))
			n++
		}
		trained, err := e.LocalSGD(net, jobs, e.Rounds, FinalPhase, torch.All)
		if err != nil {
			for _, l := range all {
				l.Close()
			}
			return nil, err
		}
		all = append(all, Locals(net, clients[:n], trained)...)
		clients = clients[n:]
	}
	return all, nil
}
