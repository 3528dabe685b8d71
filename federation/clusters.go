package federation

import (
	"fmt"
	"slices"
)

// clusters is a bank whose models are clusters of clients.
type clusters struct{ bank }

// Clusters implements [Clustered].
func (b *clusters) Clusters() [][]int {
	list := make([][]int, len(b.states))
	for i, z := range b.of {
		if z >= 0 {
			list[z] = append(list[z], i)
		}
	}
	return list
}

// joinLowest gives newcomers the models with the lowest loss on their training data, for which they receive all.
func (b *clusters) joinLowest(newcomers []*Client) error {
	best, err := lowestLoss(b.env, b.net, b.states, newcomers, true)
	if err != nil {
		return err
	}
	for i, c := range newcomers {
		b.of[c.ID] = best[i]
		b.env.Ledger.Down(c, "models", len(b.states)*b.net.Len())
	}
	return nil
}

// alike weighs all clients the same.
func alike(clients []*Client) []float64 { return slices.Repeat([]float64{1}, len(clients)) }

// checkCount warns where K models are more than there are clients, and returns an error where there is none.
func checkCount(env *Env, flag string, k int) error {
	if k < 1 {
		return fmt.Errorf("--%s is %d: use 1 or more", flag, k)
	}
	if n := len(env.Present()); k > n {
		return fmt.Errorf("--%s is %d, there are %d clients: use at most as many", flag, k, n)
	}
	if k == 1 {
		env.warn("--%s is 1: one model for all clients", flag)
	}
	if k > env.Data.Classes {
		env.warn("--%s is %d, more than the %d classes", flag, k, env.Data.Classes)
	}
	return nil
}
