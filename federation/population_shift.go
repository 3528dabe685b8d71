package federation

import (
	"fmt"
	"math"
	"slices"

	"feddag/federation/data"
	"feddag/internal/stream"
)

// shift replaces a random share of a client's training samples with the same number of samples of the event's classes, divided
// as evenly as possible between these classes. The new samples are drawn from those that no client has ever held. The replaced
// samples are not drawn again. The client's new test set has all test samples of the classes that it holds after the shift.
func (p *population) shift(ev Event, i int) error {
	c := *p.Clients[i]
	if !slices.Equal(c.Test, p.testOf(c.Train)) {
		return fmt.Errorf("%v: the test set of client %d does not have all test samples of its classes, so there are no test samples of other classes for it; swap it with another client", ev, i)
	}
	r := stream.New(p.seed, "scenario/shift", uint64(ev.Number), uint64(i))
	replaced := max(1, int(math.Round(ev.Share*float64(len(c.Train)))))
	removed := map[int32]bool{}
	for _, k := range r.Perm(len(c.Train))[:replaced] {
		removed[c.Train[k]] = true
	}
	c.Train = slices.DeleteFunc(slices.Clone(c.Train), func(k int32) bool { return removed[k] })
	for place, l := range ev.Labels {
		if l >= p.set.Classes {
			return fmt.Errorf("%v: class %d is unknown: the classes are 0 to %d", ev, l, p.set.Classes-1)
		}
		n := replaced / len(ev.Labels)
		if place < replaced%len(ev.Labels) {
			n++
		}
		if n > len(p.Unused[l]) {
			return fmt.Errorf("%v: client %d needs %d new samples of class %d, but only %d are left that no client ever held: raise reserve (%d samples of the class in all) or lower share",
				ev, i, n, l, len(p.Unused[l]), p.set.ClassCounts(p.set.Train)[l])
		}
		drawn := map[int32]bool{}
		for _, k := range r.Perm(len(p.Unused[l]))[:n] {
			drawn[p.Unused[l][k]] = true
			c.Train = append(c.Train, p.Unused[l][k])
		}
		p.Unused[l] = slices.DeleteFunc(slices.Clone(p.Unused[l]), func(k int32) bool { return drawn[k] })
	}
	slices.Sort(c.Train)
	c.Test = p.testOf(c.Train)
	c.Group = p.group(c)
	p.Clients[i] = &c
	return nil
}

// testOf returns all test samples of the classes that some training samples have.
func (p *population) testOf(train []int32) []int32 {
	byClass := p.byClass(train)
	var test []int32
	for k, l := range p.set.Test.Labels {
		if len(byClass[l]) > 0 {
			test = append(test, int32(k))
		}
	}
	return test
}

// group returns the true group to which a client belongs after a shift: the group whose clients hold the same classes and use the
// same labels for them, or a new group if there is none. It returns -1 if the partition's groups are not defined by the classes
// and labels.
func (p *population) group(c Client) int {
	if p.groups == nil {
		return -1
	}
	kind := classKind(p.set, &c)
	g, exists := p.groups[kind]
	if !exists {
		for _, other := range p.groups {
			g = max(g, other+1)
		}
		p.groups[kind] = g
	}
	return g
}

// classGroups returns the group of the clients of each class kind. It returns nil if a client has no group or if the groups do not
// correspond one to one to the class kinds.
func classGroups(set *data.Set, clients []*Client) map[string]int {
	groups := map[string]int{}
	kinds := map[int]string{}
	for _, c := range clients {
		if c.Group < 0 {
			return nil
		}
		kind := classKind(set, c)
		g, kindSeen := groups[kind]
		if k, groupSeen := kinds[c.Group]; kindSeen && g != c.Group || groupSeen && k != kind {
			return nil
		}
		groups[kind], kinds[c.Group] = c.Group, kind
	}
	return groups
}

// classKind identifies the classes of a client's training samples and the labels that the client uses for them: the string has two
// bytes for each class, the class and its label.
func classKind(set *data.Set, c *Client) string {
	kind := make([]byte, 0, 2*set.Classes)
	hasClass := make([]bool, set.Classes)
	for _, k := range c.Train {
		hasClass[set.Train.Labels[k]] = true
	}
	for l, has := range hasClass {
		if has {
			label := uint8(l)
			if c.LabelMap != nil {
				label = c.LabelMap[l]
			}
			kind = append(kind, byte(l), label)
		}
	}
	return string(kind)
}
