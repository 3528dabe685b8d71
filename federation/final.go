package federation

import (
	"fmt"
	"slices"

	"feddag/torch"
)

// onceAtOnce bounds how many clients' models trainOnce holds.
const ModelsAtOnce = 32

// Adapter is implemented by a method whose clients train after the last round with an objective of their own. Adapt trains
// clients once more, each from its own model, in [FinalPhase], and changes nothing else. Without it, clients train all of
// their models by plain SGD.
type Adapter interface {
	Adapt(env *Env, clients []*Client) ([]Local, error)
}

// end trains every client that is there once more, for its score after local training, hands over the models, and
// scores those who were held out.
func (r *Runner) End() error {
	e := r.env
	if e.FinalPost {
		err := e.Stage("final", func() error {
			_, err := r.trainOnce(e.Present())
			return err
		})
		if err != nil {
			return err
		}
	}
	if err := e.notifyModels(r.alg.Models(), ""); err != nil {
		return err
	}
	return e.Stage("newcomers", r.scoreHeldOut)
}

// scoreHeldOut lets the clients that never were there come after the last round (tables 11 and 13): they are given what
// the method's rule for newcomers says, are scored with it, and train once from there.
func (r *Runner) scoreHeldOut() error {
	e := r.env
	n, ok := r.alg.(Newcomer)
	held := e.world.never()
	if len(held) == 0 {
		return nil
	}
	if !ok {
		e.Warn("%d clients are held out, and %s takes no newcomers: they have no scores", len(held), r.o.Algorithm)
		return nil
	}
	if err := n.Join(e, e.Rounds, held); err != nil {
		return fmt.Errorf("held-out clients: %w", err)
	}
	pre, err := e.Evaluate(r.alg, held)
	if err != nil {
		return err
	}
	for k, c := range held {
		r.heldOut = append(r.heldOut, c.ID)
		r.last[c.ID].Pre, r.best[c.ID].Pre = pre[k], pre[k]
	}
	if e.FinalPost {
		_, err = r.trainOnce(held)
	}
	return err
}

// trainOnce trains clients once more from their models, a few at a time, for their scores after it, and lets go of what
// comes of it.
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

// adaptAndScore is trainOnce for a few clients. One that diverges and may be left out has no score.
func (r *Runner) adaptAndScore(clients []*Client) ([]Score, error) {
	stayed := clients
	trained, err := r.env.adapt(r.alg, stayed)
	for err != nil {
		left, gone := r.env.without(stayed, err)
		if gone == nil {
			return nil, err
		}
		for _, c := range gone {
			r.env.Warn("client %d diverges in its last local training: it has no score after it", c.ID)
			r.last[c.ID].Post = noScore
		}
		trained, err = nil, nil
		if stayed = left; len(stayed) > 0 {
			trained, err = r.env.adapt(r.alg, stayed)
		}
	}
	post, err := r.post(trained)
	if err != nil {
		return nil, err
	}
	scores := slices.Repeat([]Score{noScore}, len(clients))
	for k, l := range trained {
		scores[slices.Index(clients, l.Client)] = post[k]
	}
	return scores, nil
}

// adapt trains clients once more as the method does; plain methods with one call for each network.
func (e *Env) adapt(alg Algorithm, clients []*Client) ([]Local, error) {
	if a, ok := alg.(Adapter); ok {
		return a.Adapt(e, clients)
	}
	var all []Local
	for len(clients) > 0 {
		net, n := alg.Model(clients[0].ID).Net, 0
		var tasks []Task
		for n < len(clients) && alg.Model(clients[n].ID).Net == net {
			tasks = append(tasks, Task{Client: clients[n], Start: alg.Model(clients[n].ID).State})
			n++
		}
		trained, err := e.LocalSGD(net, tasks, e.Rounds, FinalPhase, torch.All)
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
