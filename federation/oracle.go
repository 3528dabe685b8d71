package federation

import "fmt"

func init() {
	Register("oracle", "FedAvg within the partition's true groups: the ceiling of clustering", func() Algorithm { return &Oracle{} })
}

// Oracle is FedAvg within each of the partition's true groups, which no method knows: the ceiling of all that find
// clusters and average in them. All clusters start at θ^0.
type Oracle struct{ clusters }

// Init implements [Algorithm].
func (a *Oracle) Init(env *Env) error {
	groups := 0
	for _, c := range env.Clients {
		if c.Group < 0 {
			return fmt.Errorf("client %d: the partition has no true groups, which oracle needs; use one that has (label-skew, pairs)", c.ID)
		}
		groups = max(groups, c.Group+1)
	}
	return a.begin(env, groups, func(c *Client) int { return c.Group })
}

// Join implements [Newcomer]: a newcomer is of its true group.
func (a *Oracle) Join(_ *Env, _ int, newcomers []*Client) error {
	for _, c := range newcomers {
		a.of[c.ID] = c.Group
	}
	return nil
}

// Shift implements [Shifter]: a client goes over to its new group at once. A group that the partition does not have
// begins from the model of the first client that comes to it.
func (a *Oracle) Shift(_ *Env, _ int, clients []*Client) error {
	for _, c := range clients {
		for len(a.states) <= c.Group {
			a.states = append(a.states, a.states[a.of[c.ID]])
		}
		if c.Group >= 0 {
			a.of[c.ID] = c.Group
		}
	}
	return nil
}
