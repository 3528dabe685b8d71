package federation

import (
	"fmt"

	"feddag/torch"
)

// Round implements [Algorithm]: both phases from the round's starting values (algorithm 1), then the aggregation.
func (a *FedDAG) Round(env *Env, t int, cohort []*Client) (_ Report, err error) {
	cohort = byID(cohort)
	trained, err := a.trainPrimary(env, cohort, t, PrimaryPhase)
	if err != nil {
		return Report{}, err
	}
	next := make(vectors, len(a.states))
	defer func() {
		if err != nil {
			ends(trained).Close()
			next.Close()
		}
	}()
	sampled := a.sampled(cohort)
	for z, members := range sampled {
		if a.states[z] == nil {
			continue
		}
		if next[z], err = a.primary(z, members, cohort, ends(trained)); err != nil {
			return Report{}, err
		}
	}
	every, err := a.secondaryEvery()
	if err != nil {
		return Report{}, err
	}
	shares := a.dual() && (t+1)%every == 0
	if shares {
		if err := a.secondary(env, t, cohort, sampled, ends(trained), next); err != nil {
			return Report{}, err
		}
	}
	a.states.Close()
	a.states = next
	a.account(env, cohort, shares)
	return Report{Loss: lastLoss(trained), Trained: locals(a.net, cohort, trained)}, nil
}

// trainPrimary trains clients' primary encoders and heads, each from its cluster's model.
func (a *FedDAG) trainPrimary(env *Env, clients []*Client, t int, phase Phase) ([]torch.Trained, error) {
	tasks := make([]Task, len(clients))
	for i, c := range clients {
		tasks[i] = Task{Client: c, Start: a.states[a.of[c.ID]]}
	}
	sgd := env.SGD()
	if a.dual() && a.Diversity > 0 {
		sgd.Objective = &torch.Diverse{Lambda: a.Diversity}
	}
	return env.LocalTraining(a.net, tasks, t, phase, a.primaryParts(), sgd, env.Epochs)
}

// Adapt implements [Adapter]: a client adapts its primary encoder and head.
func (a *FedDAG) Adapt(env *Env, clients []*Client) ([]Local, error) {
	trained, err := a.trainPrimary(env, clients, env.Rounds, FinalPhase)
	if err != nil {
		return nil, err
	}
	return locals(a.net, clients, trained), nil
}

// sampled returns, by cluster, the positions in the cohort of its clients.
func (a *FedDAG) sampled(cohort []*Client) [][]int {
	by := make([][]int, len(a.clusters))
	for k, c := range cohort {
		by[a.of[c.ID]] = append(by[a.of[c.ID]], k)
	}
	return by
}

// primary returns cluster z's state with the weighted mean of its sampled clients' primary encoders and heads (eq. 16
// to 18); the secondary is as it was.
func (a *FedDAG) primary(z int, members []int, cohort []*Client, ended vectors) (*torch.Vector, error) {
	if len(members) == 0 {
		return a.states[z].Clone()
	}
	states, weights := pick(members, cohort, ended)
	return mean(a.net, a.states[z], states, weights, a.primaryParts())
}

// pick returns some of the cohort's states and weights.
func pick(members []int, cohort []*Client, ended vectors) (vectors, []float64) {
	states, clients := make(vectors, len(members)), make([]*Client, len(members))
	for i, k := range members {
		states[i], clients[i] = ended[k], cohort[k]
	}
	return states, sizes(clients)
}

// secondary runs the second phase (eq. 19 to 21) and adds what came of it to the learners in next. A source z starts
// its clients at Θ2'_z, the mean of its learners' secondary encoders, and trains only that.
func (a *FedDAG) secondary(env *Env, t int, cohort []*Client, sampled [][]int, primaries, next vectors) error {
	starts := make(vectors, len(a.states)) // of each source
	defer starts.Close()
	var own vectors // starts of single clients
	defer func() { own.Close() }()
	var tasks []Task
	where := make([][]int, len(a.states)) // places of a source's clients in tasks
	for z := range a.states {
		if len(sampled[z]) == 0 || len(a.learners[z]) == 0 {
			continue
		}
		var err error
		if starts[z], err = a.sourceStart(z); err != nil {
			return err
		}
	}
	for k, c := range cohort {
		z := a.of[c.ID]
		if starts[z] == nil {
			continue
		}
		start := starts[z]
		if a.SecondaryFrom == "trained" {
			v, err := primaries[k].Clone()
			if err != nil {
				return err
			}
			own = append(own, v)
			if err := v.Copy(a.net.Range(torch.Secondary), start, a.net.Range(torch.Secondary)); err != nil {
				return err
			}
			start = v
		}
		where[z] = append(where[z], len(tasks))
		tasks = append(tasks, Task{Client: c, Start: start})
	}
	trained, err := env.LocalSGD(a.net, tasks, t, SecondaryPhase, torch.Secondary)
	if err != nil {
		return err
	}
	defer ends(trained).Close()
	clients := make([]*Client, len(tasks))
	for i, task := range tasks {
		clients[i] = task.Client
	}
	return a.learn(starts, where, clients, ends(trained), next)
}

// sourceStart returns source z's state with Θ2'_z, the mean of its learners' secondary encoders.
func (a *FedDAG) sourceStart(z int) (*torch.Vector, error) {
	var states vectors
	var weights []float64
	for _, j := range a.learners[z] {
		states, weights = append(states, a.states[j]), append(weights, 1)
	}
	return mean(a.net, a.states[z], states, weights, torch.Secondary)
}

// learn adds to every learner's secondary encoder what its sources found: η2 times the mean, or the sum, over the
// sources z sampled in this round, of the weighted mean of θ2_i - Θ2'_z.
func (a *FedDAG) learn(starts vectors, where [][]int, clients []*Client, ended, next vectors) error {
	r := a.net.Range(torch.Secondary)
	found := make([]int, len(a.states)) // sources of each learner that were sampled
	for z := range starts {
		if starts[z] != nil {
			for _, j := range a.learners[z] {
				found[j]++
			}
		}
	}
	for z, start := range starts {
		if start == nil {
			continue
		}
		states, weights := pick(where[z], clients, ended)
		delta, err := mean(a.net, start, states, weights, torch.Secondary)
		if err != nil {
			return err
		}
		err = delta.AddScaled(-1, start, r)
		for _, j := range a.learners[z] {
			rate := a.ServerRate
			if a.Sources == "mean" {
				rate /= float64(found[j])
			}
			if err == nil {
				err = next[j].AddScaled(rate, delta, r)
			}
		}
		delta.Close()
		if err != nil {
			return fmt.Errorf("cluster %d as a source: %w", z, err)
		}
	}
	return nil
}

// account books a round's messages. A client that trains both phases receives its cluster's three blocks and Θ2'.
func (a *FedDAG) account(env *Env, cohort []*Client, shares bool) {
	own := a.net.Range(torch.Primary).Len() + a.net.Range(torch.Head).Len()
	second := a.net.Range(torch.Secondary).Len()
	for _, c := range cohort {
		env.Ledger.Down(c, "primary and head", own)
		env.Ledger.Up(c, "primary and head", own)
		if !a.dual() {
			continue
		}
		env.Ledger.Down(c, "frozen secondary", second)
		if shares && len(a.learners[a.of[c.ID]]) > 0 {
			env.Ledger.Down(c, "source secondary", second)
			env.Ledger.Up(c, "source secondary", second)
		}
	}
}
