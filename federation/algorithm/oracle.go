package algorithm

import (
	"fmt"

	"feddag/federation"
)

func init() {
	federation.Register("oracle", "FedAvg within the partition's true groups, an upper bound for clustering", func() federation.Algorithm { return &Oracle{} })
}

// Oracle is FedAvg within each of the partition's true groups, which no real method knows. It is the upper bound for all
// methods that find clusters and average within them. All clusters start at θ^0.
type Oracle struct{ ClusterBank }

// Init implements [federation.Algorithm]. It returns an error if a client has no true group.
func (a *Oracle) Init(env *federation.Env) error {
	groups := 0
	for _, c := range env.Clients {
		if c.Group < 0 {
			return fmt.Errorf("client %d: the algorithm oracle needs true groups, but the partition has none; use a partition that has them (label-skew, pairs)", c.ID)
		}
		groups = max(groups, c.Group+1)
	}
	return a.Begin(env, groups, func(c *federation.Client) int { return c.Group })
}

// Join implements [federation.Newcomer]: a newcomer joins its true group.
func (a *Oracle) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.Of[c.ID] = c.Group
	}
	return nil
}

// Shift implements [federation.Shifter]: a client joins its new group at once. A group that the partition does not have
// starts with the model of the first client that joins it.
func (a *Oracle) Shift(_ *federation.Env, _ int, clients []*federation.Client) error {
	for _, c := range clients {
		for len(a.States) <= c.Group {
			a.States = append(a.States, a.States[a.Of[c.ID]])
		}
		if c.Group >= 0 {
			a.Of[c.ID] = c.Group
		}
	}
	return nil
}
