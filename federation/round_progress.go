package federation

// RoundPlanner is implemented by an algorithm whose round does not consist of one local training of the cohort. It plans the
// phases of a round, so that observers know how much of the round is done. The rounds of other algorithms have one
// [PrimaryPhase].
type RoundPlanner interface {
	// PlanRound returns the phases of round t in the order in which Round does them, each at most once. The numbers of
	// samples may be estimates, because the progress of a round never falls and is always complete at its end.
	PlanRound(env *Env, t int, cohort []*Client) []PhaseWork
}

// PhaseWork is the work of one phase of a round.
type PhaseWork struct {
	Phase   Phase
	Samples int64 // training samples of all clients, counted once per epoch
}

// LocalSamples returns the number of training samples in a local training of some clients, counted once per epoch.
func LocalSamples(clients []*Client, epochs int) (n int64) {
	for _, c := range clients {
		n += int64(epochs) * int64(c.Size())
	}
	return n
}

// roundProgress records how much of a round's local training is done.
type roundProgress struct {
	round  int
	phases []PhaseWork
	total  int64   // samples of all phases
	done   []int64 // [len(phases)] samples in calls that have ended
	share  float64 // share of the round that is done; it never falls
}

// enterRound makes the progress of the following work count as progress of round t, until leave is called.
func (e *Env) enterRound(t int) (leave func()) {
	e.round = &roundProgress{round: t}
	return func() { e.round = nil }
}

// plan sets the phases of the round for a cohort.
func (r *roundProgress) plan(e *Env, a Algorithm, cohort []*Client) {
	r.phases = []PhaseWork{{PrimaryPhase, LocalSamples(cohort, e.Epochs)}}
	if p, ok := a.(RoundPlanner); ok {
		r.phases = p.PlanRound(e, r.round, cohort)
	}
	r.total = 0
	for _, p := range r.phases {
		r.total += p.Samples
	}
	r.done = make([]int64, len(r.phases))
}

// restart counts from 0 again, for a round that is repeated without the clients that diverged.
func (r *roundProgress) restart() { clear(r.done) }

// at returns the index of a phase in the plan, by its name, or -1 if the phase is not planned.
func (r *roundProgress) at(phase string) int {
	for k, p := range r.phases {
		if p.Phase.String() == phase {
			return k
		}
	}
	return -1
}

// advance returns the share of the round that is done once the given number of samples of the current call of a phase is done.
// The phases before it count as complete. A phase that is not planned does not change the share.
func (r *roundProgress) advance(phase string, samples int64) float64 {
	k := r.at(phase)
	if k < 0 || r.total <= 0 {
		return r.share
	}
	done := min(r.done[k]+samples, r.phases[k].Samples)
	for _, p := range r.phases[:k] {
		done += p.Samples
	}
	r.share = max(r.share, float64(done)/float64(r.total))
	return r.share
}

// finish adds the samples of a call that has ended to its phase.
func (r *roundProgress) finish(phase string, samples int64) {
	if k := r.at(phase); k >= 0 {
		r.done[k] += samples
	}
}
