package torch

// #include "shim/fd.h"
import "C"

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"unsafe"
)

// Range is a half-open range of a vector, [Begin, End).
type Range struct{ Begin, End int }

// Len returns the number of values in the range.
func (r Range) Len() int { return r.End - r.Begin }

// Intersect returns the range of the values that are in both ranges. It is empty if there are none.
func (r Range) Intersect(s Range) Range {
	begin := max(r.Begin, s.Begin)
	return Range{begin, max(begin, min(r.End, s.End))}
}

// Vector is a flat float32 vector on a device. Close it when it is no longer needed; a finalizer closes forgotten vectors.
type Vector struct {
	handle *C.fd_vector
	n      int
	device Device
}

// NewVector returns n zeros on a device.
func NewVector(device Device, n int) (*Vector, error) {
	v := &Vector{n: n, device: device}
	err := device.call(func(name *C.char) *C.char { return C.fd_vector_new(name, C.int64_t(n), &v.handle) })
	if err != nil {
		return nil, fmt.Errorf("making a vector of %d on %v: %w", n, device, err)
	}
	runtime.SetFinalizer(v, (*Vector).Close)
	return v, nil
}

// VectorOf returns a copy of x on a device.
func VectorOf(device Device, x []float32) (*Vector, error) {
	v, err := NewVector(device, len(x))
	if err != nil {
		return nil, err
	}
	if err := v.Set(x); err != nil {
		v.Close()
		return nil, err
	}
	return v, nil
}

// Close frees the vector's memory. It may be called again.
func (v *Vector) Close() {
	if v == nil || v.handle == nil {
		return
	}
	C.fd_vector_close(v.handle)
	v.handle = nil
	runtime.SetFinalizer(v, nil)
}

// Len returns the number of values.
func (v *Vector) Len() int { return v.n }

// Range returns the range of the whole vector.
func (v *Vector) Range() Range { return Range{0, v.n} }

// Device returns the device of the vector.
func (v *Vector) Device() Device { return v.device }

// Floats returns a copy of the values on the host.
func (v *Vector) Floats() ([]float32, error) {
	x := make([]float32, v.n)
	err := failure(C.fd_vector_get(v.handle, (*C.float)(first(x)), C.int64_t(v.n)))
	runtime.KeepAlive(v)
	if err != nil {
		return nil, fmt.Errorf("reading a vector: %w", err)
	}
	return x, nil
}

// Fingerprint is a 128-bit hash of the values of a vector. Within one process, equal vectors have equal fingerprints, and
// different vectors in practice have different ones.
type Fingerprint [2]uint64

var fingerprintSeeds = [2]C.uint64_t{C.uint64_t(rand.Uint64()), C.uint64_t(rand.Uint64())}

// Fingerprint hashes the values on the vector's device.
func (v *Vector) Fingerprint() (f Fingerprint, err error) {
	var hash [2]C.uint64_t
	err = failure(C.fd_vector_hash(v.handle, &fingerprintSeeds[0], &hash[0]))
	runtime.KeepAlive(v)
	if err != nil {
		return f, fmt.Errorf("hashing a vector: %w", err)
	}
	return Fingerprint{uint64(hash[0]), uint64(hash[1])}, nil
}

// Set copies x, which has v.Len() values, into the vector.
func (v *Vector) Set(x []float32) error {
	err := failure(C.fd_vector_set(v.handle, (*C.float)(first(x)), C.int64_t(len(x))))
	runtime.KeepAlive(v)
	if err != nil {
		return fmt.Errorf("writing a vector: %w", err)
	}
	return nil
}

// Clone returns a copy on the same device.
func (v *Vector) Clone() (*Vector, error) {
	c, err := NewVector(v.device, v.n)
	if err != nil {
		return nil, err
	}
	if err := c.Copy(c.Range(), v, v.Range()); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Copy sets v[dst] = src[from]; both ranges have the same length.
func (v *Vector) Copy(dst Range, src *Vector, from Range) error {
	if dst.Len() != from.Len() {
		return fmt.Errorf("copying a vector: %d values into a range of %d", from.Len(), dst.Len())
	}
	err := failure(C.fd_vector_copy(v.handle, C.int64_t(dst.Begin), src.handle, C.int64_t(from.Begin), C.int64_t(dst.Len())))
	runtime.KeepAlive(v)
	runtime.KeepAlive(src)
	if err != nil {
		return fmt.Errorf("copying a vector: %w", err)
	}
	return nil
}

// AddScaled sets v[r] += a x[r].
func (v *Vector) AddScaled(a float64, x *Vector, r Range) error {
	err := failure(C.fd_vector_axpy(v.handle, C.double(a), x.handle, C.int64_t(r.Begin), C.int64_t(r.End)))
	runtime.KeepAlive(v)
	runtime.KeepAlive(x)
	if err != nil {
		return fmt.Errorf("adding vectors: %w", err)
	}
	return nil
}

// SetMean sets v[r] = Σ_i w_i x_i[r] / Σ_i w_i, added in float64 in the order of xs. Every weighted average of the program
// is computed here. Callers pass clients in ascending id, so that the sum does not depend on scheduling. v may be among xs.
func (v *Vector) SetMean(xs []*Vector, weights []float64, r Range) error {
	if len(xs) != len(weights) {
		return fmt.Errorf("averaging %d vectors with %d weights", len(xs), len(weights))
	}
	handles := make([]*C.fd_vector, len(xs))
	for i, x := range xs {
		handles[i] = x.handle
	}
	err := failure(C.fd_vector_mean(v.handle, (**C.fd_vector)(unsafe.Pointer(first(handles))), (*C.double)(first(weights)),
		C.int64_t(len(xs)), C.int64_t(r.Begin), C.int64_t(r.End)))
	runtime.KeepAlive(v)
	runtime.KeepAlive(xs)
	if err != nil {
		return fmt.Errorf("averaging %d vectors: %w", len(xs), err)
	}
	return nil
}

// Gather returns the values with the given indices.
func (v *Vector) Gather(index []int64) ([]float32, error) {
	x, err := v.Floats()
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(index))
	for i, k := range index {
		if k < 0 || k >= int64(v.n) {
			return nil, fmt.Errorf("gathering from a vector of %d values: index %d is out of range", v.n, k)
		}
		out[i] = x[k]
	}
	return out, nil
}
