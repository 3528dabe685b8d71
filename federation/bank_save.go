package federation

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
)

// bankMeta is the part of a bank's checkpoint that is not weights.
type bankMeta struct {
	Models int             `json:"models"`
	Of     []int           `json:"of"`               // model of each client
	Method json.RawMessage `json:"method,omitempty"` // what else the method must keep
}

// Save implements [Checkpointer].
func (b *bank) Save() (Saved, error) { return b.save(nil) }

// Load implements [Checkpointer].
func (b *bank) Load(env *Env, s Saved) error { return b.load(env, s, nil) }

// save saves the bank, and beside it what the method must keep; nil for nothing.
func (b *bank) save(method any) (Saved, error) {
	meta := bankMeta{Models: len(b.states), Of: b.of}
	if method != nil {
		raw, err := json.Marshal(method)
		if err != nil {
			return Saved{}, err
		}
		meta.Method = raw
	}
	raw, err := json.Marshal(meta)
	if err != nil {
		return Saved{}, err
	}
	s := Saved{Vectors: map[string][]float32{}, Meta: raw}
	for z, v := range b.states {
		if s.Vectors[modelName(z)], err = v.Floats(); err != nil {
			return Saved{}, err
		}
	}
	return s, nil
}

// load takes up what save saved, into method what was beside it.
func (b *bank) load(env *Env, s Saved, method any) error {
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
	if len(meta.Of) != len(b.of) {
		return fmt.Errorf("models of %d clients, this run has %d", len(meta.Of), len(b.of))
	}
	for i, z := range meta.Of {
		if z < -1 || z >= meta.Models {
			return fmt.Errorf("client %d has model %d of %d", i, z, meta.Models)
		}
	}
	b.of = meta.Of
	for z := range meta.Models {
		v, err := s.vector(env, modelName(z), b.net.Len())
		if err != nil {
			return err
		}
		b.states = append(b.states, v)
	}
	return nil
}

// keep saves a vector of one client as a blob, which only a round that changes it writes. Nil is left out.
func (s *Saved) keep(name string, x []float32) {
	if x == nil {
		return
	}
	if s.Blobs == nil {
		s.Blobs = map[string][]byte{}
	}
	data := make([]byte, 0, 4*len(x))
	for _, v := range x {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
	}
	s.Blobs[name] = data
}

// kept returns what keep saved, nil if nothing, and an error unless it is of n values.
func (s Saved) kept(name string, n int) ([]float32, error) {
	data, ok := s.Blobs[name]
	if !ok {
		return nil, nil
	}
	if len(data) != 4*n {
		return nil, fmt.Errorf("%s has %d bytes, %d values were expected", name, len(data), n)
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return x, nil
}

// modelName names a bank's model in a checkpoint.
func modelName(z int) string { return fmt.Sprintf("cluster-%d", z) }
