package federation

import (
	"feddag/torch"
)

// finalAtOnce bounds how many clients' models the last local training holds.
const finalAtOnce = 32

// end trains every client once more, for its score after local training, and hands over the models.
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

// finalPost goes through the clients, a few at a time; within those, one call for each network.
func (r *run) finalPost(parts torch.Part) error {
	e := r.env
	defer e.spanning(1)()
	for first := 0; first < len(e.Clients); {
		net := r.alg.Model(first).Net
		var clients []*Client
		var tasks []Task
		for ; first < len(e.Clients) && len(clients) < finalAtOnce && r.alg.Model(first).Net == net; first++ {
			clients = append(clients, e.Clients[first])
			tasks = append(tasks, Task{e.Clients[first], r.alg.Model(first).State})
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
