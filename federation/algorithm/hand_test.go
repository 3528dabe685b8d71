package algorithm_test

import (
	"testing"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/federation/algorithm/cflgp"
	"feddag/federation/algorithm/fedrc"
	"feddag/federation/algorithm/pacfl"
	"feddag/federation/federationtest"
)

// TestRoundsByHand checks one round of each method against values computed by hand, on the problem of
// [federationtest.HandEnv]. The comments derive the values.
func TestRoundsByHand(t *testing.T) {
	for _, c := range []federationtest.HandCase{
		// The mean has the weights n_i = 1 and 3.
		{Name: "fedavg", Want: map[string]federationtest.Linear{"global": {.125, -.75, -.25}}},
		// There are two steps. In the second step client 0 has the logits ±1, client 1 has ±(-2.5), and µ = 1/2 moves each back
		// by half of its first step.
		{
			Name:   "fedprox",
			Change: func(e *federation.Env, a federation.Algorithm) { e.Epochs, a.(*algorithm.FedProx).Mu = 2, 0.5 },
			Want: map[string]federationtest.Linear{"global": {
				.25 * (.5 + federationtest.Logistic(-2) - .25), .75 * (-1 - 2*federationtest.Logistic(-5) + .5), .25*(.5+federationtest.Logistic(-2)-.25) + .75*(-.5-federationtest.Logistic(-5)+.25),
			}},
		},
		{Name: "oracle", Want: map[string]federationtest.Linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}}},
		// The mean weights both clients equally.
		{Name: "cfl", Want: map[string]federationtest.Linear{"cluster-0": {.25, -.5, 0}}},
		// The images are at an angle of 90 degrees, which gives two clusters.
		{
			Name:   "pacfl",
			Change: func(_ *federation.Env, a federation.Algorithm) { a.(*pacfl.PACFL).Choose = "fixed:45" },
			Want:   map[string]federationtest.Linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}},
		},
		// Model 0 gives class 0 the probability σ(0.2) > 1/2 everywhere, and model 1 gives it less than 1/2. So client 0 chooses
		// model 0 and client 1 model 1. The probability of the wrong class is σ(-0.2) for both.
		{
			Name:  "ifca",
			Start: []federationtest.Linear{{0, 0, .1}, {0, 0, -.1}},
			Change: func(_ *federation.Env, a federation.Algorithm) {
				a.(*algorithm.IFCA).K, a.(*algorithm.IFCA).Redraw = 2, false
			},
			Want: map[string]federationtest.Linear{"cluster-0": {federationtest.Logistic(-.2), 0, .1 + federationtest.Logistic(-.2)}, "cluster-1": {0, -2 * federationtest.Logistic(-.2), -.1 - federationtest.Logistic(-.2)}},
		},
		// The gradients at W = 0 differ, which gives two clusters.
		{
			Name: "cfl-gp",
			Change: func(_ *federation.Env, a federation.Algorithm) {
				a.(*cflgp.CFLGP).K, a.(*cflgp.CFLGP).Coordinates = 2, 1
			},
			Want: map[string]federationtest.Linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}},
		},
		// There is no split after one round, so the method is FedAvg.
		{Name: "fedgwc", Want: map[string]federationtest.Linear{"cluster-0": {.125, -.75, -.25}}},
		// Both clients are selected, so the method is FedAvg.
		{Name: "fblg", Want: map[string]federationtest.Linear{"global": {.125, -.75, -.25}}},
		// Model 0 gives class 0 the probability p = σ(0.2), and model 1 gives it 1-p. So γ is (p, 1-p) for client 0 and (1-p, p)
		// for client 1, and every weighted gradient has p(1-p) instead of 1/2.
		{
			Name:   "fedrc",
			Start:  []federationtest.Linear{{0, 0, .1}, {0, 0, -.1}},
			Change: func(_ *federation.Env, a federation.Algorithm) { a.(*fedrc.FedRC).K = 2 },
			Want: func() map[string]federationtest.Linear {
				q := federationtest.Logistic(.2) * federationtest.Logistic(-.2)
				return map[string]federationtest.Linear{"cluster-0": {.25 * q, -1.5 * q, .1 - .5*q}, "cluster-1": {.25 * q, -1.5 * q, -.1 - .5*q}}
			}(),
		},
		// D and D' are the same batch. The inner step ends where plain training ends. There the wrong class has the probability
		// σ(-2) at client 0 and σ(-5) at client 1. The outer step, with β = 2α, goes from 0 along twice the gradients at this
		// point.
		{
			Name: "per-fedavg",
			Change: func(_ *federation.Env, a federation.Algorithm) {
				p := a.(*algorithm.PerFedAvg)
				p.SecondOrder, p.Outer = false, 2
			},
			Want: map[string]federationtest.Linear{"global": {2 * .25 * federationtest.Logistic(-2), 2 * -1.5 * federationtest.Logistic(-5), 2 * (.25*federationtest.Logistic(-2) - .75*federationtest.Logistic(-5))}},
		},
		{Name: "local", Want: map[string]federationtest.Linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}}},
	} {
		t.Run(c.Name, c.Run)
	}
}
