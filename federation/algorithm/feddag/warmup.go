package feddag

import (
	"fmt"
	"slices"
	"strconv"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// AutoWarmUp is the value of FedDAG.WarmUpRounds for the default: two rounds with ClustersBySimilarity, which compares their
// updates, and no rounds with ClustersByTest. docs/feddag.md measures the effect of a warm-up on the models alone.
const AutoWarmUp = -1

// warmUpRounds returns tg.
func (a *FedDAG) warmUpRounds() int {
	switch {
	case a.WarmUpRounds != AutoWarmUp:
		return a.WarmUpRounds
	case a.trainsToCluster():
		return 2
	}
	return 0
}

// warmUpValue is the flag of WarmUpRounds. Its text is always a number of rounds.
type warmUpValue struct{ a *FedDAG }

// String implements pflag.Value.
func (v warmUpValue) String() string { return strconv.Itoa(v.a.warmUpRounds()) }

// Set implements pflag.Value.
func (v warmUpValue) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return fmt.Errorf("use a whole number, 0 for no warm-up")
	}
	v.a.WarmUpRounds = n
	return nil
}

// Type implements pflag.Value.
func (v warmUpValue) Type() string { return "int" }

// warmUpBatch is the number of clients whose weights are on the device at the same time during the warm-up.
const warmUpBatch = 32

// warmUpResult is the result of the clients' training alone (phase 1).
type warmUpResult struct {
	mask    []int64     // the coordinates of the update that are sent, ascending; nil if no update is sent  [k]
	updates [][]float32 // Δ~_i of each client: the masked update over the last warm-up round; nil without mask  [N, k]
	states  [][]float32 // θ_i of each client after the warm-up; nil unless it is sent  [N, P1]
}

// warmUp lets some clients train alone from θ^0, with one encoder, for tg rounds of E epochs. Each client sends the masked
// change of its weights over the last of these rounds, and its weights if the initial models average them, as in eq. 22.
// Momentum starts at zero in each round. A client's result depends only on its data and on the seed, not on when it warms up
// or with which other clients.
func (a *FedDAG) warmUp(env *federation.Env, clients []*federation.Client) (*warmUpResult, error) {
	net, err := env.Net(false)
	if err != nil {
		return nil, err
	}
	w := new(warmUpResult)
	if a.trainsToCluster() {
		w.mask = algorithm.Mask(env, net, a.MaskFraction)
	}
	theta0, err := torch.VectorOf(env.Device, env.InitialState(net))
	if err != nil {
		return nil, err
	}
	defer theta0.Close()
	defer env.Span(clients, a.warmUpRounds())()
	sendsWeights := a.sendsWarmUpWeights()
	for some := range slices.Chunk(clients, warmUpBatch) {
		if err := w.train(env, net, some, theta0, a.warmUpRounds(), sendsWeights); err != nil {
			return nil, fmt.Errorf("warm-up: %w", err)
		}
	}
	for _, c := range clients {
		env.Ledger.Down(c, "initial", net.Len())
		if a.trainsToCluster() {
			env.Ledger.Up(c, "update", len(w.mask))
		}
		if sendsWeights {
			env.Ledger.Up(c, "warm-up weights", net.Len())
		}
	}
	return w, nil
}

// warmUpForStart returns the warm-up from which the models of the given clients' clusters start. It returns warm if the clients
// have warmed up for the clustering. It returns nil if the models start from θ^0 and from random weights, because no option
// reads the weights after a warm-up or the warm-up has no rounds.
func (a *FedDAG) warmUpForStart(env *federation.Env, warm *warmUpResult, clients []*federation.Client) (*warmUpResult, error) {
	if warm != nil || a.warmUpRounds() == 0 || !a.sendsWarmUpWeights() {
		return warm, nil
	}
	err := env.Stage(federation.WarmUpStage, func() (err error) {
		warm, err = a.warmUp(env, clients)
		return err
	})
	return warm, err
}

// sendsWarmUpWeights reports whether the models start from the weights after the warm-up, so that the clients send them.
func (a *FedDAG) sendsWarmUpWeights() bool {
	switch {
	case a.PrimaryInit == PrimaryInitWarm:
		return true
	case !a.dual():
		return false
	case a.HeadInit != HeadInitRandom || a.SecondaryInit == SecondaryInitGlobal:
		return true
	}
	return a.usesClassifiers() && a.SecondaryInit != SecondaryInitRandom // ψ_z starts as the head after the warm-up
}

// train warms up at most warmUpBatch clients for tg rounds and collects what they send.
func (w *warmUpResult) train(env *federation.Env, net *torch.Network, clients []*federation.Client, theta0 *torch.Vector, tg int, sendsWeights bool) error {
	var before torch.Vectors // the clients' weights at the start of the round
	for range clients {
		before = append(before, theta0)
	}
	for round := range tg {
		jobs := make([]torch.Job, len(clients))
		for i, c := range clients {
			jobs[i] = c.Job(before[i])
		}
		trained, err := env.LocalSGD(net, jobs, round, federation.WarmUpPhase, torch.All)
		if err == nil && round == tg-1 {
			err = w.collect(before, federation.Ends(trained), sendsWeights)
		}
		if round > 0 { // in round 0 all entries are θ^0, which the caller closes
			before.Close()
		}
		if err != nil {
			federation.Ends(trained).Close()
			return err
		}
		before = federation.Ends(trained)
	}
	before.Close()
	return nil
}

// collect copies the masked updates of a few clients to the host, and their weights if they are sent.
func (w *warmUpResult) collect(before, after torch.Vectors, sendsWeights bool) error {
	for i := range after {
		if w.mask != nil {
			old, err := before[i].Gather(w.mask)
			if err != nil {
				return err
			}
			update, err := after[i].Gather(w.mask)
			if err != nil {
				return err
			}
			for k := range update {
				update[k] -= old[k]
			}
			w.updates = append(w.updates, update)
		}
		if sendsWeights {
			x, err := after[i].Floats()
			if err != nil {
				return err
			}
			w.states = append(w.states, x)
		}
	}
	return nil
}
