package feddag

import (
	"fmt"
	"slices"

	"feddag/federation"
)

// Join implements [federation.Newcomer] (algorithm 4). The newcomers warm up alone and send what the other clients sent before
// the clustering. Their rows of V^, G^ and A are added, each newcomer learns its own gate, and one pass with the search's α*
// assigns them. No other client moves. Newcomers that are not close to any client form new clusters, whose models start like
// those of the first clusters (eq. 22). The CC-graph is computed again, because the classes of the clusters have changed.
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
	if err := next.roster.add(sketches); err != nil {
		return err
	}
	return a.commit(env, next, warm, newcomers)
}

// Leave implements [federation.Leaver]. The clients' rows of V^, G^ and A are removed, and the CC-graph is computed again.
func (a *FedDAG) Leave(env *federation.Env, _ int, clients []*federation.Client) error {
	if err := a.requireRoster("clients that leave"); err != nil {
		return err
	}
	next := a.clone()
	if err := next.roster.remove(a.rosterPlaces(clients)); err != nil {
		return err
	}
	next.rosterIDs = slices.DeleteFunc(next.rosterIDs, func(id int) bool {
		return slices.ContainsFunc(clients, func(c *federation.Client) bool { return c.ID == id })
	})
	return a.commit(env, next, nil, nil)
}
