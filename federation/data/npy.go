package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"feddag/internal/npy"
)

// npyArray is an array of NumPy's .npy format.
type npyArray struct {
	kind  byte // 'u', 'i', 'b' (bool) or 'f'
	size  int  // bytes an element
	order binary.ByteOrder
	shape []int
	raw   []byte // elements in C order
}

// len returns the number of elements.
func (a *npyArray) len() int { return len(a.raw) / a.size }

// readNPY reads an array of at most maxBytes bytes in NumPy's .npy format: whole numbers, booleans and floats of either
// byte order. A header is believed only as far as bytes follow it.
func readNPY(r io.Reader, maxBytes int64) (*npyArray, error) {
	a, err := readNPYHead(r)
	if err != nil {
		return nil, err
	}
	count := int64(1)
	for _, d := range a.shape {
		count *= int64(d) // npy.Header.Count says that it fits
	}
	if count > maxBytes/int64(a.size) {
		return nil, fmt.Errorf("an array of shape %v, more than the %d bytes this program reads", a.shape, maxBytes)
	}
	if a.raw, err = readGrowing(r, count*int64(a.size)); err != nil {
		return nil, err
	}
	return a, nil
}

// readNPYHead reads what stands before the elements: an array without them.
func readNPYHead(r io.Reader) (*npyArray, error) {
	h, err := npy.ReadHeader(r)
	if err != nil {
		return nil, err
	}
	return &npyArray{kind: h.Kind, size: h.Size, order: h.Order, shape: h.Shape}, nil
}

// readGrowing reads n bytes, allocating no more than about twice what there is.
func readGrowing(r io.Reader, n int64) ([]byte, error) {
	b := make([]byte, 0, min(n, 1<<20))
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(n, 2*int64(cap(b))))
			copy(grown, b)
			b = grown
		}
		k, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+k]
		if err != nil {
			if err == io.EOF || err == io.ErrUnexpectedEOF {
				return nil, fmt.Errorf("truncated: %d of %d bytes are there; fetch it again", len(b), n)
			}
			return nil, damaged(err)
		}
	}
	return b, nil
}

// ints returns the elements as whole numbers from lo to hi, or an error if one is not.
func (a *npyArray) ints(lo, hi int64) ([]int64, error) {
	out := make([]int64, a.len())
	for i := range out {
		b := a.raw[i*a.size:]
		var v int64
		switch {
		case a.kind == 'f':
			return nil, errors.New("an array of floats, must be whole numbers")
		case a.size == 1 && a.kind == 'i':
			v = int64(int8(b[0]))
		case a.size == 1:
			v = int64(b[0])
		case a.size == 2 && a.kind == 'i':
			v = int64(int16(a.order.Uint16(b)))
		case a.size == 2:
			v = int64(a.order.Uint16(b))
		case a.size == 4 && a.kind == 'i':
			v = int64(int32(a.order.Uint32(b)))
		case a.size == 4:
			v = int64(a.order.Uint32(b))
		default:
			u := a.order.Uint64(b)
			if a.kind == 'u' && u > math.MaxInt64 {
				return nil, fmt.Errorf("element %d is %d, must be %d to %d", i, u, lo, hi)
			}
			v = int64(u)
		}
		if v < lo || v > hi {
			return nil, fmt.Errorf("element %d is %d, must be %d to %d", i, v, lo, hi)
		}
		out[i] = v
	}
	return out, nil
}

// writeNPY writes an array of the type (such as "<i4") and shape, whose elements raw holds in C order, in .npy
// version 1.
func writeNPY(w io.Writer, descr string, shape []int, raw []byte) error {
	if err := npy.WriteHeader(w, descr, shape); err != nil {
		return err
	}
	_, err := w.Write(raw)
	return err
}
