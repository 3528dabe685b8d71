package fedsoft

import "feddag/federation"

// Join implements [Newcomer]: its samples vote, and it starts at the mixture.
func (a *FedSoft) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.own[c.ID] = nil
	}
	return a.estimate(newcomers)
}
