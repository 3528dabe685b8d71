package federation

// Traffic counts bytes by message kind ("model", "secondary", "principal-vectors", ...).
type Traffic struct {
	Up   map[string]int64 `json:"up"`   // clients to server
	Down map[string]int64 `json:"down"` // server to clients
}

func newTraffic() Traffic { return Traffic{Up: map[string]int64{}, Down: map[string]int64{}} }

// Totals returns the bytes of all kinds.
func (t Traffic) Totals() (up, down int64) {
	for _, n := range t.Up {
		up += n
	}
	for _, n := range t.Down {
		down += n
	}
	return up, down
}

// Work counts what clients computed, in samples through one model: every epoch counts, and every model of several.
type Work struct {
	Training int64 `json:"training"` // forward and backward
	Forward  int64 `json:"forward"`  // forward only: to choose a model, to be chosen
}

// Ledger is a run's account of what was sent, by kind and by client, and of what the clients computed. A float32, a
// count and an index are 4 bytes each. Evaluation costs nothing here.
type Ledger struct {
	Total   Traffic    `json:"total"`
	Clients [][2]int64 `json:"-"` // bytes up and down, by client
	Work    []Work     `json:"-"` // by client

	round Traffic
	work  Work // of the round
}

// NewLedger returns an empty ledger for n clients.
func NewLedger(n int) *Ledger {
	return &Ledger{Total: newTraffic(), Clients: make([][2]int64, n), Work: make([]Work, n), round: newTraffic()}
}

// Up counts words of 4 bytes sent by a client to the server.
func (l *Ledger) Up(c *Client, kind string, words int) {
	n := 4 * int64(words)
	l.Total.Up[kind] += n
	l.round.Up[kind] += n
	l.Clients[c.ID][0] += n
}

// Down counts words of 4 bytes sent by the server to a client.
func (l *Ledger) Down(c *Client, kind string, words int) {
	n := 4 * int64(words)
	l.Total.Down[kind] += n
	l.round.Down[kind] += n
	l.Clients[c.ID][1] += n
}

// Trained counts samples that a client trained a model on.
func (l *Ledger) Trained(c *Client, samples int64) {
	l.Work[c.ID].Training += samples
	l.work.Training += samples
}

// Forwarded counts samples that a client evaluated a model on.
func (l *Ledger) Forwarded(c *Client, samples int64) {
	l.Work[c.ID].Forward += samples
	l.work.Forward += samples
}

// AllWork is the work of all clients so far.
func (l *Ledger) AllWork() Work {
	var sum Work
	for _, w := range l.Work {
		sum.Training += w.Training
		sum.Forward += w.Forward
	}
	return sum
}

// take returns what was counted since the last call.
func (l *Ledger) takeRound() (Traffic, Work) {
	t, w := l.round, l.work
	l.round, l.work = newTraffic(), Work{}
	return t, w
}
