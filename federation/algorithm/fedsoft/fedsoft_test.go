package fedsoft

import (
	"math"
	"slices"
	"testing"

	"feddag/federation"
	"feddag/federation/federationtest"
)

// TestFedSoftVotes checks that every sample has one vote, and that u is the share of the votes, or σ without votes.
func TestFedSoftVotes(t *testing.T) {
	if u := shares([]int{3, 0, 1}, 4, 1e-4); !slices.Equal(u, []float64{.75, 1e-4, .25}) {
		t.Errorf("shares %v", u)
	}
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedsoft").(*FedSoft)
	a.K = 3
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	for i, u := range a.u {
		var votes float64
		for _, x := range u {
			if x != a.Sigma {
				votes += x * float64(e.Clients[i].Size())
			}
		}
		if math.Abs(votes-float64(e.Clients[i].Size())) > 1e-9 {
			t.Errorf("client %d of %d samples has %g votes", i, e.Clients[i].Size(), votes)
		}
	}
}

// TestFedSoftDraws checks that a draw has the requested number of different clients, in ascending id, and prefers those with
// large weights.
func TestFedSoftDraws(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 1), federationtest.Algorithm(t, "fedsoft").(*FedSoft)
	a.K = 1
	if err := federationtest.Initialise(t, e, a); err != nil {
		t.Fatal(err)
	}
	for i := range a.u {
		a.u[i] = []float64{1e-4}
	}
	a.u[2], a.u[5] = []float64{1}, []float64{1}
	count := make([]int, 8)
	for round := range 200 {
		drawn := a.draw(0, round, 3)
		for k, c := range drawn {
			count[c.ID]++
			if k > 0 && drawn[k-1].ID >= c.ID {
				t.Fatalf("round %d draws %v", round, drawn)
			}
		}
	}
	if count[2] < 195 || count[5] < 195 || count[0] == 0 || count[0] > 80 {
		t.Errorf("drawn %v times of 200", count)
	}
}

// mixtureOf returns a client's mixture on the host.
func mixtureOf(t *testing.T, a *FedSoft, c *federation.Client) []float32 {
	t.Helper()
	v, err := a.mixture(c)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	x, err := v.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestFedSoftPredicts checks that clients which were never selected predict with the mixture and the others with their own model,
// or that all predict with their centre.
func TestFedSoftPredicts(t *testing.T) {
	e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedsoft").(*FedSoft)
	a.K = 2
	federationtest.MustRun(t, e, a, federation.RunOptions{})
	a.own[3] = nil
	for _, predicts := range []string{"own", "centre"} {
		a.Predicts = predicts
		seen := 0
		err := a.Predict(e, e.Clients, func(clients []*federation.Client, models []federation.Model) error {
			for i, c := range clients {
				seen++
				got, err := models[i].State.Floats()
				if err != nil {
					return err
				}
				want := a.own[c.ID]
				if c.ID == 3 {
					want = mixtureOf(t, a, c)
				}
				if predicts == "centre" {
					if want, err = a.States[a.Of[c.ID]].Floats(); err != nil {
						return err
					}
				}
				if want != nil && !slices.Equal(got, want) {
					t.Errorf("%s: client %d predicts with another model", predicts, c.ID)
				}
			}
			return nil
		})
		if err != nil || seen != 8 {
			t.Errorf("%s: %d clients, %v", predicts, seen, err)
		}
	}
}

// TestFedSoftRestarts checks that the second training of a client starts from the current mixture of the centres, or from the end
// of its first training. With a learning rate of 0 it also ends there.
func TestFedSoftRestarts(t *testing.T) {
	own := func(restart bool, rounds int) ([]float32, *FedSoft) {
		e, a := federationtest.TinyEnv(t, 2), federationtest.Algorithm(t, "fedsoft").(*FedSoft)
		a.K, a.Period, a.Everyone, a.Restart = 2, 100, true, restart
		e.Rounds, e.LearningRate, e.FinalPost = rounds, 0, false
		federationtest.MustRun(t, e, a, federation.RunOptions{})
		return a.own[0], a
	}
	first, after := own(true, 1)
	mixed := mixtureOf(t, after, after.Env.Clients[0])
	if slices.Equal(first, mixed) {
		t.Fatal("the centres did not move")
	}
	for restart, want := range map[bool][]float32{true: mixed, false: first} {
		if got, _ := own(restart, 2); !slices.Equal(got, want) {
			t.Errorf("restart %v: the second training started elsewhere", restart)
		}
	}
}

// TestFedSoftRoundByHand checks a round by hand (see [federationtest.HandEnv]).
func TestFedSoftRoundByHand(t *testing.T) {
	for _, c := range []federationtest.HandCase{
		// Client 0's only sample votes for centre 0, and all three samples of client 1 vote for centre 1, so u is (1, s) and (s,
		// 1) with s = 0.5. The mixtures are b = ±m with m = (0.1 - 0.1 s)/(1 + s), where the proximal term is 0 and the wrong
		// class has q = σ(-2m). A centre is the mean with weights u n: 1 and 3s, s and 3.
		{
			Name:  "fedsoft",
			Start: []federationtest.Linear{{0, 0, .1}, {0, 0, -.1}},
			Change: func(_ *federation.Env, a federation.Algorithm) {
				s := a.(*FedSoft)
				s.K, s.Sigma, s.Everyone = 2, 0.5, true
			},
			Ready: func(e *federation.Env, a federation.Algorithm) error { return a.(*FedSoft).estimate(e.Present()) },
			Want: func() map[string]federationtest.Linear {
				m := .05 / 1.5
				q := federationtest.Logistic(-2 * m)
				mean := func(u, v float64) federationtest.Linear {
					return federationtest.Linear{u * q / (u + v), -2 * v * q / (u + v), (u - v) / (u + v) * (m + q)}
				}
				return map[string]federationtest.Linear{"cluster-0": mean(1, 1.5), "cluster-1": mean(.5, 3)}
			}(),
		},
	} {
		t.Run(c.Name, c.Run)
	}
}

// TestFedSoftWithEqualCentres checks that equal centres never separate if all clients train them.
func TestFedSoftWithEqualCentres(t *testing.T) {
	federationtest.FindsNoGroups(t, "fedsoft", "where the centres start equal and all clients train them, only rounding parts them", func(e *federation.Env, a federation.Algorithm) {
		s := a.(*FedSoft)
		e.Rounds, s.K, s.Sigma, s.equalStart, s.Everyone = 8, 2, 0.125, true, true // a power of two causes no rounding
	})
}
