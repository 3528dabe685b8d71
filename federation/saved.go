package federation

import (
	"encoding/binary"
	"fmt"
	"math"

	"feddag/torch"
)

// Checkpointer is implemented by an algorithm whose runs can be resumed.
type Checkpointer interface {
	// Save returns all that Round and Model depend on.
	Save() (Saved, error)
	// Load restores what Save returned. A resumed run calls it in place of Init.
	Load(env *Env, s Saved) error
}

// Saved is an algorithm's part of a checkpoint.
type Saved struct {
	Vectors map[string][]float32
	Meta    []byte            // JSON
	Blobs   map[string][]byte // large, and seldom another than in the last checkpoint
}

// vector puts a saved vector of n values on the device.
func (s Saved) Vector(env *Env, name string, n int) (*torch.Vector, error) {
	x, ok := s.Vectors[name]
	if !ok {
		return nil, fmt.Errorf("no %s", name)
	}
	if len(x) != n {
		return nil, fmt.Errorf("%s has %d weights, this model has %d", name, len(x), n)
	}
	return torch.VectorOf(env.Device, x)
}

// keep saves a vector of one client as a blob, which only a round that changes it writes. Nil is left out.
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

// kept returns what keep saved, nil if nothing, and an error unless it is of n values.
func (s Saved) Blob(name string, n int) ([]float32, error) {
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
