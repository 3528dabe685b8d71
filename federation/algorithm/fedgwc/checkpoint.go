package fedgwc

import (
	"fmt"
	"slices"

	"feddag/federation"
)

// Save implements [federation.Checkpointer].
func (a *FedGWC) Save() (federation.Saved, error) { return a.SaveWith(a.interactions) }

// Load implements [federation.Checkpointer].
func (a *FedGWC) Load(env *federation.Env, s federation.Saved) error {
	if err := a.LoadWith(env, s, &a.interactions); err != nil {
		return err
	}
	if len(a.interactions) != len(a.States) {
		return fmt.Errorf("the checkpoint has matrices for %d clusters, but %d models", len(a.interactions), len(a.States))
	}
	for z, g := range a.interactions {
		if g == nil || len(g.W) != len(g.Members) {
			return fmt.Errorf("the checkpoint has no interactions of cluster %d, or they do not match its members", z)
		}
		for k, i := range g.Members {
			if i < 0 || i >= len(a.Of) || k > 0 && i <= g.Members[k-1] || len(g.W[k]) != len(g.Members) {
				return fmt.Errorf("the checkpoint's interactions of cluster %d and client %d do not have %d members", z, i, len(g.Members))
			}
		}
	}
	for _, c := range env.Present() {
		if !slices.Contains(a.interactions[a.Of[c.ID]].Members, c.ID) {
			return fmt.Errorf("the checkpoint has client %d in cluster %d, but that cluster has no interactions of the client", c.ID, a.Of[c.ID])
		}
	}
	if env.Scenario == nil && len(a.States) == 1 { // the resumed run may have more rounds
		a.warnOfNoSplit(env)
	}
	return nil
}
