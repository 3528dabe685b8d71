package feddag

import (
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// roundState is the state of the current round. The models in alg are those at the start of the round, which do not change until
// the round is over. The results of the round are stored in copies.
type roundState struct {
	alg    *FedDAG
	env    *federation.Env
	t      int
	cohort []*federation.Client // by ascending id
	places [][]int              // positions in the cohort of each cluster's clients, S_z

	next            torch.Vectors // the clusters' states after the round
	nextClassifiers torch.Vectors // the sources' ψ after the round

	nextServer []*algorithm.ServerState // the clusters' states of the server's optimiser after the round
}

// Round implements [federation.Algorithm]. A round has a primary phase and, in every K-th round of the schedule K:1, a secondary
// phase, each with its aggregation. In algorithm 1 both start from the models at the start of the round. By default the secondary
// phase comes first, and the primary phase starts from its result.
func (a *FedDAG) Round(env *federation.Env, t int, cohort []*federation.Client) (_ federation.Report, err error) {
	period, err := a.secondaryPeriod()
	if err != nil {
		return federation.Report{}, err
	}
	hasSecondaryPhase := a.dual() && (t+1)%period == 0
	r, err := a.newRound(env, t, federation.ByID(cohort))
	if err != nil {
		return federation.Report{}, err
	}
	var trained []torch.Trained
	defer func() {
		if err != nil {
			federation.Ends(trained).Close()
			r.close()
		}
	}()
	from := a.states
	if hasSecondaryPhase && a.Order == OrderSecondaryFirst {
		if err := r.secondaryPhase(nil); err != nil {
			return federation.Report{}, err
		}
		from = r.next
	}
	if trained, err = a.trainPrimary(env, r.cohort, from, t, federation.PrimaryPhase); err != nil {
		return federation.Report{}, err
	}
	if err := r.aggregatePrimary(federation.Ends(trained)); err != nil {
		return federation.Report{}, err
	}
	if hasSecondaryPhase && a.Order != OrderSecondaryFirst {
		if err := r.secondaryPhase(federation.Ends(trained)); err != nil {
			return federation.Report{}, err
		}
	}
	if hasSecondaryPhase && a.HeadEpochs > 0 {
		if err := r.trainHeads(); err != nil {
			return federation.Report{}, err
		}
	}
	a.Close()
	a.states, a.classifiers, a.serverStates = r.next, r.nextClassifiers, r.nextServer
	a.recordTraffic(env, r.cohort, hasSecondaryPhase)
	return federation.Report{Loss: federation.LastLoss(trained), Trained: federation.Locals(a.net, r.cohort, trained)}, nil
}

// newRound returns round t with copies of the models. The cohort must be sorted by id.
func (a *FedDAG) newRound(env *federation.Env, t int, cohort []*federation.Client) (*roundState, error) {
	r := &roundState{alg: a, env: env, t: t, cohort: cohort, places: make([][]int, len(a.clusters))}
	for k, c := range cohort {
		z := a.clusterOf[c.ID]
		r.places[z] = append(r.places[z], k)
	}
	var err error
	if r.next, err = a.states.Clone(); err != nil {
		return nil, err
	}
	if r.nextClassifiers, err = a.classifiers.Clone(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

// close frees the round's results.
func (r *roundState) close() {
	r.next.Close()
	r.nextClassifiers.Close()
}

// trainPrimary does the local training of the primary phase (eq. 16 to 18). Each client starts from its cluster's model in from
// and trains Θ1 and Θc with Θ2 frozen.
func (a *FedDAG) trainPrimary(env *federation.Env, clients []*federation.Client, from torch.Vectors, t int, phase federation.Phase) ([]torch.Trained, error) {
	sgd := env.SGD()
	if a.dual() && a.Diversity > 0 {
		sgd.Objective = &torch.Diverse{Lambda: a.Diversity}
	}
	return env.LocalTraining(a.net, a.clusterJobs(clients, from), t, phase, a.primaryParts(), sgd, env.Epochs)
}

// aggregate sets some parts of every cluster's next state to the mean of its sampled clients' trained states, weighted by
// their n_i (eq. 16 to 18). The mean of a part that clusters share is over the sampled clients of all of them. ended has the states
// in the order of the cohort. Parts that no client of the cohort trained do not change.
func (r *roundState) aggregate(ended torch.Vectors, parts torch.Part) error {
	for _, p := range r.alg.sharedParts(r.alg.net) {
		if parts&p.part == 0 || p.values.Len() == 0 {
			continue
		}
		for z := range r.next {
			with := r.present(p.clustersWith(z))
			if len(with) == 0 || with[0] != z {
				continue
			}
			if err := r.average(with, ended, p.values); err != nil {
				return fmt.Errorf("averaging for cluster %d: %w", z, err)
			}
		}
	}
	return nil
}

// average sets a range of the next states of some clusters to the mean over their sampled clients, if there are any.
func (r *roundState) average(clusters []int, ended torch.Vectors, values torch.Range) error {
	var of []int // positions in the cohort
	for _, z := range clusters {
		of = append(of, r.places[z]...)
	}
	if len(of) == 0 {
		return nil
	}
	slices.Sort(of)
	states, sizes := make(torch.Vectors, len(of)), make([]float64, len(of))
	for i, k := range of {
		states[i], sizes[i] = ended[k], float64(r.cohort[k].Size())
	}
	first := r.next[clusters[0]]
	if err := first.SetMean(states, sizes, values); err != nil {
		return err
	}
	for _, z := range clusters[1:] {
		if err := r.next[z].Copy(values, first, values); err != nil {
			return err
		}
	}
	return nil
}

// present returns those of some clusters that have a model.
func (r *roundState) present(clusters []int) []int {
	return slices.DeleteFunc(slices.Clone(clusters), func(z int) bool { return r.alg.states[z] == nil })
}

// aggregatePrimary aggregates Θ1 and Θc, and applies the run's server optimiser to them. Θ2 has a separate server learning rate,
// see updateLearners. Clusters that share a part share its step.
func (r *roundState) aggregatePrimary(ended torch.Vectors) error {
	a := r.alg
	if err := r.aggregate(ended, a.primaryParts()); err != nil || !r.env.Server.Enabled() {
		return err
	}
	r.nextServer = make([]*algorithm.ServerState, len(a.states))
	copy(r.nextServer, a.serverStates)
	for z := range a.states {
		if a.states[z] == nil {
			continue
		}
		if err := r.stepServer(z); err != nil {
			return fmt.Errorf("server optimiser, cluster %d: %w", z, err)
		}
	}
	return nil
}

// stepServer applies the server optimiser to the parts of cluster z that were trained. If z shares a part with a cluster of a lower
// number, it takes that cluster's step, which must have been made.
func (r *roundState) stepServer(z int) (err error) {
	a := r.alg
	sampled := func(y int) bool { return len(r.places[y]) > 0 }
	var steps []torch.Range
	for _, p := range a.sharedParts(a.net) {
		with := r.present(p.clustersWith(z))
		first := with[0]
		switch {
		case a.primaryParts()&p.part == 0 || p.values.Len() == 0 || !slices.ContainsFunc(with, sampled):
		case first == z:
			for _, trained := range a.net.Trained(p.part) { // without the running statistics
				steps = append(steps, p.values.Intersect(trained))
			}
		default:
			if err := r.next[z].Copy(p.values, r.next[first], p.values); err != nil {
				return err
			}
			r.nextServer[z] = r.nextServer[z].WithRange(r.env.Server, r.nextServer[first], p.values)
		}
	}
	if steps != nil {
		r.nextServer[z], err = algorithm.StepServer(r.env.Server, a.states[z], r.next[z], r.nextServer[z], steps...)
	}
	return err
}

// trainHeads lets the cohort train only the heads, on top of both encoders after the phases of the round, and aggregates the
// heads.
func (r *roundState) trainHeads() error {
	jobs := r.alg.clusterJobs(r.cohort, r.next)
	trained, err := r.env.LocalTraining(r.alg.net, jobs, r.t, federation.HeadPhase, torch.Head, r.env.SGD(), r.alg.HeadEpochs)
	if err != nil {
		return err
	}
	defer federation.Ends(trained).Close()
	return r.aggregate(federation.Ends(trained), torch.Head)
}

// Adapt implements [federation.Adapter]. A client adapts its primary encoder and its head.
func (a *FedDAG) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	trained, err := a.trainPrimary(env, clients, a.states, env.Rounds, federation.FinalPhase)
	if err != nil {
		return nil, err
	}
	return federation.Locals(a.net, clients, trained), nil
}

// clusterJobs returns the jobs in which each client starts from its cluster's model in from.
func (a *FedDAG) clusterJobs(clients []*federation.Client, from torch.Vectors) []torch.Job {
	jobs := make([]torch.Job, len(clients))
	for i, c := range clients {
		jobs[i] = c.Job(from[a.clusterOf[c.ID]])
	}
	return jobs
}

// recordTraffic adds a round's messages to the ledger. A client receives the parts of its cluster's model and sends the parts
// that it has trained. In a round with a secondary phase, a client of a source also receives Θ2', with the source's classifier
// if there is one, and sends both back after training.
func (a *FedDAG) recordTraffic(env *federation.Env, cohort []*federation.Client, hasSecondaryPhase bool) {
	head := a.net.Range(torch.Head).Len()
	primaryAndHead := a.net.Range(torch.Primary).Len() + head
	secondary := a.net.Range(torch.Secondary).Len()
	source := secondary
	if a.usesClassifiers() {
		source = a.sourceNet.Len()
	}
	for _, c := range cohort {
		env.Ledger.Down(c, "primary and head", primaryAndHead)
		env.Ledger.Up(c, "primary and head", primaryAndHead)
		if !a.dual() {
			continue
		}
		env.Ledger.Down(c, "frozen secondary", secondary)
		if hasSecondaryPhase && len(a.learners[a.clusterOf[c.ID]]) > 0 {
			env.Ledger.Down(c, "source secondary", source)
			env.Ledger.Up(c, "source secondary", source)
		}
		if hasSecondaryPhase && a.HeadEpochs > 0 {
			env.Ledger.Down(c, "moved model", primaryAndHead+secondary)
			env.Ledger.Up(c, "head", head)
		}
	}
}
