package feddag

import (
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/similarity"
)

// Shift implements [federation.Shifter]. It does nothing until the next check.
func (a *FedDAG) Shift(*federation.Env, int, []*federation.Client) error {
	return a.requireRoster("clients whose data shift")
}

// Check implements [federation.Reassigner] (appendix A.9). Every client sends its class counts. A client has shifted if the
// distance between its class histogram and the histogram at its last assignment exceeds the bound of eq. 41. The histogram is
// not compared with the one at the last check, so a slow drift accumulates and is noticed. The shifted clients warm up again
// and send their sketches, their rows of V^, G^ and A are computed again, and one pass with α* assigns them. No other client
// moves. If all clients have shifted, there are no clients left to compare with, and the whole search runs again.
func (a *FedDAG) Check(env *federation.Env, _ int) ([]*federation.Client, error) {
	if err := a.requireRoster("check for shifted clients"); err != nil {
		return nil, err
	}
	shifted, err := a.shiftedClients(env)
	if err != nil || len(shifted) == 0 {
		return nil, err
	}
	warm, sketches, err := a.sketchClients(env, shifted)
	if err != nil {
		return nil, fmt.Errorf("shifted clients: %w", err)
	}
	places := a.rosterPlaces(shifted)
	order := make([]int, len(places)) // order of the shifted clients by position in the roster
	for k := range order {
		order[k] = k
	}
	slices.SortFunc(order, func(x, y int) int { return places[x] - places[y] })
	sortedPlaces, sortedSketches := make([]int, len(order)), inOrder(sketches, order)
	for i, k := range order {
		sortedPlaces[i] = places[k]
	}
	if len(places) == len(a.rosterIDs) {
		return shifted, a.search(env, sortedSketches)
	}
	next := a.clone()
	if err := next.roster.replace(sortedPlaces, sortedSketches); err != nil {
		return nil, err
	}
	return shifted, a.commit(env, next, warm, shifted)
}

// shiftedClients lets every client send its class counts and returns the clients that have shifted, by ascending id. A client
// has shifted if
//
//	W1(its histogram when it was last assigned, its present histogram) > ShiftFactor n_i / C
//
// (eq. 41, where the factor is 0.2). W1 is in samples times classes.
func (a *FedDAG) shiftedClients(env *federation.Env) ([]*federation.Client, error) {
	if r, ok := a.roster.(*testRoster); ok {
		return a.changedByTest(env, r)
	}
	kept, shifted := a.roster.(*similarityRoster), []*federation.Client(nil)
	for k, id := range a.rosterIDs {
		c := env.Clients[id]
		env.Ledger.Up(c, "counts", env.Data.Classes)
		w1, bound, err := similarity.HistogramShift(kept.Sketches[k].Counts, env.Counts(c), c.Size())
		if err != nil {
			return nil, fmt.Errorf("check for shifted clients: client %d: %w", id, err)
		}
		if w1 > bound*a.ShiftFactor/similarity.ShiftFactor {
			shifted = append(shifted, c)
		}
	}
	return federation.ByID(shifted), nil
}
