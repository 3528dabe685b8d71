package algorithm

import "feddag/federation"

func init() {
	federation.Register("local", "trains every client alone, without a federation", func() federation.Algorithm {
		a := &LocalOnly{}
		a.Book = func([]*federation.Client) {}
		return a
	})
}

// LocalOnly trains without a federation: a client trains its own model, from θ^0, in the rounds in which it is sampled. It is
// the lower bound for the other methods: the result of a client without help, with the same amount of training. Nothing is
// sent except θ^0. A newcomer has θ^0 until it trains.
type LocalOnly struct{ Bank }

// Init implements [federation.Algorithm].
func (a *LocalOnly) Init(env *federation.Env) error {
	if err := a.Begin(env, len(env.Clients), func(c *federation.Client) int { return c.ID }); err != nil {
		return err
	}
	a.start(env.Present())
	return nil
}

// Averages implements [federation.Averager].
func (a *LocalOnly) Averages() bool { return false }

// Join implements [federation.Newcomer]: a newcomer gets its own model.
func (a *LocalOnly) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.Of[c.ID] = c.ID
	}
	a.start(newcomers)
	return nil
}

// start adds the initial state that clients receive to the ledger.
func (a *LocalOnly) start(clients []*federation.Client) {
	for _, c := range clients {
		a.Env.Ledger.Down(c, "initial", a.Net.Len())
	}
}
