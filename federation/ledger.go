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

// Ledger is a run's account of what was sent: by kind and by client. A float32, a count and an index are 4 bytes each.
type Ledger struct {
	Total   Traffic    `json:"total"`
	Clients [][2]int64 `json:"clients"` // bytes up and down, by client

	round Traffic
}

// NewLedger returns an empty ledger for n clients.
func NewLedger(n int) *Ledger {
	return &Ledger{Total: newTraffic(), Clients: make([][2]int64, n), round: newTraffic()}
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

// take returns what was counted since the last call.
func (l *Ledger) take() Traffic {
	t := l.round
	l.round = newTraffic()
	return t
}
