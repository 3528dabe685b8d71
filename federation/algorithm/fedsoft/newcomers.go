package fedsoft

import "feddag/federation"

// Join implements [federation.Newcomer]: the samples of a newcomer vote, and the newcomer starts from the mixture.
func (a *FedSoft) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.own[c.ID] = nil
	}
	return a.estimate(newcomers)
}
