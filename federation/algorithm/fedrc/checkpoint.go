package fedrc

import (
	"fmt"

	"feddag/federation"
)

// checkpoint is the part of a checkpoint that is not weights.
type checkpoint struct {
	Omega [][]float64
	Mass  [][][]float64
}

// Save implements [Checkpointer].
func (a *FedRC) Save() (federation.Saved, error) { return a.SaveWith(checkpoint{a.omega, a.mass}) }

// Load implements [Checkpointer].
func (a *FedRC) Load(env *federation.Env, s federation.Saved) error {
	var meta checkpoint
	if err := a.LoadWith(env, s, &meta); err != nil {
		return err
	}
	if len(meta.Omega) != len(env.Clients) || len(meta.Mass) != len(env.Clients) || len(a.States) != a.K {
		return fmt.Errorf("%d models and weights of %d clients, this run has %d and %d", len(a.States), len(meta.Omega), a.K, len(env.Clients))
	}
	for i, omega := range meta.Omega {
		if a.Of[i] >= 0 && len(omega) != a.K {
			return fmt.Errorf("client %d has weights for %d models, this run has %d", i, len(omega), a.K)
		}
	}
	a.omega, a.mass = meta.Omega, meta.Mass
	return nil
}
