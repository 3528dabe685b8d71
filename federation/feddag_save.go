package federation

import (
	"encoding/json"
	"fmt"

	"feddag/torch"
)

// feddagMeta is the part of a checkpoint that is not weights.
type feddagMeta struct {
	Clusters [][]int `json:"clusters"`
	Graph    [][]int `json:"graph"`
}

// Save implements [Checkpointer].
func (a *FedDAG) Save() (Saved, error) {
	meta, err := json.Marshal(feddagMeta{a.clusters, a.graph})
	if err != nil {
		return Saved{}, err
	}
	s := Saved{Vectors: map[string][]float32{}, Meta: meta}
	for _, m := range a.Models() {
		if s.Vectors[m.Name], err = m.State.Floats(); err != nil {
			return Saved{}, err
		}
	}
	return s, nil
}

// Load implements [Checkpointer].
func (a *FedDAG) Load(env *Env, s Saved) error {
	a.env = env
	var meta feddagMeta
	if err := json.Unmarshal(s.Meta, &meta); err != nil {
		return err
	}
	if err := a.assign(len(env.Clients), meta.Clusters, meta.Graph); err != nil {
		return err
	}
	var err error
	if a.net, err = env.Net(a.dual()); err != nil {
		return err
	}
	for z := range meta.Clusters {
		v, err := s.vector(env, fmt.Sprintf("cluster-%d", z), a.net.Len())
		if err != nil {
			return err
		}
		a.states = append(a.states, v)
	}
	return nil
}

// vector puts a saved vector of n values on the device.
func (s Saved) vector(env *Env, name string, n int) (*torch.Vector, error) {
	x, ok := s.Vectors[name]
	if !ok {
		return nil, fmt.Errorf("no %s", name)
	}
	if len(x) != n {
		return nil, fmt.Errorf("%s has %d weights, this model has %d", name, len(x), n)
	}
	return torch.VectorOf(env.Device, x)
}
