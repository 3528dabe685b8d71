package algorithm

import "feddag/federation"

func init() {
	federation.Register("local", "no federation: every client trains alone", func() federation.Algorithm {
		a := &LocalOnly{}
		a.Book = func([]*federation.Client) {}
		return a
	})
}

// LocalOnly is no federation: a client trains a model of its own, from θ^0, in the rounds in which it is sampled. It is
// the floor: what a client has without anybody's help, of as much training as the other methods give it. Nothing is
// sent but θ^0. A newcomer has θ^0 until it trains.
type LocalOnly struct{ Bank }

// Init implements [Algorithm].
func (a *LocalOnly) Init(env *federation.Env) error {
	if err := a.Begin(env, len(env.Clients), func(c *federation.Client) int { return c.ID }); err != nil {
		return err
	}
	a.start(env.Present())
	return nil
}

// Join implements [Newcomer].
func (a *LocalOnly) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.Of[c.ID] = c.ID
	}
	a.start(newcomers)
	return nil
}

// start books θ^0.
func (a *LocalOnly) start(clients []*federation.Client) {
	for _, c := range clients {
		a.Env.Ledger.Down(c, "initial", a.Net.Len())
	}
}
