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
	federation.Register("fedsoft", "K centres; a client's own model, held near the centres its samples vote for", func() federation.Algorithm {
		return &FedSoft{K: 5, Period: 2, Lambda: 0.1, Sigma: 1e-4, Restart: true, Predicts: "own"}
	})
}

// FedSoft is soft clustered federated learning with proximal local updating (Ruan, Joe-Wong, AAAI 2022). The server keeps
// K centres c_s, a client i its own model w_i. Every τ rounds all clients receive the centres, and each sample votes for
// the centre of the lowest loss: n_is votes make
//
//	u_is = n_is / n_i, or σ where n_is = 0;   v_is = u_is n_i / Σ_j u_js n_j
//
// A round draws R clients for every centre, without replacement, with probabilities v_.s; a client may serve several and
// trains once, from the mixture Σ_s u_is c_s / Σ_s u_is, on F_i(w) + (λ/2) Σ_s u_is |w - c_s|². That is its w_i, and c_s
// the mean of its R clients' models.
//
// A client is evaluated with its w_i, with the mixture before it has one; --fedsoft-predict=centre has the centre of most
// votes in their place. In the authors' code a client that has a w_i trains on from it (--fedsoft-restart=false), so that
// what the others learn reaches it through the proximal term alone: weaker in docs/results.md.
//
// τ = 2, σ = 1e-4 and λ = 0.1 are the authors' (github.com/ycruan/FedSoft, their MNIST and letters runs; λ = 0.01 for
// CIFAR). R is the sample's size by K, so that no more clients train than in other methods; they take 15 of 20 for
// each of two centres. The centres start apart, centre s from the run's initialisation s: equal ones never part.
type FedSoft struct {
	algorithm.ClusterBank // the centres; a client's is that of its most votes
	K                     int
	Period                int     // τ
	Lambda                float64 // λ
	Sigma                 float64 // σ
	PerCentre             int     // R; 0 is the sample's size by K
	Everyone              bool    // no selection: every client trains, c_s <- Σ_i v_is w_i
	Restart               bool    // every training starts at the mixture
	Predicts              string  // "own" or "centre"

	alike  bool        // all centres start at θ^0, for tests
	u      [][]float64 // [clients][K]; nil before the first estimation
	own    [][]float32 // w_i; nil of a client that never trained
	picked [][]int     // of the round, by centre: ids
}

// Flags implements [Flagger].
func (a *FedSoft) Flags(fs *pflag.FlagSet) {
	fs.IntVar(&a.K, "fedsoft-clusters", a.K, "K, number of centres")
	fs.IntVar(&a.Period, "fedsoft-period", a.Period, "τ, rounds from one estimation of the weights to the next")
	fs.Float64Var(&a.Lambda, "fedsoft-lambda", a.Lambda, "λ of the proximal term about the centres")
	fs.Float64Var(&a.Sigma, "fedsoft-sigma", a.Sigma, "σ, weight of a centre that no sample votes for")
	fs.IntVar(&a.PerCentre, "fedsoft-per-centre", a.PerCentre, "R, clients drawn for each centre; 0 is the sample's size by K")
	fs.BoolVar(&a.Everyone, "fedsoft-everyone", a.Everyone, "no selection: every client trains in every round")
	fs.BoolVar(&a.Restart, "fedsoft-restart", a.Restart, "every training starts at the mixture of the centres, not at the client's own model")
	fs.StringVar(&a.Predicts, "fedsoft-predict", a.Predicts, "what a client predicts with before local training: own (its model, the mixture before it has one), centre")
}

// Validate implements [Validator].
func (a *FedSoft) Validate() error {
	switch {
	case a.Period < 1:
		return fmt.Errorf("--fedsoft-period is %d: use 1 or more", a.Period)
	case !(a.Lambda >= 0 && !math.IsInf(a.Lambda, 0)):
		return fmt.Errorf("--fedsoft-lambda is %g: use 0 or more", a.Lambda)
	case !(a.Sigma > 0 && a.Sigma < 1):
		return fmt.Errorf("--fedsoft-sigma is %g: use a number above 0, below 1", a.Sigma)
	case a.PerCentre < 0:
		return fmt.Errorf("--fedsoft-per-centre is %d: use 0 (the sample's size by K) or more", a.PerCentre)
	}
	return spelling.OneOf("--fedsoft-predict", a.Predicts, []string{"own", "centre"})
}

// Init implements [Algorithm].
func (a *FedSoft) Init(env *federation.Env) error {
	if err := algorithm.CheckCount(env, "fedsoft-clusters", a.K); err != nil {
		return err
	}
	if err := a.Begin(env, 1, algorithm.SharedModel); err != nil {
		return err
	}
	if a.alike {
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

// estimate lets clients' samples vote.
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

// shares are u_is: votes by samples, σ where there is none.
func shares(votes []int, n int, sigma float64) []float64 {
	u := make([]float64, len(votes))
	for s, v := range votes {
		if u[s] = float64(v) / float64(n); v == 0 {
			u[s] = sigma
		}
	}
	return u
}

// Select implements [Selector]: estimation every τ rounds, then R clients for every centre.
func (a *FedSoft) Select(env *federation.Env, t int, sampled []*federation.Client) ([]*federation.Client, error) {
	clients := env.Present()
	if t > 0 && t%a.Period == 0 { // Init has done so for round 0
		if err := a.estimate(clients); err != nil {
			return nil, err
		}
	}
	a.picked = make([][]int, a.K)
	r := min(a.PerCentre, len(clients))
	if r == 0 {
		r = max(1, len(sampled)/a.K)
	}
	if a.Everyone {
		r = len(clients)
	}
	chosen := map[*federation.Client]bool{}
	for s := range a.picked {
		for _, c := range a.draw(s, t, r) {
			a.picked[s] = append(a.picked[s], c.ID)
			chosen[c] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(clients), func(c *federation.Client) bool { return !chosen[c] }), nil
}

// draw takes r clients for centre s without replacement, with probabilities v_.s: those of the largest log(x)/v, x
// uniform in 0..1 (Efraimidis, Spirakis 2006). Ascending id.
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
