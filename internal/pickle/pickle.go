// Package pickle reads the part of Python's pickle format that holds data: numbers, strings, lists, tuples, dictionaries
// whose keys are strings or whole numbers, and NumPy's arrays and numbers, in protocols 0 to 5, as Python 2 and Python 3
// write them. CIFAR's "python version" is published in this format, and other programs for federated learning use it to store
// the images of each client.
//
// A pickle is a program that builds Python objects. Read only runs operations that build data and calls no Python code: any
// other class or function is an error. No input makes it panic, or allocate more than a small multiple of its size.
//
// The reader is our own because github.com/nlpodyssey/gopickle v0.2.0, the only one for Go, panics on a length beyond the
// end of the input (a frame, a BINBYTES8) and does not build NumPy arrays.
package pickle

import (
	"fmt"

	"feddag/internal/npy"
)

// These are the types that Read returns besides nil, bool, int64, float64 and *npy.Array. An array of objects has its
// elements as a *List in its Data, which the methods of npy.Array do not read.
type (
	// Text is a str or bytes. It may share memory with the input; do not modify it.
	Text []byte
	// List is a list or a tuple.
	List struct{ Items []any }
	// Dict is a dictionary. Keys that are whole numbers are written in decimal.
	Dict struct{ Items map[string]any }
)

// These are also on the stack of the machine, besides the values that Read may return.
type (
	function string   // a class or function that is to be called, a value of functions
	mark     struct{} // is below the items of a list, tuple or dictionary on the stack
)

// dtype is a numpy.dtype on the stack: the type of the numbers that h describes, or of objects.
type dtype struct {
	h       npy.Header
	objects bool
}

// Read returns the object that a pickle builds.
func Read(b []byte) (any, error) {
	m := machine{in: b, memo: map[int]any{}}
	for {
		done, err := m.step()
		var object any
		if err == nil && done {
			object, err = m.pop()
		}
		if err != nil {
			return nil, fmt.Errorf("pickle, byte %d: %w", m.at, err)
		}
		if done {
			return object, nil
		}
	}
}
