package algorithm

import (
	"encoding/json"
	"fmt"

	"feddag/federation"
	"feddag/torch"
)

// bankMeta is the part of a bank's checkpoint that is not a vector.
type bankMeta struct {
	Models int             `json:"models"`
	Of     []int           `json:"of"`               // index of each client's model, -1 for no model
	Server []int           `json:"server,omitempty"` // indices of the models that have a state of the server's optimiser
	Method json.RawMessage `json:"method,omitempty"` // the method's own values
}

// Save implements [federation.Checkpointer] for a method whose only state is its bank.
func (b *Bank) Save() (federation.Saved, error) { return b.SaveWith(nil) }

// Load implements [federation.Checkpointer] for a method whose only state is its bank.
func (b *Bank) Load(env *federation.Env, s federation.Saved) error { return b.LoadWith(env, s, nil) }

// SaveWith saves the bank together with a value of the method that encoding/json can encode, or nil. The method may add
// vectors of its own to the result, under names that do not begin with "cluster-" or "server-".
func (b *Bank) SaveWith(method any) (federation.Saved, error) {
	meta := bankMeta{Models: len(b.States), Of: b.Of}
	if method != nil {
		raw, err := json.Marshal(method)
		if err != nil {
			return federation.Saved{}, err
		}
		meta.Method = raw
	}
	for z, v := range b.States {
		if b.server[v] != nil {
			meta.Server = append(meta.Server, z)
		}
	}
	raw, err := json.Marshal(meta)
	if err != nil {
		return federation.Saved{}, err
	}
	s := federation.Saved{Vectors: map[string][]float32{}, Meta: raw}
	for z, v := range b.States {
		if s.Vectors[modelName(z)], err = v.Floats(); err != nil {
			return federation.Saved{}, err
		}
	}
	for _, z := range meta.Server {
		b.server[b.States[z]].Save(&s, z)
	}
	return s, nil
}

// LoadWith restores what [Bank.SaveWith] saved, and decodes the method's value into the pointer method, unless it is nil. It
// returns an error if the checkpoint does not fit the run.
func (b *Bank) LoadWith(env *federation.Env, s federation.Saved, method any) error {
	if err := b.build(env); err != nil {
		return err
	}
	var meta bankMeta
	if err := json.Unmarshal(s.Meta, &meta); err != nil {
		return err
	}
	if method != nil {
		if err := json.Unmarshal(meta.Method, method); err != nil {
			return err
		}
	}
	if len(meta.Of) != len(b.Of) {
		return fmt.Errorf("the checkpoint assigns models to %d clients, but this run has %d clients", len(meta.Of), len(b.Of))
	}
	for i, z := range meta.Of {
		if z < -1 || z >= meta.Models {
			return fmt.Errorf("the checkpoint assigns client %d to model %d, but it has only %d models", i, z, meta.Models)
		}
	}
	for _, c := range env.Present() {
		if meta.Of[c.ID] < 0 {
			return fmt.Errorf("the checkpoint assigns no model to client %d, which is present", c.ID)
		}
	}
	b.Of = meta.Of
	for z := range meta.Models {
		v, err := s.Vector(env, modelName(z), b.Net.Len())
		if err != nil {
			return err
		}
		b.States = append(b.States, v)
	}
	b.server = map[*torch.Vector]*ServerState{}
	for _, z := range meta.Server {
		if z < 0 || z >= len(b.States) {
			return fmt.Errorf("the checkpoint has a state of the server's optimiser for model %d, but only %d models", z, len(b.States))
		}
		var err error
		if b.server[b.States[z]], err = LoadServerState(env.Server, s, z, b.Net.Len()); err != nil {
			return err
		}
	}
	return nil
}

// modelName returns the name of model z in a checkpoint.
func modelName(z int) string { return fmt.Sprintf("cluster-%d", z) }
