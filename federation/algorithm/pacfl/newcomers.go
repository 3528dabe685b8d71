package pacfl

import (
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
	"feddag/torch"
)

// Join implements [federation.Newcomer]: the rows of the newcomers are appended to A, and all clients are clustered again with
// the same threshold. A newcomer joins the present cluster of most of the clients that are in its cluster of the new
// clustering. If there are no such clients, it starts a new cluster at θ^0. No other client moves.
func (a *PACFL) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	var clients []*federation.Client
	for i, z := range a.Of {
		if z >= 0 {
			clients = append(clients, env.Clients[i])
		}
	}
	old := len(clients)
	clients = append(clients, federation.ByID(newcomers)...)
	angles, sketches, err := a.angles(env, clients)
	if err != nil {
		return err
	}
	tree, err := similarity.Agglomerate(angles, a.Linkage)
	if err != nil {
		return err
	}
	v, err := torch.VectorOf(env.Device, env.InitialState(a.Net))
	if err != nil {
		return err
	}
	states := slices.Clone(a.States)
	for _, members := range tree.Cut(a.threshold) {
		first := slices.IndexFunc(members, func(k int) bool { return k >= old })
		if first < 0 {
			continue
		}
		votes := make([]int, len(a.States))
		for _, k := range members[:first] {
			votes[a.Of[clients[k].ID]]++
		}
		z := slices.Index(votes, slices.Max(votes))
		if votes[z] == 0 {
			z = len(states)
			states = append(states, v)
		}
		for _, k := range members[first:] {
			a.Of[clients[k].ID] = z
			algorithm.BookVectors(env, clients[k], &sketches[k])
		}
	}
	if len(states) == len(a.States) {
		v.Close()
	}
	a.States = states
	return nil
}
