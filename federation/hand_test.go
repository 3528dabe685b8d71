package federation

import (
	"testing"
)

func TestRoundsByHand(t *testing.T) {
	for _, c := range []handCase{
		// The mean with n_i = 1 and 3.
		{name: "fedavg", want: map[string]linear{"global": {.125, -.75, -.25}}},
		// Two steps. In the second client 0 has the logits ±1, client 1 ±(-2.5), and µ = 1/2 draws each back half the way
		// it went.
		{
			name:   "fedprox",
			change: func(e *Env, a Algorithm) { e.Epochs, a.(*FedProx).Mu = 2, 0.5 },
			want: map[string]linear{"global": {
				.25 * (.5 + σ(-2) - .25), .75 * (-1 - 2*σ(-5) + .5), .25*(.5+σ(-2)-.25) + .75*(-.5-σ(-5)+.25),
			}},
		},
		{name: "oracle", want: map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}}},
		// The mean with both clients alike.
		{name: "cfl", want: map[string]linear{"cluster-0": {.25, -.5, 0}}},
		// The images are at 90 degrees: two clusters.
		{
			name:   "pacfl",
			change: func(_ *Env, a Algorithm) { a.(*PACFL).Choose = "fixed:45" },
			want:   map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}},
		},
		// Model 0 sees class 0 at σ(0.2) > 1/2 everywhere, model 1 at less: client 0 chooses model 0, client 1 model 1. The
		// probability of the wrong class is σ(-0.2) for both.
		{
			name:   "ifca",
			start:  []linear{{0, 0, .1}, {0, 0, -.1}},
			change: func(_ *Env, a Algorithm) { a.(*IFCA).K, a.(*IFCA).Redraw = 2, false },
			want:   map[string]linear{"cluster-0": {σ(-.2), 0, .1 + σ(-.2)}, "cluster-1": {0, -2 * σ(-.2), -.1 - σ(-.2)}},
		},
		// The gradients at W = 0 differ: two clusters.
		{
			name:   "cfl-gp",
			change: func(_ *Env, a Algorithm) { a.(*CFLGP).K, a.(*CFLGP).Coordinates = 2, 1 },
			want:   map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}},
		},
		// No split in one round: FedAvg.
		{name: "fedgwc", want: map[string]linear{"cluster-0": {.125, -.75, -.25}}},
		// Both are chosen: FedAvg.
		{name: "fblg", want: map[string]linear{"global": {.125, -.75, -.25}}},
		// Model 0 gives class 0 the probability p = σ(0.2), model 1 gives it 1-p. So γ is (p, 1-p) for client 0, (1-p, p) for
		// client 1, and every weighted gradient has p(1-p) in the place of 1/2.
		{
			name:   "fedrc",
			start:  []linear{{0, 0, .1}, {0, 0, -.1}},
			change: func(_ *Env, a Algorithm) { a.(*FedRC).K = 2 },
			want: func() map[string]linear {
				q := σ(.2) * σ(-.2)
				return map[string]linear{"cluster-0": {.25 * q, -1.5 * q, .1 - .5*q}, "cluster-1": {.25 * q, -1.5 * q, -.1 - .5*q}}
			}(),
		},
		// One batch is D and D': the inner step goes to the end of plain training, where the wrong class has σ(-2) at client
		// 0, σ(-5) at client 1; the outer step, β = 2α, goes from 0 twice along the gradients there.
		{
			name:   "per-fedavg",
			change: func(_ *Env, a Algorithm) { a.(*PerFedAvg).SecondOrder = false },
			want:   map[string]linear{"global": {2 * .25 * σ(-2), 2 * -1.5 * σ(-5), 2 * (.25*σ(-2) - .75*σ(-5))}},
		},
		{name: "local", want: map[string]linear{"cluster-0": {.5, 0, .5}, "cluster-1": {0, -1, -.5}}},
	} {
		t.Run(c.name, c.run)
	}
}
