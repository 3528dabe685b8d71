// Package fedgwc implements clustering by Gaussian weights of the clients' losses (Licciardi et al., 2025).
package fedgwc

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/internal/spelling"
	"feddag/internal/stream"
	"feddag/torch"

	"github.com/spf13/pflag"
)

func init() {
	federation.Register("fedgwc", "starts with one cluster and splits clusters by how typical the clients' losses are", func() federation.Algorithm {
		return &FedGWC{Epsilon: 1, Gamma: 0.1, MostParts: 4, Compare: "rows", Losses: 7}
	})
}

// FedGWC is interaction-aware Gaussian weighting for clustered federated learning (Licciardi, Leo, Fanì, Caputo, Ciccone,
// ICML 2025). A cluster of K_c clients keeps an interaction matrix W (K_c x K_c, with entries 1/K_c² at the start). In a round
// the m_c clients of the cohort that belong to it send their losses l_i[s] with their models. With µ_s and σ²_s, the
// n_i-weighted mean and variance of the losses over these clients,
//
//	r_i = mean_s exp(-(l_i[s] - µ_s)² / (2 σ²_s)),  ω_i = r_i / Σ r,  α = m_c / K_c
//	W_ij <- (1-α) W_ij + α ω_i   for i, j of the cohort
//	e <- (1-α) e + α mean dW_ij²;  patience increases by 1 if e < ε, else it is 0
//
// When the patience reaches N/m, the cluster is split by spectral clustering of the affinity between W's rows. The number of
// parts is the one with the lowest Davies-Bouldin score, if this score is below 1. Otherwise e starts again at 1. The parts
// start with the model of the cluster and their part of W, and may be split again if they have more than m clients. The score
// is computed on the eigenvectors 1 to n of the affinity, as in the authors' code: see findParts.
//
// The authors' code compares the columns of W. Row i has client i's own ω_i; column i has the ω of the clients that were in a
// round with it. With two groups whose losses are 0.1 and 1 (30 and 70 of 100 clients, 20 per round, 200 rounds,
// TestFedGWCRowsAndColumns), the rows give both groups exactly, and the columns give no groups. Compare = "columns" is the
// authors' variant.
//
// γ = 0.1 and at most 4 parts are the authors' values (github.com/davedleo/FedGWC, config.py and agents/servers.py). With
// their ε = 1e-5, 100 clients and 20 per round, the first split takes 200 rounds or more. Therefore ε = Epsilon/K_c² here,
// the square of the step of a first visit. l_i[s] is the loss of mini-batch s of the local training, for the first S =
// Losses mini-batches. In the authors' code a local training has S = 7 mini-batches in all. With Losses = 0, l_i[s] is the mean
// loss of epoch s instead. σ² is at least 1e-8, because smaller values are rounding errors. A round trains the common cohort,
// of which m_c clients are in cluster c. PerCluster trains min(m, K_c) clients of every cluster, as in the authors' code; then
// each split increases the cost of a round.
type FedGWC struct {
	algorithm.ClusterBank
	Epsilon    float64 // ε K_c²; 0 never splits a cluster
	Gamma      float64 // γ of the affinity
	MostParts  int     // largest number of parts of one split
	Compare    string  // what the affinity compares: the "rows" or the "columns" of W
	PerCluster bool    // sample every cluster separately
	Losses     int     // S, number of first mini-batches whose losses are compared; 0 compares the mean loss of every epoch

	interactions []*interactions // interactions of each cluster
}

// Flags implements [federation.Flagger].
func (a *FedGWC) Flags(fs *pflag.FlagSet) {
	fs.Float64Var(&a.Epsilon, "fedgwc-epsilon", a.Epsilon, "a cluster of n clients may be split once its running error is below this value divided by n²; 0 never splits")
	fs.Float64Var(&a.Gamma, "fedgwc-gamma", a.Gamma, "scale γ of the affinity between clients")
	fs.IntVar(&a.MostParts, "fedgwc-most-parts", a.MostParts, "largest number of parts that a cluster is split into")
	fs.StringVar(&a.Compare, "fedgwc-compare", a.Compare, "what the affinity between clients compares: the rows of W, or the columns (the authors' code)")
	fs.IntVar(&a.Losses, "fedgwc-losses", a.Losses, "number of mini-batches at the start of each local training whose losses are compared; 0 compares the mean loss of each epoch")
	federation.SetEarlier(fs, "fedgwc-losses", "0")
	fs.BoolVar(&a.PerCluster, "fedgwc-per-cluster", a.PerCluster, "sample as many clients in each cluster as a round has, instead of as many among all clients")
}

// Validate implements [federation.Validator].
func (a *FedGWC) Validate() error {
	switch {
	case !(a.Epsilon >= 0):
		return fmt.Errorf("--fedgwc-epsilon is %g: use 0 (never) or more", a.Epsilon)
	case !(a.Gamma > 0 && !math.IsInf(a.Gamma, 0)):
		return fmt.Errorf("--fedgwc-gamma is %g: use a number above 0", a.Gamma)
	case a.Losses < 0:
		return fmt.Errorf("--fedgwc-losses is %d: use 1 or more, or 0 for the mean loss of each epoch", a.Losses)
	case a.MostParts < 2:
		return fmt.Errorf("--fedgwc-most-parts is %d: use 2 or more", a.MostParts)
	}
	return spelling.OneOf("--fedgwc-compare", a.Compare, []string{"rows", "columns"})
}

