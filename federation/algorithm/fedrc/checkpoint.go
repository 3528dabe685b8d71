package fedrc

import (
	"fmt"
	"slices"

	"feddag/federation"
)

// checkpoint holds the part of a checkpoint that is not a vector.
type checkpoint struct {
	Omega [][]float64
	Mass  [][][]float64
}

// Save implements [federation.Checkpointer].
func (a *FedRC) Save() (federation.Saved, error) { return a.SaveWith(checkpoint{a.omega, a.mass}) }

// Load implements [federation.Checkpointer].
func (a *FedRC) Load(env *federation.Env, s federation.Saved) error {
	var meta checkpoint
	if err := a.LoadWith(env, s, &meta); err != nil {
		return err
	}
	if len(meta.Omega) != len(env.Clients) || len(meta.Mass) != len(env.Clients) || len(a.States) != a.K {
		return fmt.Errorf("the checkpoint has %d models and weights of %d clients, but this run has %d models and %d clients", len(a.States), len(meta.Omega), a.K, len(env.Clients))
	}
	for i, omega := range meta.Omega {
		if a.Of[i] >= 0 && len(omega) != a.K {
			return fmt.Errorf("the checkpoint has weights of client %d for %d models, but this run has %d models", i, len(omega), a.K)
		}
		mass := meta.Mass[i]
		if mass == nil { // the client has never trained
			continue
		}
		if len(mass) != a.K || slices.ContainsFunc(mass, func(m []float64) bool { return len(m) != env.Data.Classes }) {
			return fmt.Errorf("the checkpoint's masses of client %d do not have %d models and %d classes", i, a.K, env.Data.Classes)
		}
	}
	a.omega, a.mass = meta.Omega, meta.Mass
	return nil
}
