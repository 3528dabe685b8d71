package federation

import (
	"fmt"
	"slices"
	"strings"
)

// Newcomer is implemented by a method that takes in clients which were absent at Init.
type Newcomer interface {
	// Join takes in newcomers before round t (t is T after the last round). The method gives each what its rule says: a
	// cluster, a mixture, the one model. Nobody else's model changes. From then on Model answers for them, and they may
	// be in a cohort. Join books what they send and receive for it, but not the model that they receive when they
	// train. If it returns an error, nothing that the algorithm holds has changed.
	//
	// A newcomer's accuracy before local training is that of Model right after Join; its accuracy after local training is
	// that of one local training of the method from there. This is the protocol of the paper's tables 11 and 13.
	Join(env *Env, t int, newcomers []*Client) error
}

// Leaver is implemented by a method that clients can leave.
type Leaver interface {
	// Leave takes clients out before round t. Nobody else's model changes, and Model need not answer for them any more.
	Leave(env *Env, t int, clients []*Client) error
}

// Shifter is implemented by a method that goes on when clients hold other samples.
type Shifter interface {
	// Shift tells that clients hold other samples from round t on; Env.Clients has them already. The server of a real
	// federation would not be told: a method that wants to know has to look, see [Reassigner].
	Shift(env *Env, t int, clients []*Client) error
}

// Reassigner is implemented by a method that looks at its clusters again in the course of a run.
type Reassigner interface {
	// Check finds the clients whose data have shifted, assigns them anew and returns them.
	Check(env *Env, t int) ([]*Client, error)
	// Search looks for the clusters again, from what the clients have sent.
	Search(env *Env, t int) error
}

// Move is a change of a client's cluster, or another event in its life.
type Move struct {
	Client   int
	From, To int    // clusters; -1 where it is not there
	Why      string // see below
	// Of a newcomer: its score as it arrives, before and after one local training. NaN of others.
	Pre, Post Score
}

// Why a client moved. A shift and a check name also those whose cluster stays.
const (
	AtStart  = "start"  // the clustering before round 0
	ByJoin   = "join"   // it came
	ByLeave  = "leave"  // it left
	ByShift  = "shift"  // its samples changed; the server does not know yet
	ByCheck  = "check"  // its histogram had moved too far (eq. 41): it was assigned anew
	BySearch = "search" // the clusters were searched for again
	ByRound  = "round"  // the algorithm's own doing in a round
)

// CheckScenario goes through the scenario without training, and returns an error that names the event if one cannot
// happen or the algorithm, of the given name, has no answer to it.
func (e *Env) CheckScenario(name string, a Algorithm) error {
	s := e.Scenario
	if s == nil {
		return nil
	}
	w, err := newWorld(e.Data, e.dealtClients(), s)
	if err != nil {
		return err
	}
	for _, ev := range s.Events {
		if ev.Round >= e.Rounds {
			return fmt.Errorf("%v is beyond the run, whose rounds are 0 to %d", ev, e.Rounds-1)
		}
		if !Handles(a, ev.Kind()) {
			return fmt.Errorf("%v: algorithm %s has no answer to %s; these have: %s", ev, name, ev.Kind(), handlers(ev.Kind()))
		}
		if _, err := w.Apply(ev); err != nil {
			return err
		}
	}
	for kind, n := range map[string]int{"check_every": s.CheckEvery, "search_after": s.SearchAfter} {
		if n > 0 && !Handles(a, kind) {
			return fmt.Errorf("algorithm %s has no answer to %s; these have: %s", name, kind, handlers(kind))
		}
	}
	return nil
}

// answers says whether an algorithm has the method that a kind of event needs.
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

// answerers lists the registered algorithms that answer to a kind of event.
func handlers(kind string) string {
	var names []string
	for _, name := range Names() {
		if Handles(registry[name].make(), kind) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// pass goes through the events of round t in the world alone: each in turn, and whether the search is due after them.
func (e *Env) eachEvent(t int, each func(ev Event, changed []*Client) error) (search bool, err error) {
	for _, ev := range e.Scenario.Events {
		if ev.Round != t {
			continue
		}
		changed, err := e.world.Apply(ev)
		if err != nil {
			return false, err
		}
		e.syncWorld()
		if ev.Kind() == "join" {
			e.arrived += len(changed)
		}
		if err := each(ev, changed); err != nil {
			return false, fmt.Errorf("%v: %w", ev, err)
		}
	}
	if after := e.Scenario.SearchAfter; after > 0 && e.arrived >= after {
		e.arrived, search = 0, true
	}
	return search, nil
}

// replay brings the world to where it is after so many rounds.
func (e *Env) replay(rounds int) error {
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

// happen makes the events before round t happen, then the check and the search that are due.
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
			return fmt.Errorf("check before round %d: %w", t, err)
		}
		r.recordMoves(ByCheck, shifted)
	}
	if search {
		if err := r.alg.(Reassigner).Search(e, t); err != nil {
			return fmt.Errorf("search before round %d: %w", t, err)
		}
		r.recordMoves(BySearch, nil)
	}
	if len(r.moves) > before {
		r.scores = nil // of other models, or on other samples
	}
	return nil
}

// event tells the algorithm of one event.
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

// arrive scores newcomers with the models that they are given, and after one local training from there.
func (r *Runner) scoreArrivals(newcomers []*Client) error {
	r.recordMoves(ByJoin, newcomers)
	pre, err := r.env.Evaluate(r.alg, newcomers)
	if err != nil {
		return err
	}
	var post []Score
	err = r.env.Stage("arrival", func() error {
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

// note adds to the moves whoever is in another cluster than when it was last called, and those named.
func (r *Runner) recordMoves(why string, named []*Client) {
	now := r.clusterOfClients()
	for i, z := range now {
		if z != r.clusterOf[i] || slices.ContainsFunc(named, func(c *Client) bool { return c.ID == i }) {
			r.moves = append(r.moves, Move{Client: i, From: r.clusterOf[i], To: z, Why: why, Pre: noScore, Post: noScore})
		}
	}
	r.clusterOf = now
}

// whereabouts returns every client's cluster: 0 for all where the algorithm has none, -1 of those who are not there.
func (r *Runner) clusterOfClients() []int {
	of := slices.Repeat([]int{-1}, len(r.env.Clients))
	a, ok := r.alg.(Clustered)
	if !ok {
		for _, c := range r.env.Present() {
			of[c.ID] = 0
		}
		return of
	}
	for z, members := range a.Clusters() {
		for _, i := range members {
			of[i] = z
		}
	}
	return of
}
