package feddag

import (
	"errors"
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/similarity"
	"feddag/torch"
)

// FedDAG over time. What the server keeps of the clustering is a [similarity.Roster]: the sketches, V^, G^, A, the gates
// and α*. Each change is made on a copy, which takes the place of the original once all has worked.
//
// A cluster keeps its number for good. One that its last client leaves is dissolved: it takes no part in the CC-graph,
// its model is handed to the observers a last time and freed, and its number is not used again. Those who come later
// and are alike make a new cluster: the server has nothing left to recognise them by.

// Join implements [Newcomer], algorithm 4: the newcomers warm up alone and send what the others sent before the
// clustering; their rows of V^, G^ and A are added, each learns its own gate, and one pass with the search's α* assigns
// them. No other client moves. Those near nobody make new clusters, which start as at the beginning (eq. 22). The
// CC-graph is made anew, as the clusters' classes are no longer the same.
func (a *FedDAG) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	if err := a.requireRoster("newcomers"); err != nil {
		return err
	}
	newcomers = federation.ByID(newcomers)
	warm, sketches, err := a.sketchClients(env, newcomers)
	if err != nil {
		return fmt.Errorf("newcomers: %w", err)
	}
	next := a.clone()
	for _, c := range newcomers {
		next.rosterIDs = append(next.rosterIDs, c.ID)
	}
	if _, err := next.roster.Add(sketches); err != nil {
		return err
	}
	return a.commit(env, next, warm, newcomers)
}

// Leave implements [Leaver].
func (a *FedDAG) Leave(env *federation.Env, _ int, clients []*federation.Client) error {
	if err := a.requireRoster("leavers"); err != nil {
		return err
	}
	next := a.clone()
	if err := next.roster.Remove(a.rosterPlaces(clients)...); err != nil {
		return err
	}
	next.rosterIDs = slices.DeleteFunc(next.rosterIDs, func(id int) bool {
		return slices.ContainsFunc(clients, func(c *federation.Client) bool { return c.ID == id })
	})
	return a.commit(env, next, nil, nil)
}

// Shift implements [Shifter]: nothing until the next check.
func (a *FedDAG) Shift(*federation.Env, int, []*federation.Client) error {
	return a.requireRoster("shifted clients")
}

// Check implements [Reassigner] (appendix A.9). Every client sends its class counts. One whose histogram is further than
// eq. 41's bound from the one that it was last assigned by (not from the last check's: a slow drift adds up) warms up
// again and sends its sketch, its rows of V^, G^ and A are made anew, and one pass with α* assigns it. Nobody else moves.
func (a *FedDAG) Check(env *federation.Env, t int) ([]*federation.Client, error) {
	if err := a.requireRoster("check"); err != nil {
		return nil, err
	}
	var shifted []*federation.Client
	for k, id := range a.rosterIDs {
		c := env.Clients[id]
		env.Ledger.Up(c, "counts", env.Data.Classes)
		w1, bound, err := similarity.HistogramShift(a.roster.Sketches[k].Counts, env.Counts(c), c.Size())
		if err != nil {
			return nil, fmt.Errorf("client %d: %w", id, err)
		}
		if w1 > bound*a.ShiftFactor/similarity.ShiftFactor {
			shifted = append(shifted, c)
		}
	}
	if len(shifted) == 0 {
		return nil, nil
	}
	shifted = federation.ByID(shifted)
	warm, sketches, err := a.sketchClients(env, shifted)
	if err != nil {
		return nil, err
	}
	places := a.rosterPlaces(shifted)
	if len(places) == len(a.rosterIDs) { // nobody is left to compare with
		all := make([]similarity.Sketch, len(places))
		for k, place := range places {
			all[place] = sketches[k]
		}
		return shifted, a.search(env, all)
	}
	order := make([]int, len(places)) // of the shifted, by place
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(x, y int) int { return places[x] - places[y] })
	next := a.clone()
	var at []int
	var by []similarity.Sketch
	for _, k := range order {
		at, by = append(at, places[k]), append(by, sketches[k])
	}
	if _, err := next.roster.Replace(at, by); err != nil {
		return nil, err
	}
	return shifted, a.commit(env, next, warm, shifted)
}

// kept returns an error where nothing was kept to assign clients by.
func (a *FedDAG) requireRoster(what string) error {
	if a.roster == nil {
		return fmt.Errorf("%s: the run began without a scenario and without held-out clients, so nothing was kept to assign by", what)
	}
	return nil
}

// places returns where clients stand in the roster.
func (a *FedDAG) rosterPlaces(clients []*federation.Client) []int {
	places := make([]int, len(clients))
	for k, c := range clients {
		places[k] = slices.Index(a.rosterIDs, c.ID)
	}
	return places
}

// copied returns a copy that can change without the original: all but the values of states and classifiers.
func (a *FedDAG) clone() *FedDAG {
	next, roster := *a, *a.roster
	next.roster, next.rosterIDs, next.encodedRoster = &roster, slices.Clone(a.rosterIDs), nil
	next.states, next.classifiers = slices.Clone(a.states), slices.Clone(a.classifiers)
	return &next
}

// become takes up next, whose roster says who is where now, once all that takes has worked. Clusters that have no state
// yet begin from the warm-up of those of the movers that are in them; those that are empty give theirs up.
func (a *FedDAG) commit(env *federation.Env, next *FedDAG, warm *warmUpResult, movers []*federation.Client) (err error) {
	var fresh torch.Vectors
	defer func() {
		if err != nil {
			fresh.Close()
		}
	}()
	h, graph, err := next.roster.CCGraph()
	if err != nil {
		return err
	}
	if err := next.setClustering(len(env.Clients), next.clientIDs(next.roster.Clusters), graph, edgeScores(h, graph)); err != nil {
		return err
	}
	more := make(torch.Vectors, len(next.clusters)-len(next.states))
	next.states, next.classifiers = append(next.states, more...), append(next.classifiers, more...)
	var dissolved torch.Vectors
	var secondary []float32
	for z, members := range next.clusters {
		switch {
		case len(members) == 0 && next.states[z] != nil:
			if err := a.notifyDissolved(env, z); err != nil {
				return err
			}
			dissolved = append(dissolved, next.states[z], next.classifiers[z])
			next.states[z], next.classifiers[z] = nil, nil
		case len(members) > 0 && next.states[z] == nil:
			if secondary == nil {
				if secondary, err = a.initialSecondary(env, warm, movers); err != nil {
					return err
				}
			}
			v, psi, err := next.initialState(env, warm, secondary, movers, z)
			if err != nil {
				return err
			}
			next.states[z], next.classifiers[z] = v, psi
			fresh = append(fresh, v, psi)
		}
	}
	for _, c := range movers {
		env.Ledger.Down(c, "cluster", 1)
	}
	dissolved.Close()
	*a = *next
	return nil
}

// farewell hands the model of a cluster that is about to dissolve to the observers.
func (a *FedDAG) notifyDissolved(env *federation.Env, z int) error {
	tensors, err := federation.Tensors(federation.Model{Net: a.net, State: a.states[z]})
	return errors.Join(err, env.NotifyWeights(clusterName(z), tensors))
}
