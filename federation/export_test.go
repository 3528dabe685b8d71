package federation

// This file gives the tests of package federation_test access to unexported names.

type Population = population

var (
	NewPopulation = newPopulation
	NoScore       = noScore
)

// Score compares predicted classes with the labels of a client.
func (e *Env) Score(c *Client, predicted []uint8) Score { return e.score(c, predicted) }

// ForgetScores empties the cache of scores.
func (e *Env) ForgetScores() { e.scores = scoreCache{} }

// Write writes a checkpoint.
func (c *Checkpoint) Write(path string) error { return c.write(path) }

// Pack sets Clients from the other fields.
func (c *Checkpoint) Pack() { c.Clients = c.pack() }

// Unpack sets the other fields from Clients.
func (c *Checkpoint) Unpack() error { return c.unpack() }
