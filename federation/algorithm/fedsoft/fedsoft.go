// Package fedsoft implements soft clustered federated learning with proximal local updating (Ruan, Joe-Wong, 2022).
package fedsoft

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/internal/spelling"
	"feddag/internal/stream"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedsoft", "K centres; each client trains a model of its own near the centres that its samples vote for", func() federation.Algorithm {
		return &FedSoft{K: 5, Period: 2, Lambda: 0.1, Sigma: 1e-4, Restart: true, Predicts: "own", Rate: 1}
	})
}

// FedSoft is soft clustered federated learning with proximal local updating (Ruan, Joe-Wong, AAAI 2022). The server keeps K
// centres c_s, and client i keeps its own model w_i. Every τ rounds all clients receive the centres, and each sample votes for
// the centre with the lowest loss. If client i has n_is votes for centre s, then
//
//	u_is = n_is / n_i, or σ if n_is = 0;   v_is = u_is n_i / Σ_j u_js n_j
//
// A round draws R clients for every centre, without replacement, with the probabilities v_.s. A client may be drawn for
// several centres and trains once, from the mixture Σ_s u_is c_s / Σ_s u_is, with the loss F_i(w) + (λ/2) Σ_s u_is |w - c_s|².
// The result is its w_i, and c_s is set to the mean of the models of its R clients.
//
// A client is evaluated with its w_i, or with the mixture if it has no w_i yet. With --fedsoft-predict=centre it is evaluated
// with the centre that has most of its votes instead. In the authors' code a client that has a w_i continues training from it
// (--fedsoft-restart=false), so it learns from the other clients only through the proximal term. This gives worse results in
// docs/results.md.
//
// τ = 2, σ = 1e-4 and λ = 0.1 are the authors' values (github.com/ycruan/FedSoft, their MNIST and letters runs; λ = 0.01 for
// CIFAR). R is the size of the sample divided by K, so that no more clients train than with other methods. The authors draw
// 15 of 20 clients for each of two centres. The centres start from different states, centre s from the run's initialisation s,
// because equal centres never separate.
type FedSoft struct {
	algorithm.ClusterBank         // the centres; a client belongs to the cluster of the centre that has most of its votes
	K                     int     // number of centres
	Period                int     // τ, rounds
	Lambda                float64 // λ
	Sigma                 float64 // σ
	PerCentre             int     // R; 0 means the size of the sample divided by K
	Everyone              bool    // every client trains in every round, and c_s <- Σ_i v_is w_i
	Restart               bool    // every local training starts from the mixture
	Predicts              string  // what a client predicts with: "own" or "centre"
	Rate                  float64 // learning rate as a multiple of the run's

	equalStart bool        // let all centres start at θ^0, for tests
	u          [][]float64 // u, [clients][K]; nil before the first estimation
	own        [][]float32 // w_i by client id, on the host; nil for a client that has never trained
	drawn      [][]int     // ids of the clients that the round has drawn for each centre
}

// Flags implements [federation.Flagger].
func (a *FedSoft) Flags(fs *pflag.FlagSet) {
	fs.IntVar(&a.K, "fedsoft-clusters", a.K, "number of centres K")
	fs.IntVar(&a.Period, "fedsoft-period", a.Period, "period τ: number of rounds from one estimation of the weights to the next")
	fs.Float64Var(&a.Lambda, "fedsoft-lambda", a.Lambda, "weight λ of the proximal term around the centres")
	fs.Float64Var(&a.Sigma, "fedsoft-sigma", a.Sigma, "weight σ of a centre that no sample of a client votes for")
	fs.IntVar(&a.PerCentre, "fedsoft-per-centre", a.PerCentre, "number of clients R drawn for each centre; 0 means the size of the sample divided by K")
	fs.BoolVar(&a.Everyone, "fedsoft-everyone", a.Everyone, "train every client in every round, without a selection")
	fs.BoolVar(&a.Restart, "fedsoft-restart", a.Restart, "start every local training from the mixture of the centres instead of the client's own model")
	fs.StringVar(&a.Predicts, "fedsoft-predict", a.Predicts, "what a client predicts with before local training: own (its own model, or the mixture before it has one), centre")
	fs.Float64Var(&a.Rate, "fedsoft-rate", a.Rate, "learning rate as a multiple of --lr; centres that clients mix with equal weights learn more slowly")
}

// Unread implements [federation.Unreader].
func (a *FedSoft) Unread() []federation.UnreadFlag {
	if !a.Everyone {
		return nil
	}
	return []federation.UnreadFlag{{
		Name: "fedsoft-per-centre", Where: "with --fedsoft-everyone, which trains every client for every centre", Who: "it is read without --fedsoft-everyone",
	}}
}

