package algorithm

import (
	"feddag/federation"
)

// ClusterBank is a [Bank] whose models belong to clusters of clients: cluster z consists of the clients that have model z. A
// method that embeds it reports its clustering, which changes as the method changes Of and States.
type ClusterBank struct{ Bank }

// Clusters implements [federation.Clustered].
func (b *ClusterBank) Clusters() [][]int {
	list := make([][]int, len(b.States))
	for i, z := range b.Of {
		if z >= 0 {
			list[z] = append(list[z], i)
		}
	}
	return list
}

// JoinLowestLoss assigns to every newcomer the model with the lowest mean loss on its training samples. For this each newcomer
// receives all models, which JoinLowestLoss adds to the ledger.
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
