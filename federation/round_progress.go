package federation

// RoundPlanner is an [Algorithm] whose round is another work than one local training of its cohort. It plans the phases of
// the round, so that observers can be told how much of the round is done. Without it a round is one [PrimaryPhase].
type RoundPlanner interface {
	// PlanRound returns the phases of round t in the order in which Round will go through them, each at most once. It may
	// be wrong about the work: the progress never falls, and is whole at the end of the round.
	PlanRound(env *Env, t int, cohort []*Client) []PhaseWork
}

// PhaseWork is a phase of a round and its part of the round's work.
type PhaseWork struct {
	Phase   Phase
	Samples int64 // that will be computed, every epoch counted
}

// LocalSamples returns how many samples a local training of clients computes, every epoch counted.
func LocalSamples(clients []*Client, epochs int) (n int64) {
	for _, c := range clients {
		n += int64(epochs) * int64(c.Size())
	}
	return n
}

// roundProgress is how much of a round's local training is done.
type roundProgress struct {
	round  int
	phases []PhaseWork
	total  int64   // samples of the phases
	done   []int64 // of each phase, by calls that have ended
	share  float64 // of the whole; never falls
}

// enterRound makes the following work that of a round, until it is left.
func (e *Env) enterRound(t int) (leave func()) {
	e.round = &roundProgress{round: t}
	return func() { e.round = nil }
}

// plan says what the cohort's training in the round will be.
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

// restart is for a round that is done again without the clients that diverged.
func (r *roundProgress) restart() { clear(r.done) }

// at returns the place of a phase in the plan; -1 for work that is not planned.
func (r *roundProgress) at(phase string) int {
	for k, p := range r.phases {
		if p.Phase.String() == phase {
			return k
		}
	}
	return -1
}

// advance returns the share of the round after so many more samples of a phase. The phases before it count as done, and
// work that is not planned changes nothing.
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

// finish books the samples of a call that has ended.
func (r *roundProgress) finish(phase string, samples int64) {
	if k := r.at(phase); k >= 0 {
		r.done[k] += samples
	}
}
