package federation

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// world is who is there and what they hold, as a scenario has it. It depends on the partition and the scenario alone:
// whoever goes through the same events comes to the same world.
type world struct {
	set     *data.Set
	seed    uint64
	Clients []*Client // by id; never modified, a client that changes becomes another value
	there   []bool
	since   []int     // round in which each came or left; -1 is from the start
	Pool    [][]int32 // training samples of each class that nobody ever held, ascending
	named   []bool    // clients that some join names
	been    []bool    // clients that were there once
	groups  map[string]int
}

// newWorld returns the world before round 0: without those who are held out or whose first event is to join, and with
// the reserve put aside.
func newWorld(set *data.Set, clients []*Client, s *Scenario) (*world, error) {
	n := len(clients)
	w := &world{
		set: set, seed: s.Seed, Clients: slices.Clone(clients), there: make([]bool, n), since: slices.Repeat([]int{-1}, n),
		Pool: make([][]int32, set.Classes), named: make([]bool, n), been: make([]bool, n), groups: classGroups(set, clients),
	}
	absent := make([]bool, n)
	met := make([]bool, n)
	for i, c := range clients {
		absent[i] = c.HeldOut
	}
	for _, ev := range s.Events {
		for _, i := range ev.clients() {
			if i >= n {
				return nil, fmt.Errorf("%v: client %d is unknown: the clients are 0 to %d", ev, i, n-1)
			}
			absent[i] = absent[i] || !met[i] && ev.Join != nil
			met[i] = true
			w.named[i] = w.named[i] || ev.Join != nil
		}
	}
	left := make([]bool, set.Train.Len()) // samples that nobody holds
	for k := range left {
		left[k] = true
	}
	for i, c := range clients {
		kept := w.reserve(c, s.Reserve)
		for _, k := range kept {
			left[k] = false
		}
		if len(kept) < len(c.Train) {
			some := *c
			some.Train = kept
			w.Clients[i] = &some
		}
		w.there[i], w.been[i] = !absent[i], !absent[i]
	}
	for k, free := range left {
		if free {
			l := set.Train.Labels[k]
			w.Pool[l] = append(w.Pool[l], int32(k))
		}
	}
	if len(w.present()) == 0 {
		return nil, fmt.Errorf("every client is held out or joins later: nobody is left to train")
	}
	return w, nil
}