// Validate implements [federation.Validator].
func (a *FedSoft) Validate() error {
	switch {
	case a.Period < 1:
		return fmt.Errorf("--fedsoft-period is %d: use 1 or more", a.Period)
	case !(a.Lambda >= 0 && !math.IsInf(a.Lambda, 0)):
		return fmt.Errorf("--fedsoft-lambda is %g: use 0 or more", a.Lambda)
	case !(a.Sigma > 0 && a.Sigma < 1):
		return fmt.Errorf("--fedsoft-sigma is %g: use a number above 0 and below 1", a.Sigma)
	case a.PerCentre < 0:
		return fmt.Errorf("--fedsoft-per-centre is %d: use 0 (the size of the sample divided by K) or more", a.PerCentre)
	}
	if !(a.Rate > 0 && !math.IsInf(a.Rate, 0)) {
		return fmt.Errorf("--fedsoft-rate is %g: use a number above 0", a.Rate)
	}
	return spelling.OneOf("--fedsoft-predict", a.Predicts, []string{"own", "centre"})
}

// Init implements [federation.Algorithm].
func (a *FedSoft) Init(env *federation.Env) error {
	if err := algorithm.CheckCount(env, "fedsoft-clusters", a.K); err != nil {
		return err
	}
	if err := a.Begin(env, 1, algorithm.SharedModel); err != nil {
		return err
	}
	if a.equalStart {
		a.Replace(slices.Repeat(a.States, a.K))
	} else {
		states, err := algorithm.IndependentStates(env, a.Net, a.K)
		if err != nil {
			return err
		}
		a.Replace(states)
	}
	a.u, a.own = make([][]float64, len(env.Clients)), make([][]float32, len(env.Clients))
	return a.estimate(env.Present())
}

// estimate computes u of the clients from the votes of their samples.
func (a *FedSoft) estimate(clients []*federation.Client) error {
	losses, err := algorithm.TrainingLosses(a.Env, a.Net, a.States, clients, true)
	if err != nil {
		return err
	}
	for i, c := range clients {
		votes := make([]int, a.K)
		for j := range c.Train {
			best := 0
			for s := range a.K {
				if losses[s][i].Losses[j] < losses[best][i].Losses[j] {
					best = s
				}
			}
			votes[best]++
		}
		a.u[c.ID] = shares(votes, c.Size(), a.Sigma)
		a.Of[c.ID] = slices.Index(votes, slices.Max(votes))
		a.Env.Ledger.Down(c, "centres", a.K*a.Net.Len())
		a.Env.Ledger.Up(c, "votes", a.K)
	}
	return nil
}

// shares returns u_is of a client with n samples, [K]: the votes for each centre divided by n, or sigma for a centre without
// votes.
func shares(votes []int, n int, sigma float64) []float64 {
	u := make([]float64, len(votes))
	for s, v := range votes {
		if u[s] = float64(v) / float64(n); v == 0 {
			u[s] = sigma
		}
	}
	return u
}

// Select implements [federation.Selector]: it estimates u every τ rounds, and then draws R clients for every centre.
func (a *FedSoft) Select(env *federation.Env, t int, sampled []*federation.Client) ([]*federation.Client, error) {
	clients := env.Present()
	if t > 0 && t%a.Period == 0 { // Init has estimated u for round 0
		if err := a.estimate(clients); err != nil {
			return nil, err
		}
	}
	a.drawn = make([][]int, a.K)
	r := min(a.PerCentre, len(clients))
	if r == 0 {
		r = max(1, len(sampled)/a.K)
	}
	if a.Everyone {
		r = len(clients)
	}
	chosen := map[*federation.Client]bool{}
	for s := range a.drawn {
		for _, c := range a.draw(s, t, r) {
			a.drawn[s] = append(a.drawn[s], c.ID)
			chosen[c] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(clients), func(c *federation.Client) bool { return !chosen[c] }), nil
}

// draw draws r clients for centre s without replacement, with the probabilities v_.s. They are the clients with the largest
// log(x)/v, where x is uniform in 0..1 (Efraimidis, Spirakis 2006). It returns them in ascending id.
func (a *FedSoft) draw(s, t, r int) []*federation.Client {
	random := stream.New(a.Env.Seed, "fedsoft", uint64(t), uint64(s))
	type key struct {
		client *federation.Client
		key    float64
	}
	var keys []key
	for _, c := range a.Env.Present() {
		keys = append(keys, key{c, math.Log(1-random.Float64()) / (a.u[c.ID][s] * float64(c.Size()))})
	}
	slices.SortStableFunc(keys, func(x, y key) int { return cmp.Compare(y.key, x.key) })
	var drawn []*federation.Client
	for _, k := range keys[:r] {
		drawn = append(drawn, k.client)
	}
	return federation.ByID(drawn)
}
