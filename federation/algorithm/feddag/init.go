package feddag

import (
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/similarity"
	"feddag/torch"
)

// Cluster implements [Clusterer]: phases 1 to 4.
func (a *FedDAG) Cluster(env *federation.Env) (*similarity.Result, error) {
	r, _, err := a.cluster(env)
	return r, err
}

func (a *FedDAG) cluster(env *federation.Env) (*similarity.Result, *warmUpResult, error) {
	single, err := env.Net(false)
	if err != nil {
		return nil, nil, err
	}
	if err := a.notifyInitial(env, single, env.InitialState(single)); err != nil {
		return nil, nil, err
	}
	clients := env.Present()
	warm, sketches, err := a.sketchClients(env, clients)
	if err != nil {
		return nil, nil, err
	}
	o := a.SketchOptions(env.Seed)
	if err := env.NotifySketches(clients, sketches, o); err != nil {
		return nil, nil, err
	}
	var result *similarity.Result
	err = env.Stage("clustering", func() (err error) {
		if result, err = similarity.ClusterProgress(sketches, o, env.ClusteringProgress); err != nil {
			return err
		}
		a.rosterIDs = nil
		for _, c := range clients {
			a.rosterIDs = append(a.rosterIDs, c.ID)
		}
		if env.ClientsMayChange() {
			if a.roster, err = similarity.NewRoster(sketches, result, o); err != nil {
				return err
			}
		}
		return a.setClustering(len(env.Clients), a.clientIDs(result.Clusters), result.Graph, edgeScores(result.Complementarity, result.Graph))
	})
	if err != nil {
		return nil, nil, err
	}
	return result, warm, env.NotifyClustered(result)
}

