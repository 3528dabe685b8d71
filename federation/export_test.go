package federation

// What the tests of package federation_test need of the package's inside.

type World = world

var (
	NewWorld = newWorld
	Union    = union
	NoScore  = noScore
)

func (e *Env) Score(c *Client, predicted []uint8) Score { return e.score(c, predicted) }
func (e *Env) ForgetScores()                            { e.scores = scoreCache{} }

func (c *Checkpoint) Write(path string) error { return c.write(path) }
func (c *Checkpoint) Pack()                   { c.Clients = c.pack() }
func (c *Checkpoint) Unpack() error           { return c.unpack() }
