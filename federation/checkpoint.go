package federation

import (
	"encoding/binary"
	"fmt"
	"math"

	"feddag/torch"
)

// Checkpointer is implemented by an algorithm whose runs can be resumed.
type Checkpointer interface {
	// Save returns all state on which Round and Model depend.
	Save() (Saved, error)
	// Load restores the state that Save returned. A resumed run calls it in place of Init.
	Load(env *Env, s Saved) error
}

// Saved is the part of a checkpoint that belongs to the algorithm.
type Saved struct {
	Vectors map[string][]float32 // by name; written with every checkpoint
	Meta    []byte               // JSON
	Blobs   map[string][]byte    // by name; large data that seldom change; written only when they have changed
}

// Vector copies a saved vector to the device. It returns an error if there is no vector with that name, or if it does not
// have n values.
func (s Saved) Vector(env *Env, name string, n int) (*torch.Vector, error) {
	x, ok := s.Vectors[name]
	if !ok {
		return nil, fmt.Errorf("no %s", name)
	}
	if len(x) != n {
		return nil, fmt.Errorf("%s has %d weights, but this model has %d", name, len(x), n)
	}
	return torch.VectorOf(env.Device, x)
}

// PutBlob saves a vector as a blob of little-endian float32 values. It suits a vector of one client, which is written only after
// the rounds that change it. A nil vector is left out.
func (s *Saved) PutBlob(name string, x []float32) {
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

// Blob returns the vector that PutBlob saved under a name, or nil if there is none. It returns an error if the vector does
// not have n values.
func (s Saved) Blob(name string, n int) ([]float32, error) {
	data, ok := s.Blobs[name]
	if !ok {
		return nil, nil
	}
	if len(data) != 4*n {
		return nil, fmt.Errorf("%s has %d bytes, but %d values were expected", name, len(data), n)
	}
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return x, nil
}
