package fedsoft

import (
	"fmt"

	"feddag/federation"
)

// checkpoint holds the part of a checkpoint that is not a vector.
type checkpoint struct{ U [][]float64 }

// Save implements [federation.Checkpointer].
func (a *FedSoft) Save() (federation.Saved, error) {
	s, err := a.SaveWith(checkpoint{a.u})
	if err != nil {
		return s, err
	}
	for i, x := range a.own {
		s.PutBlob(fmt.Sprintf("own-%d", i), x)
	}
	return s, nil
}

// Load implements [federation.Checkpointer].
func (a *FedSoft) Load(env *federation.Env, s federation.Saved) error {
	var meta checkpoint
	if err := a.LoadWith(env, s, &meta); err != nil {
		return err
	}
	if len(meta.U) != len(env.Clients) {
		return fmt.Errorf("the checkpoint has weights of %d clients, but this run has %d clients", len(meta.U), len(env.Clients))
	}
	for i, u := range meta.U {
		if a.Of[i] >= 0 && len(u) != a.K {
			return fmt.Errorf("the checkpoint has weights of client %d for %d centres, but this run has %d centres", i, len(u), a.K)
		}
	}
	a.u, a.own = meta.U, make([][]float32, len(env.Clients))
	for i := range a.own {
		var err error
		if a.own[i], err = s.Blob(fmt.Sprintf("own-%d", i), a.Net.Len()); err != nil {
			return err
		}
	}
	return nil
}
