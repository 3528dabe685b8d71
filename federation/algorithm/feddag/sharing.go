package feddag

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// sharing is a round's work on the clusters' next states and classifiers, which begin as copies.
type roundState struct {
	*FedDAG
	env     *federation.Env
	t       int
	cohort  []*federation.Client
	sampled [][]int // by cluster, the positions in the cohort of its clients

	next            torch.Vectors
	nextClassifiers torch.Vectors
}

// absorb gives every cluster the weighted mean of some parts of its sampled clients' models (eq. 16 to 18).
func (r *roundState) aggregate(ended torch.Vectors, parts torch.Part) error {
	next, err := algorithm.AverageBy(r.net, r.next, r.sampled, ended, func(_, k int) float64 { return float64(r.cohort[k].Size()) }, parts)
	if err != nil {
		return err
	}
	r.next.Without(next).Close()
	r.next = next
	return nil
}

// pick returns some of the cohort's states and weights.
func pick(members []int, cohort []*federation.Client, ended torch.Vectors) (torch.Vectors, []float64) {
	states, clients := make(torch.Vectors, len(members)), make([]*federation.Client, len(members))
	for i, k := range members {
		states[i], clients[i] = ended[k], cohort[k]
	}
	return states, federation.Sizes(clients)
}

// secondary runs the second phase (eq. 19 to 21) and adds what came of it to the learners. A source z starts its clients
// at Θ2'_z, the mean of its learners' secondary encoders, and trains only that, or with a classifier of its own [Θ2' | ψ_z];
// primaries are the clients' states after the primary phase, used with the order "primary-first" and the full head.
func (r *roundState) secondaryPhase(primaries torch.Vectors) error {
	starts := make(torch.Vectors, len(r.states)) // of each source
	defer starts.Close()
	var own torch.Vectors // starts of single clients
	defer func() { own.Close() }()
	var tasks []federation.Task
	where := make([][]int, len(r.states)) // places of a source's clients in tasks
	for z := range r.states {
		if len(r.sampled[z]) == 0 || len(r.learners[z]) == 0 {
			continue
		}
		var err error
		if starts[z], err = r.sourceStart(z); err != nil {
			return err
		}
	}
	for k, c := range r.cohort {
		z := r.clusterOf[c.ID]
		if starts[z] == nil {
			continue
		}
		start := starts[z]
		if r.Order == "primary-first" && !r.usesClassifiers() {
			v, err := r.withSecondary(primaries[k], start)
			if v != nil {
				own = append(own, v)
			}
			if err != nil {
				return err
			}
			start = v
		}
		where[z] = append(where[z], len(tasks))
		tasks = append(tasks, federation.Task{Client: c, Start: start})
	}
	net, parts := r.net, torch.Secondary
	if r.usesClassifiers() {
		net, parts = r.sourceNet, torch.All
	}
	trained, err := r.env.LocalSGD(net, tasks, r.t, federation.SecondaryPhase, parts)
	if err != nil {
		return err
	}
	defer federation.Ends(trained).Close()
	clients := make([]*federation.Client, len(tasks))
	for i, task := range tasks {
		clients[i] = task.Client
	}
	return r.updateLearners(starts, where, clients, federation.Ends(trained))
}

// sourceStart returns source z's state with Θ2'_z, the mean of its learners' secondary encoders, or [Θ2'_z | ψ_z].
func (r *roundState) sourceStart(z int) (*torch.Vector, error) {
	var states torch.Vectors
	for _, e := range r.learners[z] {
		states = append(states, r.states[e.learner])
	}
	v, err := algorithm.Mean(r.net, r.states[z], states, slices.Repeat([]float64{1}, len(states)), torch.Secondary)
	if err != nil || !r.usesClassifiers() {
		return v, err
	}
	defer v.Close()
	start, err := torch.NewVector(r.env.Device, r.sourceNet.Len())
	if err != nil {
		return nil, err
	}
	psi := r.classifiers[z]
	return start, errors.Join(
		start.Copy(r.sourceNet.Range(torch.Primary), v, r.net.Range(torch.Secondary)),
		start.Copy(r.sourceNet.Range(torch.Head), psi, psi.Range()))
}

// onTrained returns a client's state after its primary phase, with the secondary encoder of its source's start.
func (r *roundState) withSecondary(primary, source *torch.Vector) (*torch.Vector, error) {
	v, err := primary.Clone()
	if err != nil {
		return nil, err
	}
	at := r.net.Range(torch.Secondary)
	return v, v.Copy(at, source, at)
}

// learn adds to every learner's secondary encoder what its sources found: η2 times the mean, the mean weighted by H, or
// the sum, over the sources z sampled in this round, of the weighted mean of θ2_i - Θ2'_z. A source keeps the weighted
// mean of its clients' ψ.
func (r *roundState) updateLearners(starts torch.Vectors, where [][]int, clients []*federation.Client, ended torch.Vectors) error {
	at := r.net.Range(torch.Secondary)
	found := make([]float64, len(r.states)) // sources of each learner that were sampled
	total := make([]float64, len(r.states)) // their H together
	for z := range starts {
		if starts[z] != nil {
			for _, e := range r.learners[z] {
				found[e.learner]++
				total[e.learner] += e.weight
			}
		}
	}
	rate := r.ServerRate * math.Pow(r.RateDecay, float64(r.t))
	for z, start := range starts {
		if start == nil {
			continue
		}
		states, weights := pick(where[z], clients, ended)
		delta, err := r.sourceUpdate(z, start, states, weights)
		for _, e := range r.learners[z] {
			share := 1.
			switch {
			case r.Sources == "weighted" && total[e.learner] > 0:
				share = e.weight / total[e.learner]
			case r.Sources != "sum":
				share = 1 / found[e.learner]
			}
			if err == nil {
				err = r.next[e.learner].AddScaled(rate*share, delta, at)
			}
		}
		delta.Close()
		if err != nil {
			return fmt.Errorf("cluster %d as a source: %w", z, err)
		}
	}
	return nil
}

// gain returns a state whose secondary encoder is what source z found, the weighted mean of θ2_i - Θ2'_z.
func (r *roundState) sourceUpdate(z int, start *torch.Vector, states torch.Vectors, weights []float64) (*torch.Vector, error) {
	at := r.net.Range(torch.Secondary)
	if !r.usesClassifiers() {
		delta, err := algorithm.Mean(r.net, start, states, weights, torch.Secondary)
		if err != nil {
			return nil, err
		}
		return delta, delta.AddScaled(-1, start, at)
	}
	v, err := algorithm.Mean(r.sourceNet, start, states, weights, torch.All)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	delta, err := torch.NewVector(r.env.Device, r.net.Len())
	if err != nil {
		return nil, err
	}
	psi, theta2 := r.nextClassifiers[z], r.sourceNet.Range(torch.Primary)
	return delta, errors.Join(
		psi.Copy(psi.Range(), v, r.sourceNet.Range(torch.Head)),
		v.AddScaled(-1, start, theta2),
		delta.Copy(at, v, theta2))
}

// heads lets the sampled clients train their heads alone on what the round made of both encoders.
func (r *roundState) trainHeads() error {
	tasks := r.clusterTasks(r.cohort, r.next)
	trained, err := r.env.LocalTraining(r.net, tasks, r.t, federation.HeadPhase, torch.Head, r.env.SGD(), r.HeadEpochs)
	if err != nil {
		return err
	}
	defer federation.Ends(trained).Close()
	return r.aggregate(federation.Ends(trained), torch.Head)
}
