package algorithm

import (
	"feddag/federation"
)

// clusters is a bank whose models are clusters of clients.
type ClusterBank struct{ Bank }

// Clusters implements [Clustered].
func (b *ClusterBank) Clusters() [][]int {
	list := make([][]int, len(b.States))
	for i, z := range b.Of {
		if z >= 0 {
			list[z] = append(list[z], i)
		}
	}
	return list
}

// joinLowest gives newcomers the models with the lowest loss on their training data, for which they receive all.
func (b *ClusterBank) JoinLowestLoss(newcomers []*federation.Client) error {
	best, err := LowestLoss(b.Env, b.Net, b.States, newcomers, true)
	if err != nil {
		return err
	}
	for i, c := range newcomers {
		b.Of[c.ID] = best[i]
		b.Env.Ledger.Down(c, "models", len(b.States)*b.Net.Len())
	}
	return nil
}
