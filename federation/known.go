package federation

import "feddag/torch"

// viewpoint is all that the score of a client without a mixture depends on. Clients of one partition share their test
// sets and label maps, so that many have few between them.
type viewpoint struct {
	net    *torch.Network
	state  torch.Fingerprint
	test   testSet
	labels *uint8
}

// testSet identifies a client's test set. Its indices never change: a client that shifts has a new one.
type testSet struct {
	first *int32
	n     int
}

func testSetOf(c *Client) testSet { return testSet{first(c.Test), len(c.Test)} }

// first returns the place of a slice's first element; nil where it has none.
func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

// viewpoints returns the viewpoint of each client with its model; the zero one, of which no score is kept, with a mixture.
func viewpoints(clients []*Client, models []Model) ([]viewpoint, error) {
	prints := map[*torch.Vector]torch.Fingerprint{}
	views := make([]viewpoint, len(clients))
	for i, m := range models {
		if m.Mix != nil {
			continue
		}
		state, ok := prints[m.State]
		if !ok {
			var err error
			if state, err = m.State.Fingerprint(); err != nil {
				return nil, err
			}
			prints[m.State] = state
		}
		views[i] = viewpoint{m.Net, state, testSetOf(clients[i]), first(clients[i].LabelMap)}
	}
	return views, nil
}

// knownScores are the scores of an evaluation of all clients and of what came since. A model is often seen again: one
// that only its own client trains stays as it was in every round in which that client is not sampled, and after the
// others it is what that client has just been scored with.
type knownScores struct{ before, now map[viewpoint]Score }

// recall returns a score that is known.
func (k *knownScores) recall(v viewpoint) (Score, bool) {
	s, ok := k.now[v]
	if !ok {
		if s, ok = k.before[v]; ok {
			k.keep(v, s)
		}
	}
	return s, ok
}

func (k *knownScores) keep(v viewpoint, s Score) {
	if k.now == nil {
		k.now = map[viewpoint]Score{}
	}
	k.now[v] = s
}

// turn is called after each evaluation of all clients: what it did not see is forgotten with the next.
func (k *knownScores) turn() { k.before, k.now = k.now, nil }
