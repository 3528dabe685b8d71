package federation

import (
	"slices"

	"feddag/torch"
)

// scoreKey identifies the score of a client without a mixture. It has everything on which the score depends. The clients of a
// partition often share test sets and label maps, so many clients have few distinct keys.
type scoreKey struct {
	net    *torch.Network
	state  torch.Fingerprint
	test   testSet
	labels *uint8
}

// testSet identifies the test set of a client by its address. The indices of a test set never change: a client whose samples
// shift gets another slice.
type testSet struct {
	first *int32
	n     int
}

// testSetOf returns the identity of a client's test set.
func testSetOf(c *Client) testSet { return testSet{first(c.Test), len(c.Test)} }

// first returns a pointer to the first element of a slice, or nil if the slice is empty.
func first[T any](s []T) *T {
	if len(s) == 0 {
		return nil
	}
	return &s[0]
}

// scoreKeys returns the key of each client's score by its model. The key is zero if the model has a mixture, because the
// scores of mixtures are not cached.
func scoreKeys(clients []*Client, models []Model) ([]scoreKey, error) {
	prints := map[*torch.Vector]torch.Fingerprint{}
	keys := make([]scoreKey, len(clients))
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
		keys[i] = scoreKey{m.Net, state, testSetOf(clients[i]), first(clients[i].LabelMap)}
	}
	return keys, nil
}

// uniteEqual returns the models with all states of equal contents replaced by one of them, so that such models predict once.
func uniteEqual(keys []scoreKey, models []Model) []Model {
	type content struct {
		net   *torch.Network
		state torch.Fingerprint
	}
	first := map[content]*torch.Vector{}
	united := slices.Clone(models)
	for i, m := range models {
		if m.Mix != nil {
			continue
		}
		c := content{keys[i].net, keys[i].state}
		if first[c] == nil {
			first[c] = m.State
		}
		united[i].State = first[c]
	}
	return united
}

// scoreCache holds the scores of the last evaluation of all clients and those computed since then. The same model is often
// evaluated again. A model that only its own client trains does not change in a round in which that client is not sampled; after
// a round in which it is sampled, the model is the one that has just been scored after local training.
type scoreCache struct{ previous, current map[scoreKey]Score }

// lookup returns a cached score and keeps it in the cache until the evaluation of all clients after the next.
func (c *scoreCache) lookup(key scoreKey) (Score, bool) {
	s, ok := c.current[key]
	if !ok {
		if s, ok = c.previous[key]; ok {
			c.store(key, s)
		}
	}
	return s, ok
}

// store adds a score to the cache.
func (c *scoreCache) store(key scoreKey, s Score) {
	if c.current == nil {
		c.current = map[scoreKey]Score{}
	}
	c.current[key] = s
}

// advance drops the scores that have been neither looked up nor stored since its last call. It is called after each evaluation of
// all clients.
func (c *scoreCache) advance() { c.previous, c.current = c.current, nil }
