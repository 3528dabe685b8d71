package federation

import (
	"fmt"
	"slices"
)

// Save implements [Checkpointer].
func (a *FedGWC) Save() (Saved, error) { return a.save(a.weights) }

// Load implements [Checkpointer].
func (a *FedGWC) Load(env *Env, s Saved) error {
	if err := a.load(env, s, &a.weights); err != nil {
		return err
	}
	if len(a.weights) != len(a.states) {
		return fmt.Errorf("matrices of %d clusters for %d models", len(a.weights), len(a.states))
	}
	return nil
}

// Leave implements [Leaver].
func (a *FedGWC) Leave(env *Env, t int, clients []*Client) error {
	for _, c := range clients {
		g := a.weights[a.of[c.ID]]
		place := slices.Index(g.Members, c.ID)
		g.Members = slices.Delete(slices.Clone(g.Members), place, place+1)
		g.W = slices.Delete(slices.Clone(g.W), place, place+1)
		for i, row := range g.W {
			g.W[i] = slices.Delete(slices.Clone(row), place, place+1)
		}
	}
	return a.clusters.Leave(env, t, clients)
}

// Join implements [Newcomer]: the model with the lowest loss on the newcomer's training data, and entries of W as at the
// start. The authors do not say.
func (a *FedGWC) Join(_ *Env, _ int, newcomers []*Client) error {
	if err := a.joinLowest(newcomers); err != nil {
		return err
	}
	for _, c := range byID(newcomers) {
		g := a.weights[a.of[c.ID]]
		place, _ := slices.BinarySearch(g.Members, c.ID)
		n := len(g.Members) + 1
		first := 1 / float64(n*n)
		g.Members = slices.Insert(slices.Clone(g.Members), place, c.ID)
		for i, row := range g.W {
			g.W[i] = slices.Insert(slices.Clone(row), place, first)
		}
		g.W = slices.Insert(g.W, place, slices.Repeat([]float64{first}, n))
	}
	return nil
}
