package fedrc

import (
	"slices"

	"feddag/federation"
)

// Join implements [federation.Newcomer]: a newcomer finds its weights from its own training data, starting from equal weights
// and without the priors.
func (a *FedRC) Join(env *federation.Env, _ int, newcomers []*federation.Client) error {
	omega, mass := slices.Clone(a.omega), slices.Clone(a.mass)
	for _, c := range newcomers {
		omega[c.ID], mass[c.ID] = slices.Repeat([]float64{1 / float64(a.K)}, a.K), nil
	}
	before := *a
	a.omega, a.mass = omega, mass
	steps, err := a.expect(newcomers, true, func(*federation.Client) bool { return false })
	if err != nil {
		*a = before
		return err
	}
	for i, c := range newcomers {
		a.omega[c.ID] = steps[i].omega
		a.Of[c.ID] = slices.Index(steps[i].omega, slices.Max(steps[i].omega))
		env.Ledger.Down(c, "models", a.K*a.Net.Len())
	}
	return nil
}
