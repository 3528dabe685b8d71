package federation

import (
	"fmt"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// population says which clients of a scenario are present and which samples they hold. It depends only on the partition, the
// scenario and the events that were applied, so a resumed run that applies the same events gets the same population.
type population struct {
	set        *data.Set
	seed       uint64         // seed of the scenario
	Clients    []*Client      // by id; a client that changes gets a new value
	isPresent  []bool         // by client
	wasPresent []bool         // by client: whether it is present or was at any time before
	joins      []bool         // by client: whether the scenario names it in an event in which clients join
	lastChange []int          // by client: round in which it last joined or left, -1 if it never did
	Unused     [][]int32      // by class: training samples that no client has ever held, ascending
	groups     map[string]int // true group by class kind, see classGroups; nil if the groups are not class kinds
}

// newPopulation returns the population before the first round. Clients that are held out or whose first event is to join are
// absent, and the scenario's reserve is taken from the samples of all clients. It is an error if an event names an unknown
// client or if no client is present.
func newPopulation(set *data.Set, clients []*Client, s *Scenario) (*population, error) {
	n := len(clients)
	p := &population{
		set: set, seed: s.Seed, Clients: slices.Clone(clients), isPresent: make([]bool, n), wasPresent: make([]bool, n),
		joins: make([]bool, n), lastChange: slices.Repeat([]int{-1}, n), Unused: make([][]int32, set.Classes),
		groups: classGroups(set, clients),
	}
	absent := make([]bool, n)
	hasEvent := make([]bool, n)
	for i, c := range clients {
		absent[i] = c.HeldOut
	}
	for _, ev := range s.Events {
		for _, i := range ev.clients() {
			if i >= n {
				return nil, fmt.Errorf("%v: client %d is unknown: the clients are 0 to %d", ev, i, n-1)
			}
			absent[i] = absent[i] || !hasEvent[i] && ev.Join != nil
			hasEvent[i] = true
			p.joins[i] = p.joins[i] || ev.Join != nil
		}
	}
	unused := make([]bool, set.Train.Len())
	for k := range unused {
		unused[k] = true
	}
	for i, c := range clients {
		kept := p.withoutReserve(c, s.Reserve)
		for _, k := range kept {
			unused[k] = false
		}
		if len(kept) < len(c.Train) {
			reduced := *c
			reduced.Train = kept
			p.Clients[i] = &reduced
		}
		p.isPresent[i], p.wasPresent[i] = !absent[i], !absent[i]
	}
	for k, yes := range unused {
		if yes {
			l := set.Train.Labels[k]
			p.Unused[l] = append(p.Unused[l], int32(k))
		}
	}
	if len(p.present()) == 0 {
		return nil, fmt.Errorf("every client is held out or joins later: no client is left to train")
	}
	return p, nil
}

// withoutReserve returns the training samples that a client keeps when the reserve is taken: floor(share n_i,c) random samples of
// each class.
func (p *population) withoutReserve(c *Client, share float64) []int32 {
	if share == 0 {
		return c.Train
	}
	reserved := map[int32]bool{}
	for class, samples := range p.byClass(c.Train) {
		r := stream.New(p.seed, "scenario/reserve", uint64(c.ID), uint64(class))
		for _, k := range r.Perm(len(samples))[:int(share*float64(len(samples)))] {
			reserved[samples[k]] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Train), func(k int32) bool { return reserved[k] })
}

// byClass divides training samples by their class in the data set.
func (p *population) byClass(samples []int32) [][]int32 {
	divided := make([][]int32, p.set.Classes)
	for _, k := range samples {
		l := p.set.Train.Labels[k]
		divided[l] = append(divided[l], k)
	}
	return divided
}

// present returns the clients that are present, by ascending id.
func (p *population) present() []*Client {
	var clients []*Client
	for i, c := range p.Clients {
		if p.isPresent[i] {
			clients = append(clients, c)
		}
	}
	return clients
}

// neverPresent returns the clients that have never been present, by ascending id.
func (p *population) neverPresent() []*Client {
	var clients []*Client
	for i, c := range p.Clients {
		if !p.wasPresent[i] {
			clients = append(clients, c)
		}
	}
	return clients
}

// Apply applies an event and returns the clients that it changed, as they are after the event, by ascending id. It returns an
// error that names the event if a client is absent that must be present or the reverse, if too few clients are left to join, if
// no client would be present, or if a shift finds too few samples.
func (p *population) Apply(ev Event) ([]*Client, error) {
	ids := ev.clients()
	if ev.JoinNext > 0 {
		for i := range p.Clients {
			if !p.wasPresent[i] && !p.joins[i] && len(ids) < ev.JoinNext {
				ids = append(ids, i)
			}
		}
		if len(ids) < ev.JoinNext {
			return nil, fmt.Errorf("%v: %d clients are to join, but only %d are left that were never present: raise --holdout", ev, ev.JoinNext, len(ids))
		}
	}
	for _, i := range ids {
		if err := p.checkPresence(ev, i); err != nil {
			return nil, err
		}
	}
	switch ev.Kind() {
	case "join":
		for _, i := range ids {
			p.isPresent[i], p.wasPresent[i], p.lastChange[i] = true, true, ev.Round
		}
	case "leave":
		for _, i := range ids {
			p.isPresent[i], p.lastChange[i] = false, ev.Round
		}
		if len(p.present()) == 0 {
			return nil, fmt.Errorf("%v: no client is left", ev)
		}
	case "shift":
		for _, i := range ids {
			if err := p.shift(ev, i); err != nil {
				return nil, err
			}
		}
	case "swap":
		a, b := *p.Clients[ids[0]], *p.Clients[ids[1]]
		a.ID, b.ID, a.HeldOut, b.HeldOut = b.ID, a.ID, b.HeldOut, a.HeldOut
		p.Clients[ids[0]], p.Clients[ids[1]] = &b, &a
	}
	changed := make([]*Client, len(ids))
	for k, i := range ids {
		changed[k] = p.Clients[i]
	}
	return changed, nil
}

// checkPresence returns an error if client i is present but must be absent for the event, or the reverse.
func (p *population) checkPresence(ev Event, i int) error {
	switch joins := ev.Kind() == "join"; {
	case joins && p.isPresent[i] && p.lastChange[i] < 0:
		return fmt.Errorf("%v: client %d is present from the start", ev, i)
	case joins && p.isPresent[i]:
		return fmt.Errorf("%v: client %d is already present: it joined before round %d", ev, i, RoundNumber(p.lastChange[i]))
	case !joins && !p.isPresent[i] && p.lastChange[i] < 0:
		return fmt.Errorf("%v: client %d has not joined", ev, i)
	case !joins && !p.isPresent[i]:
		return fmt.Errorf("%v: client %d is not present: it left before round %d", ev, i, RoundNumber(p.lastChange[i]))
	}
	return nil
}
