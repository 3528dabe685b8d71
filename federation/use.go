package federation

import "feddag/torch"

// Use says which of an algorithm's models a client predicts with, by their names in [Algorithm].Models.
type Use struct {
	Models  []string  // several for a mixture; none if the client predicts with a model that the algorithm does not hold
	Weights []float64 // [len(Models)] weights of the mixture; 1 for a single model
}

// useOf returns the use of an algorithm's models by a client. names has the name of each state.
func useOf(names map[*torch.Vector]string, m Model) Use {
	states, weights := []*torch.Vector{m.State}, []float64{1}
	if m.Mix != nil {
		states, weights = m.Mix.States, m.Mix.Weights
	}
	var u Use
	for k, s := range states {
		name, held := names[s]
		switch {
		case weights[k] == 0:
		case !held:
			return Use{}
		default:
			u.Models, u.Weights = append(u.Models, name), append(u.Weights, weights[k])
		}
	}
	return u
}

// ModelNamer is implemented by an [Algorithm] whose models may share one state as long as they are equal. It says which model a
// client uses.
type ModelNamer interface {
	// ModelName returns the name, in Models, of the model that Model returns for a present client.
	ModelName(client int) string
}

// stateNames returns the name of each state that an algorithm holds.
func stateNames(a Algorithm) map[*torch.Vector]string {
	names := map[*torch.Vector]string{}
	for _, m := range a.Models() {
		names[m.State] = m.Name
	}
	return names
}

// recordUse records the models that a client of a [Predictor] predicts with.
func (e *Env) recordUse(c *Client, u Use) {
	if e.uses == nil {
		e.uses = map[int]Use{}
	}
	e.uses[c.ID] = u
}

// uses returns, by client, the use of the models that the algorithm holds after the last round. For a [Predictor], the uses were
// recorded in the last evaluation. A run that is resumed after its last round evaluates the clients once more for this purpose.
func (r *Runner) uses() ([]Use, error) {
	e := r.env
	clients := e.Present()
	for _, id := range r.heldOut {
		clients = append(clients[:len(clients):len(clients)], e.Clients[id])
	}
	uses := make([]Use, len(e.Clients))
	if _, ok := r.alg.(Predictor); !ok {
		if n, ok := r.alg.(ModelNamer); ok {
			for _, c := range clients {
				uses[c.ID] = Use{[]string{n.ModelName(c.ID)}, []float64{1}}
			}
			return uses, nil
		}
		names := stateNames(r.alg)
		for _, c := range clients {
			uses[c.ID] = useOf(names, r.alg.Model(c.ID))
		}
		return uses, nil
	}
	var missing []*Client
	for _, c := range clients {
		if _, ok := e.uses[c.ID]; !ok {
			missing = append(missing, c)
		}
	}
	if len(missing) > 0 {
		if _, err := e.Evaluate(r.alg, missing); err != nil {
			return nil, err
		}
	}
	for _, c := range clients {
		uses[c.ID] = e.uses[c.ID]
	}
	return uses, nil
}
