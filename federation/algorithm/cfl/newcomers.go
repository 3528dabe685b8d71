package cfl

import "feddag/federation"

// Leave implements [federation.Leaver]: the updates of the clients are deleted.
func (a *CFL) Leave(env *federation.Env, t int, clients []*federation.Client) error {
	for _, c := range clients {
		a.last[c.ID] = nil
	}
	return a.ClusterBank.Leave(env, t, clients)
}

// Join implements [federation.Newcomer]: a newcomer joins the cluster whose model has the lowest loss on its training data.
// Neither the paper nor the authors' code has a rule for newcomers.
func (a *CFL) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	return a.JoinLowestLoss(newcomers)
}