// sketch is phase 1 for some clients: their warm-up and what they send.
func (a *FedDAG) sketchClients(env *federation.Env, clients []*federation.Client) (warm *warmUpResult, sketches []similarity.Sketch, err error) {
	single, err := env.Net(false)
	if err != nil {
		return nil, nil, err
	}
	err = env.Stage("warmup", func() (err error) {
		warm, err = warmUp(env, single, env.InitialState(single), clients, a.WarmUpRounds, a.MaskFraction, a.sendsWarmUpWeights())
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	err = env.Stage("clustering", func() error {
		count, err := similarity.ParseCount(a.PrincipalVectors)
		if err != nil {
			return err
		}
		sketches, err = makeSketches(env, clients, warm.Updates, count, a.SVDSamples)
		return err
	})
	return warm, sketches, err
}

// SketchOptions implements [federation.SketchClusterer]: the options of phases 2 to 4.
func (a *FedDAG) SketchOptions(seed uint64) similarity.Options {
	o := a.Clustering
	o.Seed = seed
	return o
}

// named turns places in the roster into clients.
func (a *FedDAG) clientIDs(clusters [][]int) [][]int {
	of := make([][]int, len(clusters))
	for z, members := range clusters {
		for _, k := range members {
			of[z] = append(of[z], a.rosterIDs[k])
		}
		slices.Sort(of[z])
	}
	return of
}

// keepsWarmUp says whether the warm-up's weights are used after it.
func (a *FedDAG) sendsWarmUpWeights() bool {
	return a.PrimaryInit == "warm" || a.dual() && (a.HeadInit != "random" || a.SecondaryInit == "global" || a.usesClassifiers() && a.SecondaryInit != "random")
}

// tellInitial hands over θ^0 and the fresh secondary encoder: what another program needs to start alike.
func (a *FedDAG) notifyInitial(env *federation.Env, single *torch.Network, theta0 []float32) error {
	tensors := federation.TensorsOf(single, theta0, torch.All)
	if a.dual() {
		net, err := env.Net(true)
		if err != nil {
			return err
		}
		tensors = append(tensors, federation.TensorsOf(net, randomSecondary(env, net), torch.Secondary)...)
	}
	return env.NotifyWeights("initial", tensors)
}

// secondary returns a state whose secondary encoder is fresh, the same for all clusters; the rest is zero.
func randomSecondary(e *federation.Env, net *torch.Network) []float32 {
	x := make([]float32, net.Len())
	net.Init(x, torch.Secondary, e.InitStream(1))
	return x
}

// Init implements [Algorithm]: phases 1 to 4, then the models of eq. 22.
func (a *FedDAG) Init(env *federation.Env) error {
	_, warm, err := a.cluster(env)
	if err != nil {
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
		v, psi, err := a.initialState(env, warm, secondary, env.Present(), z)
		if err != nil {
			return err
		}
		a.states, a.classifiers = append(a.states, v), append(a.classifiers, psi)
	}
	for _, c := range env.Present() {
		env.Ledger.Down(c, "cluster", 1)
	}
	return nil
}

// nets describes the networks that are trained.
func (a *FedDAG) loadNetworks(env *federation.Env) (err error) {
	if a.net, err = env.Net(a.dual()); err != nil || !a.usesClassifiers() {
		return err
	}
	a.sourceNet, err = env.Net(false)
	return err
}

// sharedSecondary returns the Θ2 that new clusters have in common: fresh, or with a global start the mean of the clients'
// encoders after warm-up. Where there are clusters already, the global start is the mean of theirs. Nil of one encoder.
func (a *FedDAG) initialSecondary(env *federation.Env, warm *warmUpResult, clients []*federation.Client) ([]float32, error) {
	if !a.dual() {
		return nil, nil
	}
	r := a.net.Range(torch.Secondary)
	if a.SecondaryInit != "global" {
		return randomSecondary(env, a.net)[r.Begin:r.End], nil
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
		return x[r.Begin:r.End], nil
	}
	single, err := env.Net(false)
	if err != nil {
		return nil, err
	}
	x, err := a.warmUpMean(env, single, warm, clients, func(*federation.Client) bool { return true })
	if err != nil {
		return nil, err
	}
	from := single.Range(torch.Primary)
	return x[from.Begin:from.End], nil
}

// start returns the first state of cluster z, from the warm-up of those of the clients that are in it, and ψ_z where it
// has one: the warm-up's head, beside a fresh encoder the head of θ^0.
func (a *FedDAG) initialState(env *federation.Env, warm *warmUpResult, secondary []float32, clients []*federation.Client, z int) (state, psi *torch.Vector, err error) {
	single, err := env.Net(false)
	if err != nil {
		return nil, nil, err
	}
	theta0 := env.InitialState(single)
	x := theta0
	if warm.States != nil {
		if x, err = a.warmUpMean(env, single, warm, clients, func(c *federation.Client) bool { return a.clusterOf[c.ID] == z }); err != nil {
			return nil, nil, err
		}
	}
	if a.usesClassifiers() {
		from, head := x, single.Range(torch.Head)
		if a.SecondaryInit == "random" {
			from = theta0
		}
		if psi, err = torch.VectorOf(env.Device, from[head.Begin:head.End]); err != nil {
			return nil, nil, err
		}
	}
	if a.dual() {
		x = a.combine(env, single, x, theta0, secondary)
	}
	if state, err = torch.VectorOf(env.Device, x); err != nil {
		psi.Close()
		return nil, nil, err
	}
	return state, psi, nil
}

// warmMean returns the n_i-weighted mean of some clients' weights after warm-up (eq. 22).
func (a *FedDAG) warmUpMean(env *federation.Env, single *torch.Network, warm *warmUpResult, clients []*federation.Client, some func(*federation.Client) bool) ([]float32, error) {
	var states torch.Vectors
	defer func() { states.Close() }()
	var weights []float64
	for k, c := range clients {
		if !some(c) {
			continue
		}
		v, err := torch.VectorOf(env.Device, warm.States[k])
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

// join makes a cluster's state of two encoders out of its single-encoder weights: Θ1 from theta or θ^0, Θ2 as all have it
// or a copy of Θ1, and Θc over both features, where the warm head knows the primary's features only: the secondary's
// columns are zero, or both have half of it.
func (a *FedDAG) combine(env *federation.Env, single *torch.Network, theta, theta0, secondary []float32) []float32 {
	x := make([]float32, a.net.Len())
	in := func(net *torch.Network, state []float32, p torch.Part) []float32 {
		r := net.Range(p)
		return state[r.Begin:r.End]
	}
	primary := theta
	if a.PrimaryInit == "common" {
		primary = theta0
	}
	copy(in(a.net, x, torch.Primary), in(single, primary, torch.Primary))
	copy(in(a.net, x, torch.Secondary), secondary)
	if a.SecondaryInit == "primary" {
		copy(in(a.net, x, torch.Secondary), in(a.net, x, torch.Primary))
	}
	if a.HeadInit == "random" {
		a.net.Init(x, torch.Head, env.InitStream(2))
		return x
	}
	head, warm := in(a.net, x, torch.Head), in(single, theta, torch.Head)
	f, classes := a.net.Features(), a.net.Classes()
	for c := range classes { // row c: the primary's f columns, then the secondary's
		row := head[2*f*c : 2*f*(c+1)]
		copy(row, warm[f*c:f*(c+1)])
		if a.HeadInit == "both" {
			for k := range f {
				row[k] /= 2
				row[f+k] = row[k]
			}
		}
	}
	copy(head[2*f*classes:], warm[f*classes:])
	return x
}
