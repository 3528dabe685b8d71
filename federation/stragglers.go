package federation

import (
	"fmt"
	"math"

	"feddag/internal/stream"
)

// Unreliable says how many clients of a round do less local training than they should, or do not answer at all. Which clients
// these are depends only on the seed and the round.
type Unreliable struct {
	// Stragglers is the share of the clients of a round, in [0, 1], that are too slow for all local epochs. Each of them does a
	// random number of epochs, uniform in 1 to E-1. The average includes its model like the models of the other clients
	// (FedProx, Li et al., MLSys 2020, section 5.2).
	Stragglers float64
	// Dropout is the share of the clients of a round, in [0, 1), that receive the model and never answer. At least one client
	// answers.
	Dropout float64
}

// validate returns an error that names the flag of the first invalid value.
func (u Unreliable) validate(epochs int) error {
	switch {
	case !(u.Stragglers >= 0 && u.Stragglers <= 1):
		return fmt.Errorf("--stragglers is %g: use a share of the clients of a round, 0 to 1", u.Stragglers)
	case u.Stragglers > 0 && epochs < 2:
		return fmt.Errorf("--stragglers needs --epochs 2 or more: a straggler does at least one epoch, but fewer than the other clients")
	case !(u.Dropout >= 0 && u.Dropout < 1):
		return fmt.Errorf("--client-dropout is %g: use a share of the clients of a round, 0 to below 1", u.Dropout)
	}
	return nil
}

// dropOut divides the cohort of round t, in ascending id, into the clients that answer and those that do not. It adds the models
// that the latter receive to the ledger.
func (e *Env) dropOut(a Algorithm, t int, cohort []*Client) (answer, silent []*Client) {
	n := min(int(math.Round(e.Unreliable.Dropout*float64(len(cohort)))), len(cohort)-1)
	if n <= 0 {
		return cohort, nil
	}
	gone := map[int]bool{} // positions in the cohort
	for _, k := range stream.New(e.Seed, "client-dropout", uint64(t)).Perm(len(cohort))[:n] {
		gone[k] = true
	}
	for k, c := range cohort {
		if !gone[k] {
			answer = append(answer, c)
			continue
		}
		silent = append(silent, c)
		if x, ok := a.(Averager); ok && x.Averages() { // otherwise the server sends nothing
			e.Ledger.Down(c, "unanswered", a.Model(c.ID).Net.Len())
		}
	}
	return answer, silent
}

// drawStragglers draws the stragglers of round t among the clients that answer, in ascending id, and how many epochs each does. It
// returns the stragglers' ids, ascending.
func (e *Env) drawStragglers(t int, clients []*Client) (ids []int) {
	e.epochsOf = nil
	n := int(math.Round(e.Unreliable.Stragglers * float64(len(clients))))
	if n == 0 {
		return nil
	}
	e.epochsOf = map[int]int{}
	for _, k := range stream.New(e.Seed, "stragglers", uint64(t)).Perm(len(clients))[:n] {
		id := clients[k].ID
		e.epochsOf[id] = 1 + stream.New(e.Seed, "stragglers/epochs", uint64(t), uint64(id)).IntN(e.Epochs-1)
	}
	for _, c := range clients {
		if e.epochsOf[c.ID] > 0 {
			ids = append(ids, c.ID)
		}
	}
	return ids
}

// localEpochs returns how many of the given epochs a client does in a phase. A straggler of the round does its share of them, at
// least one.
func (e *Env) localEpochs(client int, phase Phase, epochs int) int {
	n, straggles := e.epochsOf[client]
	switch {
	case !straggles || !phase.inRounds():
		return epochs
	case epochs == e.Epochs:
		return n
	}
	return max(1, int(math.Round(float64(epochs)*float64(n)/float64(e.Epochs))))
}
