package algorithm

import (
	"fmt"
	"slices"

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

// alike weighs all clients the same.
func EqualWeights(clients []*federation.Client) []float64 {
	return slices.Repeat([]float64{1}, len(clients))
}

// checkCount warns where K models are more than there are clients, and returns an error where there is none.
func CheckCount(env *federation.Env, flag string, k int) error {
	if k < 1 {
		return fmt.Errorf("--%s is %d: use 1 or more", flag, k)
	}
	if n := len(env.Present()); k > n {
		return fmt.Errorf("--%s is %d, there are %d clients: use at most as many", flag, k, n)
	}
	if k == 1 {
		env.Warn("--%s is 1: one model for all clients", flag)
	}
	if k > env.Data.Classes {
		env.Warn("--%s is %d, more than the %d classes", flag, k, env.Data.Classes)
	}
	return nil
}
