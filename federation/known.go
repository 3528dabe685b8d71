package federation

import "feddag/torch"

// viewpoint is all that the score of a client without a mixture depends on. Clients of one partition share their test
// sets and label maps, so that many have few between them.
type scoreKey struct {
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
func scoreKeys(clients []*Client, models []Model) ([]scoreKey, error) {
	prints := map[*torch.Vector]torch.Fingerprint{}
	views := make([]scoreKey, len(clients))
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
		views[i] = scoreKey{m.Net, state, testSetOf(clients[i]), first(clients[i].LabelMap)}
	}
	return views, nil
}

// knownScores are the scores of an evaluation of all clients and of what came since. A model is often seen again: one
// that only its own client trains stays as it was in every round in which that client is not sampled, and after the
// others it is what that client has just been scored with.
type scoreCache struct{ before, now map[scoreKey]Score }

// recall returns a score that is known.
func (k *scoreCache) lookup(v scoreKey) (Score, bool) {
	s, ok := k.now[v]
	if !ok {
		if s, ok = k.before[v]; ok {
			k.store(v, s)
		}
	}
	return s, ok
}

func (k *scoreCache) store(v scoreKey, s Score) {
	if k.now == nil {
		k.now = map[scoreKey]Score{}
	}
	k.now[v] = s
}

// turn is called after each evaluation of all clients: what it did not see is forgotten with the next.
func (k *scoreCache) advance() { k.before, k.now = k.now, nil }
