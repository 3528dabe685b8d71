package federation

import (
	"fmt"
	"slices"
)

// Join implements [Newcomer], algorithm 4: the newcomers warm up alone and send what the others sent before the
// clustering; their rows of V^, G^ and A are added, each learns its own gate, and one pass with the search's α* assigns
// them. No other client moves. Those near nobody make new clusters, which start as at the beginning (eq. 22). The
// CC-graph is made anew, as the clusters' classes are no longer the same.
func (a *FedDAG) Join(env *Env, _ int, newcomers []*Client) error {
	if a.roster == nil {
		return fmt.Errorf("newcomers: the run began without clients that are held out, so nothing was kept to assign them by")
	}
	newcomers = byID(newcomers)
	warm, sketches, err := a.sketch(env, newcomers)
	if err != nil {
		return fmt.Errorf("newcomers: %w", err)
	}
	next := a.copied()
	for _, c := range newcomers {
		next.ids = append(next.ids, c.ID)
	}
	if _, err := next.roster.Add(sketches); err != nil {
		return err
	}
	return a.become(env, next, warm, newcomers)
}

// copied returns a copy that can change without the original: all but the states' values.
func (a *FedDAG) copied() *FedDAG {
	next, roster := *a, *a.roster
	next.roster, next.ids, next.states = &roster, slices.Clone(a.ids), slices.Clone(a.states)
	return &next
}

// become takes up next, whose roster says who is where now, once all that takes has worked. Clusters that are new begin
// from the warm-up of those of the movers that are in them.
func (a *FedDAG) become(env *Env, next *FedDAG, warm *WarmUp, movers []*Client) (err error) {
	_, graph, err := next.roster.CCGraph()
	if err != nil {
		return err
	}
	if err := next.assign(len(env.Clients), next.named(next.roster.Clusters), graph); err != nil {
		return err
	}
	for z := len(a.states); z < len(next.clusters); z++ {
		v, err := next.start(env, warm, movers, z)
		if err != nil {
			next.states[len(a.states):].Close()
			return err
		}
		next.states = append(next.states, v)
	}
	for _, c := range movers {
		env.Ledger.Down(c, "cluster", 1)
	}
	*a = *next
	return nil
}
