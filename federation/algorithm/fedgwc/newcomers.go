package fedgwc

import (
	"slices"

	"feddag/federation"
)

// Leave implements [federation.Leaver]: the rows and columns of the clients are deleted from W.
func (a *FedGWC) Leave(env *federation.Env, t int, clients []*federation.Client) error {
	for _, c := range clients {
		g := a.interactions[a.Of[c.ID]]
		place := slices.Index(g.Members, c.ID)
		g.Members = slices.Delete(slices.Clone(g.Members), place, place+1)
		g.W = slices.Delete(slices.Clone(g.W), place, place+1)
		for i, row := range g.W {
			g.W[i] = slices.Delete(slices.Clone(row), place, place+1)
		}
	}
	return a.ClusterBank.Leave(env, t, clients)
}

// Join implements [federation.Newcomer]: a newcomer gets the model with the lowest loss on its training data, and initial
// entries of W. The authors have no rule for newcomers.
func (a *FedGWC) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	if err := a.JoinLowestLoss(newcomers); err != nil {
		return err
	}
	for _, c := range federation.ByID(newcomers) {
		g := a.interactions[a.Of[c.ID]]
		place, _ := slices.BinarySearch(g.Members, c.ID)
		n := len(g.Members) + 1
		first := 1 / float64(n*n)
		g.Members = slices.Insert(slices.Clone(g.Members), place, c.ID)
		for i, row := range g.W {
			g.W[i] = slices.Insert(slices.Clone(row), place, first)
		}
		g.W = slices.Insert(g.W, place, slices.Repeat([]float64{first}, n))
	}
	return nil
}
