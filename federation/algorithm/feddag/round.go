package feddag

import (
	"feddag/federation"
	"feddag/torch"
)

// Round implements [Algorithm]: both phases, each with its aggregation; by default the primary on top of what the
// secondary phase made, in algorithm 1 both from the round's starting values.
func (a *FedDAG) Round(env *federation.Env, t int, cohort []*federation.Client) (_ federation.Report, err error) {
	cohort = federation.ByID(cohort)
	every, err := a.secondaryPeriod()
	if err != nil {
		return federation.Report{}, err
	}
	r := &roundState{FedDAG: a, env: env, t: t, cohort: cohort, sampled: a.cohortByCluster(cohort)}
	shares := a.dual() && (t+1)%every == 0
	var trained []torch.Trained
	defer func() {
		if err != nil {
			federation.Ends(trained).Close()
			r.next.Close()
			r.nextClassifiers.Close()
		}
	}()
	if r.next, err = a.states.Clone(); err != nil {
		return federation.Report{}, err
	}
	if r.nextClassifiers, err = a.classifiers.Clone(); err != nil {
		return federation.Report{}, err
	}
	from := a.states
	if shares && a.Order == "secondary-first" {
		if err := r.secondaryPhase(nil); err != nil {
			return federation.Report{}, err
		}
		from = r.next
	}
	if trained, err = a.trainPrimary(env, cohort, from, t, federation.PrimaryPhase); err != nil {
		return federation.Report{}, err
	}
	if err := r.aggregate(federation.Ends(trained), a.primaryParts()); err != nil {
		return federation.Report{}, err
	}
	if shares && a.Order != "secondary-first" {
		if err := r.secondaryPhase(federation.Ends(trained)); err != nil {
			return federation.Report{}, err
		}
	}
	if shares && a.HeadEpochs > 0 {
		if err := r.trainHeads(); err != nil {
			return federation.Report{}, err
		}
	}
	a.Close()
	a.states, a.classifiers = r.next, r.nextClassifiers
	a.recordTraffic(env, cohort, shares)
	return federation.Report{Loss: federation.LastLoss(trained), Trained: federation.Locals(a.net, cohort, trained)}, nil
}

// trainPrimary trains clients' primary encoders and heads, each from its cluster's model.
func (a *FedDAG) trainPrimary(env *federation.Env, clients []*federation.Client, from torch.Vectors, t int, phase federation.Phase) ([]torch.Trained, error) {
	tasks := a.clusterTasks(clients, from)
	sgd := env.SGD()
	if a.dual() && a.Diversity > 0 {
		sgd.Objective = &torch.Diverse{Lambda: a.Diversity}
	}
	return env.LocalTraining(a.net, tasks, t, phase, a.primaryParts(), sgd, env.Epochs)
}

// Adapt implements [Adapter]: a client adapts its primary encoder and head.
func (a *FedDAG) Adapt(env *federation.Env, clients []*federation.Client) ([]federation.Local, error) {
	trained, err := a.trainPrimary(env, clients, a.states, env.Rounds, federation.FinalPhase)
	if err != nil {
		return nil, err
	}
	return federation.Locals(a.net, clients, trained), nil
}

// sampled returns, by cluster, the positions in the cohort of its clients.
func (a *FedDAG) cohortByCluster(cohort []*federation.Client) [][]int {
	by := make([][]int, len(a.clusters))
	for k, c := range cohort {
		by[a.clusterOf[c.ID]] = append(by[a.clusterOf[c.ID]], k)
	}
	return by
}

// tasks has every client start from its cluster's model.
func (a *FedDAG) clusterTasks(clients []*federation.Client, from torch.Vectors) []federation.Task {
	tasks := make([]federation.Task, len(clients))
	for i, c := range clients {
		tasks[i] = federation.Task{Client: c, Start: from[a.clusterOf[c.ID]]}
	}
	return tasks
}

// account books a round's messages. A client that trains both phases receives its cluster's three blocks and Θ2', with
// its own classifier where it has one.
func (a *FedDAG) recordTraffic(env *federation.Env, cohort []*federation.Client, shares bool) {
	own := a.net.Range(torch.Primary).Len() + a.net.Range(torch.Head).Len()
	second := a.net.Range(torch.Secondary).Len()
	source := second
	if a.usesClassifiers() {
		source = a.sourceNet.Len()
	}
	for _, c := range cohort {
		env.Ledger.Down(c, "primary and head", own)
		env.Ledger.Up(c, "primary and head", own)
		if !a.dual() {
			continue
		}
		env.Ledger.Down(c, "frozen secondary", second)
		if shares && len(a.learners[a.clusterOf[c.ID]]) > 0 {
			env.Ledger.Down(c, "source secondary", source)
			env.Ledger.Up(c, "source secondary", source)
		}
		if shares && a.HeadEpochs > 0 {
			env.Ledger.Down(c, "moved model", own+second)
			env.Ledger.Up(c, "head", a.net.Range(torch.Head).Len())
		}
	}
}
