package federation

import (
	"fmt"
	"strings"
)

// Newcomer is implemented by a method that accepts clients which were absent at Init.
type Newcomer interface {
	// Join adds newcomers before round t (t is T after the last round). The method assigns to each of them a cluster, a
	// mixture or the only model, by its own rule. The models of the other clients do not change. From then on Model returns
	// models for the newcomers, and they may be in a cohort. Join adds to the ledger what they send and receive when they
	// join, but not the model that they receive when they train. If it returns an error, the state of the algorithm has not
	// changed.
	//
	// A newcomer's accuracy before local training is the accuracy of Model right after Join. Its accuracy after local
	// training is measured after one local training of the method from this model. This is the protocol of the paper's
	// tables 11 and 13.
	Join(env *Env, t int, newcomers []*Client) error
}

// Leaver is implemented by a method that clients can leave.
type Leaver interface {
	// Leave removes clients before round t. The models of the other clients do not change, and Model need not return models for
	// the removed clients any more.
	Leave(env *Env, t int, clients []*Client) error
}

// Shifter is implemented by a method that can continue when the samples of clients change.
type Shifter interface {
	// Shift says that clients hold other samples from round t on. Env.Clients has them already. The server of a real
	// federation would not be told, so a method that needs to know must find out itself: see [Reassigner].
	Shift(env *Env, t int, clients []*Client) error
}

// Reassigner is implemented by a method that can check and revise its clusters during a run.
type Reassigner interface {
	// Check finds the clients whose data have shifted, assigns them to clusters again and returns them.
	Check(env *Env, t int) ([]*Client, error)
	// Search finds the clusters again, from what the clients have sent.
	Search(env *Env, t int) error
}

// CheckScenario applies all events of the scenario without training. It returns an error that names the event if an event is not
// possible with these clients, or if the algorithm, whose registered name is given, does not implement the interface that the
// event needs.
func (e *Env) CheckScenario(name string, a Algorithm) error {
	s := e.Scenario
	if s == nil {
		return nil
	}
	p, err := newPopulation(e.Data, e.originalClients(), s)
	if err != nil {
		return err
	}
	for _, ev := range s.Events {
		if ev.Round >= e.Rounds {
			return fmt.Errorf("%v is after the end of the run, whose rounds are 1 to %d", ev, e.Rounds)
		}
		if !Handles(a, ev.Kind()) {
			return fmt.Errorf("%v: algorithm %s cannot handle %s; these can: %s", ev, name, ev.Kind(), handlers(ev.Kind()))
		}
		if _, err := p.Apply(ev); err != nil {
			return err
		}
	}
	for kind, n := range map[string]int{"check_every": s.CheckEvery, "search_after": s.SearchAfter} {
		if n > 0 && !Handles(a, kind) {
			return fmt.Errorf("algorithm %s cannot handle %s; these can: %s", name, kind, handlers(kind))
		}
	}
	return nil
}

// Handles reports whether an algorithm implements the interface that a kind of event needs: [Newcomer] for "join", [Leaver] for
// "leave", [Shifter] for "shift" and "swap", and [Reassigner] for "check_every" and "search_after".
func Handles(a Algorithm, kind string) (ok bool) {
	switch kind {
	case "join":
		_, ok = a.(Newcomer)
	case "leave":
		_, ok = a.(Leaver)
	case "shift", "swap":
		_, ok = a.(Shifter)
	default:
		_, ok = a.(Reassigner)
	}
	return ok
}

// handlers lists the names of the registered algorithms that handle a kind of event.
func handlers(kind string) string {
	var names []string
	for _, name := range Names() {
		if Handles(registry[name].make(), kind) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// eachEvent applies the events of round t to the population, one after the other, and calls f after each with the clients that
// the event changed. search reports whether enough clients have joined for a new search for the clusters.
func (e *Env) eachEvent(t int, f func(ev Event, changed []*Client) error) (search bool, err error) {
	for _, ev := range e.Scenario.Events {
		if ev.Round != t {
			continue
		}
		changed, err := e.population.Apply(ev)
		if err != nil {
			return false, err
		}
		e.syncClients()
		if ev.Kind() == "join" {
			e.newcomers += len(changed)
		}
		if err := f(ev, changed); err != nil {
			return false, fmt.Errorf("%v: %w", ev, err)
		}
	}
	if after := e.Scenario.SearchAfter; after > 0 && e.newcomers >= after {
		e.newcomers, search = 0, true
	}
	return search, nil
}

// Replay applies the events of the given number of first rounds to the population alone. Then a resumed run, or an inspection of
// its models, has the clients that the first run had after these rounds.
func (e *Env) Replay(rounds int) error {
	if e.Scenario == nil {
		return nil
	}
	for t := range rounds {
		if _, err := e.eachEvent(t, func(Event, []*Client) error { return nil }); err != nil {
			return err
		}
	}
	return nil
}

// applyEvents applies the events of round t, passes each to the algorithm, and then calls Check and Search of the algorithm if
// these are due.
func (r *Runner) applyEvents(t int) error {
	e := r.env
	if e.Scenario == nil {
		return nil
	}
	before := len(r.moves)
	search, err := e.eachEvent(t, func(ev Event, changed []*Client) error { return r.applyEvent(t, ev, changed) })
	if err != nil {
		return err
	}
	if every := e.Scenario.CheckEvery; every > 0 && t > 0 && t%every == 0 {
		shifted, err := r.alg.(Reassigner).Check(e, t)
		if err != nil {
			return fmt.Errorf("check before round %d: %w", RoundNumber(t), err)
		}
		r.recordMoves(ByCheck, shifted)
	}
	if search {
		if err := r.alg.(Reassigner).Search(e, t); err != nil {
			return fmt.Errorf("search before round %d: %w", RoundNumber(t), err)
		}
		r.recordMoves(BySearch, nil)
	}
	if len(r.moves) > before {
		r.scores = nil // they belong to other models or other samples
	}
	return nil
}

// applyEvent passes to the algorithm an event before round t, which changed the given clients, and records their moves.
func (r *Runner) applyEvent(t int, ev Event, changed []*Client) (err error) {
	e := r.env
	switch ev.Kind() {
	case "join":
		if err = r.alg.(Newcomer).Join(e, t, changed); err == nil {
			err = r.scoreArrivals(changed)
		}
		return err
	case "leave":
		err = r.alg.(Leaver).Leave(e, t, changed)
		for _, c := range changed {
			r.last[c.ID] = PrePost{noScore, noScore}
		}
		r.recordMoves(ByLeave, changed)
	default:
		err = r.alg.(Shifter).Shift(e, t, changed)
		r.recordMoves(ByShift, changed)
	}
	return err
}

// scoreArrivals records the moves of clients that have joined, with their scores before and after one local training from the
// models that they were given.
func (r *Runner) scoreArrivals(newcomers []*Client) error {
	r.recordMoves(ByJoin, newcomers)
	pre, err := r.env.Evaluate(r.alg, newcomers)
	if err != nil {
		return err
	}
	var post []Score
	err = r.env.Stage(ArrivalStage, func() error {
		post, err = r.trainOnce(newcomers)
		return err
	})
	if err != nil {
		return err
	}
	for k, c := range newcomers {
		r.last[c.ID].Pre = pre[k]
		r.best[c.ID].Pre = higher(r.best[c.ID].Pre, pre[k])
		for m := range r.moves {
			if move := &r.moves[m]; move.Client == c.ID && move.Why == ByJoin {
				move.Pre, move.Post = pre[k], post[k]
			}
		}
	}
	return nil
}
