package feddag

import (
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// These are the random streams of the initial parts of a model. Stream 0 is used for θ^0, see [federation.Env.InitialState].
const (
	secondaryStream = 1 // Θ2
	headStream      = 2 // Θc
)

// Init implements [federation.Algorithm]. It runs phases 1 to 4 and makes the model of each cluster.
func (a *FedDAG) Init(env *federation.Env) error {
	if err := a.notifyInitial(env); err != nil {
		return err
	}
	_, warm, err := a.cluster(env)
	if err != nil {
		return err
	}
	if warm, err = a.warmUpForStart(env, warm, env.Present()); err != nil {
		return err
	}
	if err := a.loadNetworks(env); err != nil {
		return err
	}
	secondary, err := a.initialSecondary(env, warm, env.Present())
	if err != nil {
		return err
	}
	for z := range a.clusters {
		state, psi, err := a.initialState(env, warm, secondary, env.Present(), z)
		if err != nil {
			return err
		}
		a.states, a.classifiers = append(a.states, state), append(a.classifiers, psi)
	}
	for _, c := range env.Present() {
		env.Ledger.Down(c, "cluster", 1)
	}
	return nil
}

// initialState returns the first state [Θ1_z | Θ2_z | Θc_z] of cluster z, and its ψ_z or nil without classifiers. They start
// from the warm-up of those of the given clients that are in the cluster; warm holds it in the order of the clients. If warm
// is nil, there was no warm-up and they start from θ^0. ψ_z is the head after the warm-up, or the head of θ^0 if Θ2 is random.
func (a *FedDAG) initialState(env *federation.Env, warm *warmUpResult, secondary []float32, clients []*federation.Client, z int) (state, psi *torch.Vector, err error) {
	single, err := env.Net(false)
	if err != nil {
		return nil, nil, err
	}
	theta0 := env.InitialState(single)
	x := theta0
	if warm != nil && warm.states != nil {
		inCluster := func(c *federation.Client) bool { return a.clusterOf[c.ID] == z }
		if x, err = warmUpMean(env, single, warm, clients, inCluster); err != nil {
			return nil, nil, err
		}
		for _, p := range a.sharedParts(single) {
			with := p.clustersWith(z)
			if len(with) < 2 || p.values.Len() == 0 {
				continue
			}
			shares := func(c *federation.Client) bool { return slices.Contains(with, a.clusterOf[c.ID]) }
			mean, err := warmUpMean(env, single, warm, clients, shares)
			if err != nil {
				return nil, nil, err
			}
			copy(x[p.values.Begin:p.values.End], mean[p.values.Begin:p.values.End])
		}
	}
	if a.usesClassifiers() {
		from := x
		if a.SecondaryInit == SecondaryInitRandom {
			from = theta0
		}
		if psi, err = torch.VectorOf(env.Device, part(single, from, torch.Head)); err != nil {
			return nil, nil, err
		}
	}
	if a.dual() {
		x = a.dualState(env, single, x, theta0, secondary)
	}
	if state, err = torch.VectorOf(env.Device, x); err == nil {
		err = a.copyShared(state, z)
	}
	if err != nil {
		state.Close()
		psi.Close()
		return nil, nil, err
	}
	return state, psi, nil
}

// initialSecondary returns the Θ2 that the new clusters have in common, or nil for a variant without Θ2. It is random unless
// SecondaryInit is "global". Then it is the n_i-weighted mean of the given clients' encoders after the warm-up, or, once there
// are clusters, the plain mean of their secondary encoders. If there is neither, it is random, because a copy of θ^0 would
// equal the primary encoder.
func (a *FedDAG) initialSecondary(env *federation.Env, warm *warmUpResult, clients []*federation.Client) ([]float32, error) {
	if !a.dual() {
		return nil, nil
	}
	if a.SecondaryInit != SecondaryInitGlobal {
		return part(a.net, randomSecondary(env, a.net), torch.Secondary), nil
	}
	var learned torch.Vectors
	for _, v := range a.states {
		if v != nil {
			learned = append(learned, v)
		}
	}
	if len(learned) > 0 {
		v, err := algorithm.Mean(a.net, learned[0], learned, slices.Repeat([]float64{1}, len(learned)), torch.Secondary)
		if err != nil {
			return nil, err
		}
		defer v.Close()
		x, err := v.Floats()
		if err != nil {
			return nil, err
		}
		return part(a.net, x, torch.Secondary), nil
	}
	if warm == nil {
		return part(a.net, randomSecondary(env, a.net), torch.Secondary), nil
	}
	single, err := env.Net(false)
	if err != nil {
		return nil, err
	}
	x, err := warmUpMean(env, single, warm, clients, func(*federation.Client) bool { return true })
	if err != nil {
		return nil, err
	}
	return part(single, x, torch.Primary), nil
}

// randomSecondary returns a state of the network with two encoders whose Θ2 is random, the same in all calls of a run. The
// rest is zero.
func randomSecondary(env *federation.Env, net *torch.Network) []float32 {
	x := make([]float32, net.Len())
	net.Init(x, torch.Secondary, env.InitStream(secondaryStream))
	return x
}

// warmUpMean returns the mean of the included clients' weights after the warm-up, weighted by their n_i (eq. 22):
//
//	Σ_i n_i θ_i / Σ_i n_i   [P1]
//
// warm holds the weights in the order of the clients. At least one client must be included.
func warmUpMean(env *federation.Env, single *torch.Network, warm *warmUpResult, clients []*federation.Client, include func(*federation.Client) bool) ([]float32, error) {
	var states torch.Vectors
	defer func() { states.Close() }()
	var weights []float64
	for k, c := range clients {
		if !include(c) {
			continue
		}
		v, err := torch.VectorOf(env.Device, warm.states[k])
		if err != nil {
			return nil, err
		}
		states, weights = append(states, v), append(weights, float64(c.Size()))
	}
	v, err := algorithm.Mean(single, states[0], states, weights, torch.All)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return v.Floats()
}

// dualState returns a cluster's state [Θ1 | Θ2 | Θc] with two encoders. It is made from theta, the cluster's weights with one
// encoder after the warm-up.
//
//	Θ1  the encoder of theta, or of theta0 (PrimaryInit)
//	Θ2  secondary, or a copy of Θ1 (SecondaryInit)
//	Θc  random, or the head of theta (HeadInit). That head has only the primary's features: the secondary's columns are zero,
//	    or the columns of each encoder have half of its weights
func (a *FedDAG) dualState(env *federation.Env, single *torch.Network, theta, theta0, secondary []float32) []float32 {
	x := make([]float32, a.net.Len())
	primary := theta
	if a.PrimaryInit == PrimaryInitCommon {
		primary = theta0
	}
	copy(part(a.net, x, torch.Primary), part(single, primary, torch.Primary))
	copy(part(a.net, x, torch.Secondary), secondary)
	if a.SecondaryInit == SecondaryInitPrimary {
		copy(part(a.net, x, torch.Secondary), part(a.net, x, torch.Primary))
	}
	if a.HeadInit == HeadInitRandom {
		a.net.Init(x, torch.Head, env.InitStream(headStream))
		return x
	}
	head, warm := part(a.net, x, torch.Head), part(single, theta, torch.Head)
	f, classes := a.net.Features(), a.net.Classes()
	for c := range classes { // a row of the head is [the primary's f columns | the secondary's f columns]
		row := head[2*f*c : 2*f*(c+1)]
		copy(row, warm[f*c:f*(c+1)])
		if a.HeadInit == HeadInitBoth {
			for k := range f {
				row[k] /= 2
				row[f+k] = row[k]
			}
		}
	}
	copy(head[2*f*classes:], warm[f*classes:]) // the biases  [C]
	return x
}

// part returns the values of one part of a network in a state. They share the state's memory.
func part(net *torch.Network, state []float32, p torch.Part) []float32 {
	r := net.Range(p)
	return state[r.Begin:r.End]
}
