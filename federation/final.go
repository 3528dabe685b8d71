package federation

import (
	"feddag/torch"
)

// finalAtOnce bounds how many clients' models the last local training holds.
const finalAtOnce = 32

// end trains every client that is there once more, for its score after local training, and hands over the models.
func (r *run) end() error {
	e := r.env
	if e.FinalPost {
		parts := torch.All
		if p, ok := r.alg.(PartialTrainer); ok {
			parts = p.LocalParts()
		}
		if err := e.stage("final", func() error { return r.finalPost(parts) }); err != nil {
			return err
		}
	}
	return e.tellModels(r.alg, func(name string) string { return name })
}

// finalPost goes through the clients that are there, a few at a time; within those, one call for each network.
func (r *run) finalPost(parts torch.Part) error {
	e := r.env
	defer e.spanning(e.Present(), 1)()
	for left := e.Present(); len(left) > 0; {
		net := r.alg.Model(left[0].ID).Net
		var clients []*Client
		var tasks []Task
		for len(left) > 0 && len(clients) < finalAtOnce && r.alg.Model(left[0].ID).Net == net {
			clients = append(clients, left[0])
			tasks = append(tasks, Task{left[0], r.alg.Model(left[0].ID).State})
			left = left[1:]
		}
		trained, err := e.LocalSGD(net, tasks, e.Rounds, FinalPhase, parts)
		if err != nil {
			return err
		}
		if _, err := r.post(locals(net, clients, trained)); err != nil {
			return err
		}
	}
	return nil
}
