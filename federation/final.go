package federation

import (
	"slices"

	"feddag/torch"
)

// finalAtOnce bounds how many clients' models the last local training holds.
const finalAtOnce = 32

// end trains every client that is there once more, for its score after local training, and hands over the models.
func (r *run) end() error {
	e := r.env
	if e.FinalPost {
		if err := e.stage("final", r.finalPost); err != nil {
			return err
		}
	}
	return e.tellModels(r.alg.Models(), "")
}

// finalPost goes through the clients that are there, a few at a time.
func (r *run) finalPost() error {
	defer r.env.spanning(r.env.Present(), 1)()
	for clients := range slices.Chunk(r.env.Present(), finalAtOnce) {
		trained, err := r.env.adapt(r.alg, clients)
		if err != nil {
			return err
		}
		if _, err := r.post(trained); err != nil {
			return err
		}
	}
	return nil
}

// adapt trains clients once more as the method does; plain methods with one call for each network.
func (e *Env) adapt(alg Algorithm, clients []*Client) ([]Local, error) {
	if a, ok := alg.(Adapter); ok {
		return a.Adapt(e, clients)
	}
	parts := torch.All
	if p, ok := alg.(PartialTrainer); ok {
		parts = p.LocalParts()
	}
	var all []Local
	for len(clients) > 0 {
		net, n := alg.Model(clients[0].ID).Net, 0
		var tasks []Task
		for n < len(clients) && alg.Model(clients[n].ID).Net == net {
			tasks = append(tasks, Task{Client: clients[n], Start: alg.Model(clients[n].ID).State})
			n++
		}
		trained, err := e.LocalSGD(net, tasks, e.Rounds, FinalPhase, parts)
		if err != nil {
			for _, l := range all {
				l.close()
			}
			return nil, err
		}
		all = append(all, locals(net, clients[:n], trained)...)
		clients = clients[n:]
	}
	return all, nil
}
