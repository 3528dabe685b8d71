package federation

import "slices"

// Reason says why a [Move] happened. The reasons are the values of the key "why" in assignments.jsonl.
type Reason string

// The reasons of moves. The moves of ByShift and ByCheck include the clients that stay in their cluster.
const (
	AtStart  Reason = "start"  // the clustering before the first round
	ByJoin   Reason = "join"   // the client joined
	ByLeave  Reason = "leave"  // the client left
	ByShift  Reason = "shift"  // the samples of the client changed, which the server does not know yet
	ByCheck  Reason = "check"  // the class histogram of the client changed too much (eq. 41), so it was assigned again
	BySearch Reason = "search" // the clusters were searched for again
	ByRound  Reason = "round"  // the algorithm moved the client in a round
)

// Move is a change of a client's cluster, or another event that concerns one client.
type Move struct {
	Client   int
	From, To int // clusters before and after; -1 if the client is absent
	Why      Reason
	// Pre and Post are the scores of a client that joins, before and after its first local training. They are NaN in every
	// other move.
	Pre, Post Score
}

// recordMoves adds a move for every client whose cluster has changed since the last call, and a move for each client in always.
func (r *Runner) recordMoves(why Reason, always []*Client) {
	now := r.clusterOfClients()
	for i, z := range now {
		if z != r.clusterOf[i] || slices.ContainsFunc(always, func(c *Client) bool { return c.ID == i }) {
			r.moves = append(r.moves, Move{Client: i, From: r.clusterOf[i], To: z, Why: why, Pre: noScore, Post: noScore})
		}
	}
	r.clusterOf = now
}

// clusterOfClients returns the cluster of every client, by id. The cluster is -1 for an absent client. If the algorithm has no
// clusters, it is 0 for every present client.
func (r *Runner) clusterOfClients() []int {
	of := slices.Repeat([]int{-1}, len(r.env.Clients))
	a, ok := r.alg.(Clustered)
	if !ok {
		for _, c := range r.env.Present() {
			of[c.ID] = 0
		}
		return of
	}
	for z, members := range a.Clusters() {
		for _, i := range members {
			of[i] = z
		}
	}
	return of
}
