package cfl

import "feddag/federation"

// Leave implements [Leaver].
func (a *CFL) Leave(env *federation.Env, t int, clients []*federation.Client) error {
	for _, c := range clients {
		a.last[c.ID] = nil
	}
	return a.ClusterBank.Leave(env, t, clients)
}

// Join implements [Newcomer]: the leaf's model with the lowest loss on the newcomer's training data. The authors do not
// say; their code has none.
func (a *CFL) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	return a.JoinLowestLoss(newcomers)
}