// reserve returns the samples that a client keeps when floor(share n_i,c) random ones of each class are put aside.
func (w *world) reserve(c *Client, share float64) []int32 {
	if share == 0 {
		return c.Train
	}
	aside := map[int32]bool{}
	for class, samples := range w.byClass(c.Train) {
		r := stream.New(w.seed, "scenario/reserve", uint64(c.ID), uint64(class))
		for _, k := range r.Perm(len(samples))[:int(share*float64(len(samples)))] {
			aside[samples[k]] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(c.Train), func(k int32) bool { return aside[k] })
}

// byClass sorts training samples by their class.
func (w *world) byClass(samples []int32) [][]int32 {
	by := make([][]int32, w.set.Classes)
	for _, k := range samples {
		l := w.set.Train.Labels[k]
		by[l] = append(by[l], k)
	}
	return by
}

// present returns those who are there, by ascending id.
func (w *world) present() []*Client {
	var there []*Client
	for i, c := range w.Clients {
		if w.there[i] {
			there = append(there, c)
		}
	}
	return there
}

// never returns those who never were there.
func (w *world) never() []*Client {
	var held []*Client
	for i, c := range w.Clients {
		if !w.been[i] {
			held = append(held, c)
		}
	}
	return held
}

// apply makes an event happen and returns the clients it happens to, ascending, as they are now.
func (w *world) Apply(ev Event) ([]*Client, error) {
	who := ev.clients()
	if ev.JoinNext > 0 {
		for i := range w.Clients {
			if !w.been[i] && !w.named[i] && len(who) < ev.JoinNext {
				who = append(who, i)
			}
		}
		if len(who) < ev.JoinNext {
			return nil, fmt.Errorf("%v: %d clients are to come, %d are left that never were there: raise --holdout", ev, ev.JoinNext, len(who))
		}
	}
	for _, i := range who {
		if err := w.checkPresence(ev, i); err != nil {
			return nil, err
		}
	}
	switch ev.Kind() {
	case "join":
		for _, i := range who {
			w.there[i], w.been[i], w.since[i] = true, true, ev.Round
		}
	case "leave":
		for _, i := range who {
			w.there[i], w.since[i] = false, ev.Round
		}
		if len(w.present()) == 0 {
			return nil, fmt.Errorf("%v: nobody is left", ev)
		}
	case "shift":
		for _, i := range who {
			if err := w.shift(ev, i); err != nil {
				return nil, err
			}
		}
	case "swap":
		a, b := *w.Clients[who[0]], *w.Clients[who[1]]
		a.ID, b.ID, a.HeldOut, b.HeldOut = b.ID, a.ID, b.HeldOut, a.HeldOut
		w.Clients[who[0]], w.Clients[who[1]] = &b, &a
	}
	changed := make([]*Client, len(who))
	for k, i := range who {
		changed[k] = w.Clients[i]
	}
	return changed, nil
}

// can returns an error where a client is not where the event needs it.
func (w *world) checkPresence(ev Event, i int) error {
	switch joins := ev.Kind() == "join"; {
	case joins && w.there[i] && w.since[i] < 0:
		return fmt.Errorf("%v: client %d is there from the start", ev, i)
	case joins && w.there[i]:
		return fmt.Errorf("%v: client %d is there already: it joined in round %d", ev, i, w.since[i])
	case !joins && !w.there[i] && w.since[i] < 0:
		return fmt.Errorf("%v: client %d has not joined", ev, i)
	case !joins && !w.there[i]:
		return fmt.Errorf("%v: client %d is not there: it left in round %d", ev, i, w.since[i])
	}
	return nil
}

// shift replaces a share of a client's training samples, drawn at random, by as many of the event's classes, as evenly
// as they divide. The new ones are drawn from those that nobody ever held; the old ones are nobody's again and are not
// drawn any more. The client's test set becomes all test samples of the classes that it now holds.
func (w *world) shift(ev Event, i int) error {
	c := *w.Clients[i]
	if !slices.Equal(c.Test, w.testOf(c.Train)) {
		return fmt.Errorf("%v: client %d's test set is not all test samples of its classes, so it has none of other classes; swap it with another client", ev, i)
	}
	r := stream.New(w.seed, "scenario/shift", uint64(ev.Number), uint64(i))
	replaced := max(1, int(math.Round(ev.Share*float64(len(c.Train)))))
	gone := map[int32]bool{}
	for _, k := range r.Perm(len(c.Train))[:replaced] {
		gone[c.Train[k]] = true
	}
	c.Train = slices.DeleteFunc(slices.Clone(c.Train), func(k int32) bool { return gone[k] })
	for place, l := range ev.Labels {
		if l >= w.set.Classes {
			return fmt.Errorf("%v: class %d is unknown: the classes are 0 to %d", ev, l, w.set.Classes-1)
		}
		n := replaced / len(ev.Labels)
		if place < replaced%len(ev.Labels) {
			n++
		}
		if n > len(w.Pool[l]) {
			return fmt.Errorf("%v: client %d needs %d new samples of class %d, %d are left that nobody ever held: raise reserve (%d samples of the class in all) or lower share",
				ev, i, n, l, len(w.Pool[l]), w.set.ClassCounts(w.set.Train)[l])
		}
		drawn := map[int32]bool{}
		for _, k := range r.Perm(len(w.Pool[l]))[:n] {
			drawn[w.Pool[l][k]] = true
			c.Train = append(c.Train, w.Pool[l][k])
		}
		w.Pool[l] = slices.DeleteFunc(slices.Clone(w.Pool[l]), func(k int32) bool { return drawn[k] })
	}
	slices.Sort(c.Train)
	c.Test = w.testOf(c.Train)
	c.Group = w.group(c)
	w.Clients[i] = &c
	return nil
}

// testOf returns all test samples of the classes of some training samples.
func (w *world) testOf(train []int32) []int32 {
	held := w.byClass(train)
	var test []int32
	for k, l := range w.set.Test.Labels {
		if len(held[l]) > 0 {
			test = append(test, int32(k))
		}
	}
	return test
}

// group returns the true group that a shifted client now belongs to: the one whose clients hold the same classes by the
// same labels; one of its own kind where the partition has no such group; -1 where groups are of another nature.
func (w *world) group(c Client) int {
	if w.groups == nil {
		return -1
	}
	kind := classKind(w.set, &c)
	g, known := w.groups[kind]
	if !known {
		for _, other := range w.groups {
			g = max(g, other+1)
		}
		w.groups[kind] = g
	}
	return g
}

// classGroups returns the group of each set of held classes, or nil where the groups are not these sets.
func classGroups(set *data.Set, clients []*Client) map[string]int {
	groups := map[string]int{}
	kinds := map[int]string{}
	for _, c := range clients {
		if c.Group < 0 {
			return nil
		}
		kind := classKind(set, c)
		g, known := groups[kind]
		if k, seen := kinds[c.Group]; known && g != c.Group || seen && k != kind {
			return nil
		}
		groups[kind], kinds[c.Group] = c.Group, kind
	}
	return groups
}

// classKind names the classes that a client holds and the labels that it uses for them.
func classKind(set *data.Set, c *Client) string {
	kind := make([]byte, 0, 2*set.Classes)
	held := make([]bool, set.Classes)
	for _, k := range c.Train {
		held[set.Train.Labels[k]] = true
	}
	for l, holds := range held {
		if holds {
			label := uint8(l)
			if c.LabelMap != nil {
				label = c.LabelMap[l]
			}
			kind = append(kind, byte(l), label)
		}
	}
	return string(kind)
}
