package cflgp

import (
	"math"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// Join implements [federation.Newcomer]: a newcomer sends its gradient at the criterion model of the last query, and joins
// the cluster with the nearest mean gradient at this model. Before the first query it joins cluster 0, like all other clients.
func (a *CFLGP) Join(env *federation.Env, t int, newcomers []*federation.Client) error {
	if a.criterion == nil {
		for _, c := range newcomers {
			a.Of[c.ID] = 0
		}
		return nil
	}
	v, err := torch.VectorOf(env.Device, a.criterion)
	if err != nil {
		return err
	}
	defer v.Close()
	newcomers = federation.ByID(newcomers)
	gradients, err := a.query(v, t, newcomers)
	if err != nil {
		return err
	}
	for i, c := range newcomers {
		best, least := 0, math.Inf(1)
		for z, centre := range a.centroids {
			if centre == nil {
				continue
			}
			if d := algorithm.Dot(centre, centre) - 2*algorithm.Dot(centre, gradients[i]); d < least {
				best, least = z, d
			}
		}
		a.Of[c.ID] = best
		env.Ledger.Down(c, "criterion model", a.Net.Len())
		env.Ledger.Up(c, "gradient", len(gradients[i]))
	}
	return nil
}
