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

// secondaryPhase runs the secondary phase of the round (eq. 19 to 21) and adds its result to the learners' next Θ2. The
// sampled clients of a source z start at Θ2'_z and train only this encoder, with Θ1_z and Θc_z frozen; with classifiers they
// train [Θ2'_z | ψ_z]. A cluster that is not a source does not take part.
//
// primaries has the cohort's states after the primary phase. They are needed with OrderPrimaryFirst under the full head,
// where a client trains under its own new primary encoder and head; otherwise primaries may be nil.
func (r *roundState) secondaryPhase(primaries torch.Vectors) error {
	a := r.alg
	starts := make(torch.Vectors, len(a.states)) // start of each source; nil for a cluster that does not take part
	defer starts.Close()
	for z := range a.states {
		if len(r.places[z]) == 0 || len(a.learners[z]) == 0 {
			continue
		}
		var err error
		if starts[z], err = r.sourceStart(z); err != nil {
			return err
		}
	}
	var clientStarts torch.Vectors // starts that belong to a single client
	defer func() { clientStarts.Close() }()
	var jobs []torch.Job
	jobPlaces := make([][]int, len(a.states)) // positions in jobs of each source's clients
	for k, c := range r.cohort {
		z := a.clusterOf[c.ID]
		if starts[z] == nil {
			continue
		}
		start := starts[z]
		if a.Order == OrderPrimaryFirst && !a.usesClassifiers() {
			v, err := r.withSecondary(primaries[k], start)
			if v != nil {
				clientStarts = append(clientStarts, v)
			}
			if err != nil {
				return err
			}
			start = v
		}
		jobPlaces[z] = append(jobPlaces[z], len(jobs))
		jobs = append(jobs, c.Job(start))
	}
	net, parts := a.net, torch.Secondary
	if a.usesClassifiers() {
		net, parts = a.sourceNet, torch.All
	}
	trained, err := r.env.LocalSGD(net, jobs, r.t, federation.SecondaryPhase, parts)
	if err != nil {
		return err
	}
	defer federation.Ends(trained).Close()
	return r.updateLearners(starts, jobPlaces, jobs, federation.Ends(trained))
}

// sourceStart returns the state from which the clients of source z start: the cluster's state with Θ2'_z in place of Θ2_z, or
// [Θ2'_z | ψ_z] with classifiers. Θ2'_z is the mean of the secondary encoders of the source's learners. The paper has their
// sum, but a sum of encoders does not work as an encoder.
func (r *roundState) sourceStart(z int) (*torch.Vector, error) {
	a := r.alg
	var states torch.Vectors
	for _, e := range a.learners[z] {
		states = append(states, a.states[e.learner])
	}
	v, err := algorithm.Mean(a.net, a.states[z], states, slices.Repeat([]float64{1}, len(states)), torch.Secondary)
	if err != nil || !a.usesClassifiers() {
		return v, err
	}
	defer v.Close()
	start, err := torch.NewVector(r.env.Device, a.sourceNet.Len())
	if err != nil {
		return nil, err
	}
	psi := a.classifiers[z]
	return start, errors.Join(
		start.Copy(a.sourceNet.Range(torch.Primary), v, a.net.Range(torch.Secondary)),
		start.Copy(a.sourceNet.Range(torch.Head), psi, psi.Range()))
}

// withSecondary returns a copy of a client's state with the secondary encoder of source. It may return a vector together
// with an error.
func (r *roundState) withSecondary(state, source *torch.Vector) (*torch.Vector, error) {
	v, err := state.Clone()
	if err != nil {
		return nil, err
	}
	theta2 := r.alg.net.Range(torch.Secondary)
	return v, v.Copy(theta2, source, theta2)
}

// updateLearners adds the updates of its sources to the next Θ2 of every learner j (eq. 20 and 21):
//
//	Θ2_j += η2 Σ_z share_jz Δ_z,   Δ_z = Σ_i n_i (θ2_i - Θ2'_z) / Σ_i n_i
//
// over the sources z of j that were sampled in this round and the clients i of z. share_jz is 1 for the sum of eq. 21. For
// the mean it is 1 divided by the number of these sources, and for the mean weighted by H it is H_jz divided by the sum of
// their H. η2 decays with the rounds. A source also keeps the weighted mean of its clients' ψ.
//
// starts is indexed by cluster. ended has the trained states in the order of jobs, and jobPlaces has the positions of each
// cluster's clients in it.
func (r *roundState) updateLearners(starts torch.Vectors, jobPlaces [][]int, jobs []torch.Job, ended torch.Vectors) error {
	a := r.alg
	theta2 := a.net.Range(torch.Secondary)
	sources := make([]float64, len(a.states)) // number of each learner's sampled sources
	total := make([]float64, len(a.states))   // sum of the H of these sources
	for z := range starts {
		if starts[z] != nil {
			for _, e := range a.learners[z] {
				sources[e.learner]++
				total[e.learner] += e.weight
			}
		}
	}
	rate := a.ServerRate * math.Pow(a.RateDecay, float64(r.t))
	for z, start := range starts {
		if start == nil {
			continue
		}
		states, sizes := make(torch.Vectors, len(jobPlaces[z])), make([]float64, len(jobPlaces[z]))
		for i, k := range jobPlaces[z] {
			states[i], sizes[i] = ended[k], float64(len(jobs[k].Samples))
		}
		delta, err := r.sourceUpdate(z, start, states, sizes)
		for _, e := range a.learners[z] {
			share := 1.
			switch {
			case a.Sources == SourcesWeighted && total[e.learner] > 0:
				share = e.weight / total[e.learner]
			case a.Sources != SourcesSum:
				share = 1 / sources[e.learner]
			}
			if err == nil {
				err = r.next[e.learner].AddScaled(rate*share, delta, theta2)
			}
		}
		delta.Close()
		if err != nil {
			return fmt.Errorf("updating secondary encoders from cluster %d: %w", z, err)
		}
	}
	return nil
}

// sourceUpdate returns a state whose Θ2 is the update of source z, Δ_z of updateLearners. With classifiers it also sets the
// next ψ_z.
func (r *roundState) sourceUpdate(z int, start *torch.Vector, states torch.Vectors, sizes []float64) (*torch.Vector, error) {
	a := r.alg
	theta2 := a.net.Range(torch.Secondary)
	if !a.usesClassifiers() {
		delta, err := algorithm.Mean(a.net, start, states, sizes, torch.Secondary)
		if err != nil {
			return nil, err
		}
		return delta, delta.AddScaled(-1, start, theta2)
	}
	mean, err := algorithm.Mean(a.sourceNet, start, states, sizes, torch.All)
	if err != nil {
		return nil, err
	}
	defer mean.Close()
	delta, err := torch.NewVector(r.env.Device, a.net.Len())
	if err != nil {
		return nil, err
	}
	encoder, head := a.sourceNet.Range(torch.Primary), a.sourceNet.Range(torch.Head)
	psi := r.nextClassifiers[z]
	return delta, errors.Join(
		psi.Copy(psi.Range(), mean, head),
		mean.AddScaled(-1, start, encoder),
		delta.Copy(theta2, mean, encoder))
}
