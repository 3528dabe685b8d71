package algorithm

import (
	"encoding/json"
	"fmt"

	"feddag/federation"
)

// bankMeta is the part of a bank's checkpoint that is not weights.
type bankMeta struct {
	Models int             `json:"models"`
	Of     []int           `json:"of"`               // model of each client
	Method json.RawMessage `json:"method,omitempty"` // what else the method must keep
}

// Save implements [Checkpointer].
func (b *Bank) Save() (federation.Saved, error) { return b.SaveWith(nil) }

// Load implements [Checkpointer].
func (b *Bank) Load(env *federation.Env, s federation.Saved) error { return b.LoadWith(env, s, nil) }

// save saves the bank, and beside it what the method must keep; nil for nothing.
func (b *Bank) SaveWith(method any) (federation.Saved, error) {
	meta := bankMeta{Models: len(b.States), Of: b.Of}
	if method != nil {
		raw, err := json.Marshal(method)
		if err != nil {
			return federation.Saved{}, err
		}
		meta.Method = raw
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
	return s, nil
}

// load takes up what save saved, into method what was beside it.
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
		return fmt.Errorf("models of %d clients, this run has %d", len(meta.Of), len(b.Of))
	}
	for i, z := range meta.Of {
		if z < -1 || z >= meta.Models {
			return fmt.Errorf("client %d has model %d of %d", i, z, meta.Models)
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
	return nil
}

// modelName names a bank's model in a checkpoint.
func modelName(z int) string { return fmt.Sprintf("cluster-%d", z) }
