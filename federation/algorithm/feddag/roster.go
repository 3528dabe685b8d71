package feddag

import (
	"errors"
	"fmt"
	"slices"

	"feddag/federation"
	"feddag/federation/algorithm"
	"feddag/torch"
)

// The server keeps a roster of the clustering. With the similarity it has the sketches, V^, G^, A, the gates and α*; with
// the tests it has the sketches and their metric. Every change of the clients is made on a clone, and commit replaces the
// original with the clone once the whole change has succeeded.
//
// A cluster never changes its number. A cluster is dissolved when its last client leaves it: it is removed from the CC-graph,
// its model is passed to the observers a last time and freed, and its number is not used again. Clients that join later and
// are similar to its former members form a new cluster, because the server has kept nothing by which it could recognise them.

// requireRoster returns an error if the run keeps no roster. what names the change that needs it.
func (a *FedDAG) requireRoster(what string) error {
	if a.roster == nil {
		return fmt.Errorf("%s: the run was started without a scenario and without held-out clients, so the server did not keep the data that the assignment of clients needs: start the run with --scenario or --holdout", what)
	}
	return nil
}

// rosterPlaces returns the positions of clients in the roster; -1 for a client that is not in it.
func (a *FedDAG) rosterPlaces(clients []*federation.Client) []int {
	places := make([]int, len(clients))
	for k, c := range clients {
		places[k] = slices.Index(a.rosterIDs, c.ID)
	}
	return places
}

// clone returns a copy whose roster, clustering and lists of models can change without changing the original. The two share the
// models.
func (a *FedDAG) clone() *FedDAG {
	next := *a
	next.roster, next.rosterIDs, next.encodedRoster = a.roster.clone(), slices.Clone(a.rosterIDs), nil
	next.states, next.classifiers, next.serverStates = slices.Clone(a.states), slices.Clone(a.classifiers), slices.Clone(a.serverStates)
	return &next
}

// commit replaces a with next, a clone whose roster has the new clusters. It computes the CC-graph and the cluster of each
// client from the roster. A cluster without a state yet starts from the warm-up of those movers that are in it. warm holds the
// warm-up in the order of the movers; if it is nil, only the movers of such clusters warm up now. An empty cluster is
// dissolved. On an error a has not changed.
func (a *FedDAG) commit(env *federation.Env, next *FedDAG, warm *warmUpResult, movers []*federation.Client) (err error) {
	var created torch.Vectors
	defer func() {
		if err != nil {
			created.Close()
		}
	}()
	h, graph, err := next.roster.graph()
	if err != nil {
		return err
	}
	if err := next.setClustering(len(env.Clients), next.clientIDs(next.roster.members()), graph, edgeScores(h, graph)); err != nil {
		return err
	}
	next.extendSharing()
	for z := len(a.states); z < len(next.states); z++ { // clusters of a new search
		if err := next.copyShared(next.states[z], z); err != nil {
			return err
		}
	}
	more := make(torch.Vectors, len(next.clusters)-len(next.states))
	next.states, next.classifiers = append(next.states, more...), append(next.classifiers, more...)
	if next.serverStates != nil { // a new cluster has no state yet
		next.serverStates = append(next.serverStates, make([]*algorithm.ServerState, len(next.states)-len(next.serverStates))...)
	}
	starters := movers
	if warm == nil {
		starters = next.founders(movers)
		if len(starters) > 0 {
			if warm, err = a.warmUpForStart(env, nil, starters); err != nil {
				return err
			}
		}
	}
	var dissolved torch.Vectors
	var secondary []float32
	for z, members := range next.clusters {
		switch {
		case len(members) == 0 && next.states[z] != nil:
			if err := a.notifyDissolved(env, z); err != nil {
				return err
			}
			dissolved = append(dissolved, next.states[z], next.classifiers[z])
			next.states[z], next.classifiers[z] = nil, nil
			if next.serverStates != nil {
				next.serverStates[z] = nil
			}
		case len(members) > 0 && next.states[z] == nil:
			if secondary == nil {
				if secondary, err = a.initialSecondary(env, warm, starters); err != nil {
					return err
				}
			}
			state, psi, err := next.initialState(env, warm, secondary, starters, z)
			if err != nil {
				return err
			}
			next.states[z], next.classifiers[z] = state, psi
			created = append(created, state, psi)
		}
	}
	for _, c := range movers {
		env.Ledger.Down(c, "cluster", 1)
	}
	dissolved.Close()
	*a = *next
	return nil
}

// founders returns the given clients whose cluster has no model yet.
func (a *FedDAG) founders(clients []*federation.Client) []*federation.Client {
	return slices.DeleteFunc(slices.Clone(clients), func(c *federation.Client) bool { return a.states[a.clusterOf[c.ID]] != nil })
}

// notifyDissolved passes the model of cluster z, which is about to be dissolved, to the observers.
func (a *FedDAG) notifyDissolved(env *federation.Env, z int) error {
	tensors, err := federation.Tensors(federation.Model{Net: a.net, State: a.states[z]})
	return errors.Join(err, env.NotifyWeights(clusterName(z), tensors))
}
