package federation

import (
	"feddag/similarity"
	"feddag/torch"
)

// Cluster implements [Clusterer]: phases 1 to 4.
func (a *FedDAG) Cluster(env *Env) (*similarity.Result, error) {
	r, _, err := a.cluster(env)
	return r, err
}

func (a *FedDAG) cluster(env *Env) (*similarity.Result, *WarmUp, error) {
	single, err := env.Net(false)
	if err != nil {
		return nil, nil, err
	}
	theta0 := env.initial(single)
	if err := a.tellInitial(env, single, theta0); err != nil {
		return nil, nil, err
	}
	var warm *WarmUp
	err = env.stage("warmup", func() (err error) {
		warm, err = env.warmUp(single, theta0, a.WarmUpRounds, a.MaskFraction, a.keepsWarmUp())
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	var result *similarity.Result
	err = env.stage("clustering", func() error {
		count, err := similarity.ParseCount(a.PrincipalVectors)
		if err != nil {
			return err
		}
		sketches, err := env.sketches(warm.Updates, count, a.SVDSamples)
		if err != nil {
			return err
		}
		o := a.Clustering
		o.Seed = env.Seed
		if result, err = similarity.Cluster(sketches, o); err != nil {
			return err
		}
		return a.assign(len(env.Clients), result.Clusters, result.Graph)
	})
	if err != nil {
		return nil, nil, err
	}
	return result, warm, env.tell(func(o Observer) error { return o.Clustered(result) })
}

// keepsWarmUp says whether the warm-up's weights are used after it.
func (a *FedDAG) keepsWarmUp() bool {
	return a.PrimaryInit == "warm" || a.dual() && a.HeadInit == "warm"
}

// tellInitial hands over θ^0 and the fresh secondary encoder: what another program needs to start alike.
func (a *FedDAG) tellInitial(env *Env, single *torch.Network, theta0 []float32) error {
	tensors := tensorsOf(single, theta0, torch.All)
	if a.dual() {
		net, err := env.Net(true)
		if err != nil {
			return err
		}
		tensors = append(tensors, tensorsOf(net, env.secondary(net), torch.Secondary)...)
	}
	return env.tell(func(o Observer) error { return o.Weights("initial", tensors) })
}

// secondary returns a state whose secondary encoder is fresh, the same for all clusters; the rest is zero.
func (e *Env) secondary(net *torch.Network) []float32 {
	x := make([]float32, net.Len())
	net.Init(x, torch.Secondary, e.initStream(1))
	return x
}

// Init implements [Algorithm]: phases 1 to 4, then the models of eq. 22.
func (a *FedDAG) Init(env *Env) error {
	a.env = env
	_, warm, err := a.cluster(env)
	if err != nil {
		return err
	}
	single, err := env.Net(false)
	if err != nil {
		return err
	}
	if a.net, err = env.Net(a.dual()); err != nil {
		return err
	}
	theta0 := env.initial(single)
	for _, members := range a.clusters {
		theta, err := a.warmMean(env, single, warm, members, theta0)
		if err != nil {
			return err
		}
		x := theta
		if a.dual() {
			x = a.join(env, single, theta, theta0)
		}
		v, err := torch.VectorOf(env.Device, x)
		if err != nil {
			return err
		}
		a.states = append(a.states, v)
		for _, i := range members {
			env.Ledger.Down(env.Clients[i], "cluster", 1)
		}
	}
	return nil
}

// warmMean returns the n_i-weighted mean of the members' weights after warm-up (eq. 22), or θ^0 if none were kept.
func (a *FedDAG) warmMean(env *Env, single *torch.Network, warm *WarmUp, members []int, theta0 []float32) ([]float32, error) {
	if warm.States == nil {
		return theta0, nil
	}
	var states vectors
	defer func() { states.Close() }()
	weights := make([]float64, len(members))
	for k, i := range members {
		v, err := torch.VectorOf(env.Device, warm.States[i])
		if err != nil {
			return nil, err
		}
		states = append(states, v)
		weights[k] = float64(env.Clients[i].Size())
	}
	v, err := mean(single, states[0], states, weights, torch.All)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return v.Floats()
}

// join makes a cluster's state of two encoders out of its single-encoder weights: Θ1 from theta or θ^0, Θ2 fresh or a
// copy of Θ1, and Θc over both features, where the warm head knows the primary's features only.
func (a *FedDAG) join(env *Env, single *torch.Network, theta, theta0 []float32) []float32 {
	x := env.secondary(a.net)
	primary := theta
	if a.PrimaryInit == "common" {
		primary = theta0
	}
	in := func(net *torch.Network, state []float32, p torch.Part) []float32 {
		r := net.Range(p)
		return state[r.Begin:r.End]
	}
	copy(in(a.net, x, torch.Primary), in(single, primary, torch.Primary))
	if a.SecondaryInit == "primary" {
		copy(in(a.net, x, torch.Secondary), in(a.net, x, torch.Primary))
	}
	if a.HeadInit == "random" {
		a.net.Init(x, torch.Head, env.initStream(2))
		return x
	}
	head, warm := in(a.net, x, torch.Head), in(single, theta, torch.Head)
	f, classes := a.net.Features(), a.net.Classes()
	for c := range classes { // row c: the primary's f columns, then the secondary's
		copy(head[2*f*c:2*f*c+f], warm[f*c:f*(c+1)])
	}
	copy(head[2*f*classes:], warm[f*classes:])
	return x
}