// Init implements [federation.Algorithm].
func (a *FedGWC) Init(env *federation.Env) error {
	var all []int
	for _, c := range env.Present() {
		all = append(all, c.ID)
	}
	a.warnOfNoSplit(env)
	a.interactions = []*interactions{newInteractions(all)}
	return a.Begin(env, 1, algorithm.SharedModel)
}

// warnOfNoSplit warns if the first cluster cannot be split in the run.
func (a *FedGWC) warnOfNoSplit(env *federation.Env) {
	switch n, m := len(env.Present()), len(env.Sample(0)); {
	case a.Epsilon == 0:
		env.Warn("--fedgwc-epsilon is 0: no cluster is ever split, so the method is FedAvg")
	case n < 2*m:
		env.Warn("there are %d clients, and %d per round: a cluster with fewer than twice the clients of a round is never split, so the method is FedAvg", n, m)
	default:
		if t := a.earliest(n, m); t > env.Rounds {
			env.WarnOfRounds("no cluster can be split before the end of round %d, but the run has %d rounds, so the method is FedAvg; raise --rounds or --fedgwc-epsilon", t, env.Rounds)
		}
	}
}

// earliest returns the first round after which a cluster of n clients may be split if m of them are in each round. The running
// error e starts at 1 and is at least (1-α)^t after t rounds. Once it is below ε, the patience must still be reached.
func (a *FedGWC) earliest(n, m int) int {
	e, t := 1.0, 0
	for ; e >= a.Epsilon/float64(n*n); t++ {
		e *= 1 - float64(m)/float64(n)
	}
	return t - 1 + max(1, int(math.Round(float64(n)/float64(m))))
}

// Select implements [federation.Selector]: it returns the sample, or a sample of every cluster if PerCluster is set.
func (a *FedGWC) Select(env *federation.Env, t int, sampled []*federation.Client) ([]*federation.Client, error) {
	if !a.PerCluster {
		return sampled, nil
	}
	var chosen []*federation.Client
	for z, g := range a.interactions {
		n := len(g.Members)
		for _, k := range stream.New(env.Seed, "fedgwc", uint64(t), uint64(z)).Perm(n)[:min(len(sampled), n)] {
			chosen = append(chosen, env.Clients[g.Members[k]])
		}
	}
	return chosen, nil
}

// Round implements [federation.Algorithm]: local training, averages, the update of W, and splits.
func (a *FedGWC) Round(env *federation.Env, t int, cohort []*federation.Client) (_ federation.Report, err error) {
	cohort = federation.ByID(cohort)
	trained, err := a.Train(cohort, t, federation.PrimaryPhase)
	if err != nil {
		return federation.Report{}, err
	}
	losses, err := a.losses(t, cohort, trained)
	if err == nil {
		err = a.Average(cohort, federation.Ends(trained))
	}
	if err != nil {
		federation.Ends(trained).Close()
		return federation.Report{}, err
	}
	notes := a.updateInteractions(t, cohort, losses)
	a.BookModels(cohort)
	for i, c := range cohort {
		env.Ledger.Up(c, "losses", len(losses[i]))
	}
	return federation.Report{Loss: federation.LastLoss(trained), Trained: federation.Locals(a.Net, cohort, trained), Notes: notes}, nil
}

// losses returns the losses that the clients of a cohort send, [cohort][S], after their local training in round t. The bank must
// still have the models from which they trained.
func (a *FedGWC) losses(t int, cohort []*federation.Client, trained []torch.Trained) ([][]float64, error) {
	if a.Losses == 0 {
		losses := make([][]float64, len(trained))
		epochs := math.MaxInt // number of epochs that all of them did; stragglers do fewer
		for _, r := range trained {
			epochs = min(epochs, len(r.Loss))
		}
		for i, r := range trained {
			losses[i] = r.Loss[:epochs]
		}
		return losses, nil
	}
	jobs := make([]torch.Job, len(cohort))
	for i, c := range cohort {
		jobs[i] = c.Job(a.States[a.Of[c.ID]])
	}
	return a.Env.FirstLosses(a.Net, jobs, t, federation.PrimaryPhase, torch.All, a.Env.SGD(), a.Losses)
}

// updateInteractions updates the matrix of every cluster with the losses of a round, and splits the clusters whose patience is
// reached. It returns the smallest running error as a note.
func (a *FedGWC) updateInteractions(t int, cohort []*federation.Client, sent [][]float64) map[string]float64 {
	m := float64(len(a.Env.Sample(t)))
	least := math.Inf(1)
	for z := range a.interactions { // not the clusters that a split appends, which have no losses yet
		g := a.interactions[z]
		var places []int // indices into g.Members of the clients that are in the cohort
		var losses [][]float64
		var n []float64
		for i, c := range cohort {
			if place, ok := slices.BinarySearch(g.Members, c.ID); ok {
				places, losses, n = append(places, place), append(losses, sent[i]), append(n, float64(c.Size()))
			}
		}
		if len(places) >= 2 {
			g.update(places, rewards(losses, n), a.Epsilon)
		}
		least = min(least, g.E)
		patience := math.Round(float64(len(a.Env.Present())) / m)
		if a.PerCluster {
			patience = math.Round(float64(len(g.Members)) / m)
		}
		if float64(g.Patience) >= max(1, patience) && float64(len(g.Members)) >= 2*m {
			a.split(z, int(m))
		}
	}
	return map[string]float64{"fedgwc_least_error": least}
}
