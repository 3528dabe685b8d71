package torch

import "slices"

// Vectors are vectors that belong together and are freed together. An entry may be nil.
type Vectors []*Vector

// Clone copies the vectors; a nil entry stays nil. On an error nothing is left allocated.
func (v Vectors) Clone() (Vectors, error) {
	c := make(Vectors, len(v))
	for i, x := range v {
		if x == nil {
			continue
		}
		var err error
		if c[i], err = x.Clone(); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// Close frees the vectors. It may be called more than once.
func (v Vectors) Close() {
	for _, x := range v {
		if x != nil {
			x.Close()
		}
	}
}

// Without returns the vectors that are not among others.
func (v Vectors) Without(others Vectors) Vectors {
	among := make(map[*Vector]bool, len(others))
	for _, x := range others {
		among[x] = true
	}
	return slices.DeleteFunc(slices.Clone(v), func(x *Vector) bool { return among[x] })
}
