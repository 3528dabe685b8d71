package federation

import (
	"maps"
	"slices"
)

// Traffic counts bytes by the kind of message ("model", "secondary", "principal-vectors", ...).
type Traffic struct {
	Up   map[string]int64 `json:"up"`   // clients to server
	Down map[string]int64 `json:"down"` // server to clients
}

// newTraffic returns a Traffic with no bytes.
func newTraffic() Traffic { return Traffic{Up: map[string]int64{}, Down: map[string]int64{}} }

// Totals returns the sums over all kinds of message, in bytes.
func (t Traffic) Totals() (up, down int64) {
	for _, n := range t.Up {
		up += n
	}
	for _, n := range t.Down {
		down += n
	}
	return up, down
}

// Work counts what clients computed, as the number of samples that went through a model. A sample counts once for every epoch
// and, if a client trains or evaluates several models, once for every model.
type Work struct {
	Training int64 `json:"training"` // samples that went forward and backward
	Forward  int64 `json:"forward"`  // samples that only went forward, for instance when a client chooses its model
}

// Ledger counts the bytes that are sent in a run, by kind of message and by client, and the work of each client. A float32, a
// count and an index have 4 bytes each. Evaluation is not counted, because a real federation would not do it.
type Ledger struct {
	Total   Traffic    `json:"total"`
	Clients [][2]int64 `json:"-"` // bytes up and bytes down, by client
	Work    []Work     `json:"-"` // work by client

	round Traffic // traffic since the last call of takeRound
	work  Work    // work since the last call of takeRound
}

// NewLedger returns an empty ledger for n clients.
func NewLedger(n int) *Ledger {
	return &Ledger{Total: newTraffic(), Clients: make([][2]int64, n), Work: make([]Work, n), round: newTraffic()}
}

// Up counts a message with the given number of 4-byte words from a client to the server.
func (l *Ledger) Up(c *Client, kind string, words int) {
	n := 4 * int64(words)
	l.Total.Up[kind] += n
	l.round.Up[kind] += n
	l.Clients[c.ID][0] += n
}

// Down counts a message with the given number of 4-byte words from the server to a client.
func (l *Ledger) Down(c *Client, kind string, words int) {
	n := 4 * int64(words)
	l.Total.Down[kind] += n
	l.round.Down[kind] += n
	l.Clients[c.ID][1] += n
}

// Trained counts samples on which a client trained a model.
func (l *Ledger) Trained(c *Client, samples int64) {
	l.Work[c.ID].Training += samples
	l.work.Training += samples
}

// Forwarded counts samples on which a client evaluated a model without training it.
func (l *Ledger) Forwarded(c *Client, samples int64) {
	l.Work[c.ID].Forward += samples
	l.work.Forward += samples
}

// AllWork returns the total work of all clients so far.
func (l *Ledger) AllWork() Work {
	var sum Work
	for _, w := range l.Work {
		sum.Training += w.Training
		sum.Forward += w.Forward
	}
	return sum
}

// takeRound returns the traffic and the work since its last call.
func (l *Ledger) takeRound() (Traffic, Work) {
	t, w := l.round, l.work
	l.round, l.work = newTraffic(), Work{}
	return t, w
}

// clone returns a copy of the ledger that later calls on l do not change.
func (l *Ledger) clone() *Ledger {
	traffic := func(t Traffic) Traffic { return Traffic{Up: maps.Clone(t.Up), Down: maps.Clone(t.Down)} }
	return &Ledger{
		Total: traffic(l.Total), Clients: slices.Clone(l.Clients), Work: slices.Clone(l.Work), round: traffic(l.round), work: l.work,
	}
}
