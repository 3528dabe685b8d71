package algorithm

import (
	"fmt"

	"feddag/federation"
)

func init() {
	federation.Register("oracle", "FedAvg within the partition's true groups: the ceiling of clustering", func() federation.Algorithm { return &Oracle{} })
}

// Oracle is FedAvg within each of the partition's true groups, which no method knows: the ceiling of all that find
// clusters and average in them. All clusters start at θ^0.
type Oracle struct{ ClusterBank }

// Init implements [Algorithm].
func (a *Oracle) Init(env *federation.Env) error {
	groups := 0
	for _, c := range env.Clients {
		if c.Group < 0 {
			return fmt.Errorf("client %d: the partition has no true groups, which oracle needs; use one that has (label-skew, pairs)", c.ID)
		}
		groups = max(groups, c.Group+1)
	}
	return a.Begin(env, groups, func(c *federation.Client) int { return c.Group })
}

// Join implements [Newcomer]: a newcomer is of its true group.
func (a *Oracle) Join(_ *federation.Env, _ int, newcomers []*federation.Client) error {
	for _, c := range newcomers {
		a.Of[c.ID] = c.Group
	}
	return nil
}

// Shift implements [Shifter]: a client goes over to its new group at once. A group that the partition does not have
// begins from the model of the first client that comes to it.
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
