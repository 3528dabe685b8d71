package federation

func init() {
	Register("local", "no federation: every client trains alone", func() Algorithm {
		a := &LocalOnly{}
		a.book = func([]*Client) {}
		return a
	})
}

// LocalOnly is no federation: a client trains a model of its own, from θ^0, in the rounds in which it is sampled. It is
// the floor: what a client has without anybody's help, of as much training as the other methods give it. Nothing is
// sent but θ^0. A newcomer has θ^0 until it trains.
type LocalOnly struct{ bank }

// Init implements [Algorithm].
func (a *LocalOnly) Init(env *Env) error {
	if err := a.begin(env, len(env.Clients), func(c *Client) int { return c.ID }); err != nil {
		return err
	}
	a.start(env.Present())
	return nil
}

// Join implements [Newcomer].
func (a *LocalOnly) Join(_ *Env, _ int, newcomers []*Client) error {
	for _, c := range newcomers {
		a.of[c.ID] = c.ID
	}
	a.start(newcomers)
	return nil
}

// start books θ^0.
func (a *LocalOnly) start(clients []*Client) {
	for _, c := range clients {
		a.env.Ledger.Down(c, "initial", a.net.Len())
	}
}
