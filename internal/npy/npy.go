// Package npy reads and writes arrays of numbers in NumPy's .npy and .npz formats. It reads versions 1 to 3 of .npy and
// writes version 1.
//
// Every header is checked, and memory is allocated only for bytes that follow it: no input makes the package panic, or
// allocate much more than the file has. The package is our own because the libraries for Go do not do so.
// github.com/sbinet/npyio v0.6.0 panics on a header whose keys are in another order than NumPy's, on an empty shape and on
// a large one, and github.com/kshedden/gonpy panics on a large or negative shape.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"feddag/internal/damage"
)

// Array is an array of numbers, row by row.
type Array struct {
	Shape []int // empty for a single number
	// Data is a []bool, []int8, []int16, []int32, []int64, []uint8, []uint16, []uint32, []uint64, []float32 or []float64.
	Data any
}

// Read reads a .npy file of at most maxElements elements. It allocates no more than a small multiple of the bytes that can
// be read.
func Read(r io.Reader, maxElements int) (*Array, error) {
	h, err := ReadHeader(r)
	if err != nil {
		return nil, err
	}
	if h.Count > maxElements {
		return nil, fmt.Errorf("%d elements of shape %v: at most %d are expected", h.Count, h.Shape, maxElements)
	}
	raw, err := damage.Read(r, int64(h.Count)*int64(h.Size))
	if err != nil {
		return nil, fmt.Errorf("elements of type %s and shape %v: %w", h.Descr(), h.Shape, err)
	}
	return h.Decode(raw)
}

// Decode returns the array with the elements in raw. An array of []uint8 shares raw's memory.
func (h Header) Decode(raw []byte) (*Array, error) {
	if len(raw) != h.Count*h.Size {
		return nil, fmt.Errorf("%d bytes for an array of shape %v with %d bytes per element", len(raw), h.Shape, h.Size)
	}
	a := &Array{Shape: h.Shape}
	switch string(h.Kind) + string('0'+rune(h.Size)) {
	case "u1":
		a.Data = raw
		return a, nil
	case "b1":
		a.Data = make([]bool, h.Count)
	case "i1":
		a.Data = make([]int8, h.Count)
	case "i2":
		a.Data = make([]int16, h.Count)
	case "i4":
		a.Data = make([]int32, h.Count)
	case "i8":
		a.Data = make([]int64, h.Count)
	case "u2":
		a.Data = make([]uint16, h.Count)
	case "u4":
		a.Data = make([]uint32, h.Count)
	case "u8":
		a.Data = make([]uint64, h.Count)
	case "f4":
		a.Data = make([]float32, h.Count)
	case "f8":
		a.Data = make([]float64, h.Count)
	default:
		return nil, fmt.Errorf("element type %q is not read", h.Descr())
	}
	_, err := binary.Decode(raw, h.Order, a.Data)
	return a, err
}

// DecodeFloats reads len(into) elements of type float64 or float32 in the header's byte order.
func (h Header) DecodeFloats(into []float64, raw []byte) {
	if h.Size == 4 {
		for k := range into {
			into[k] = float64(math.Float32frombits(h.Order.Uint32(raw[4*k:])))
		}
		return
	}
	for k := range into {
		into[k] = math.Float64frombits(h.Order.Uint64(raw[8*k:]))
	}
}

// describe returns the element type as NumPy writes it, the size of an element in bytes and the number of elements.
func (a *Array) describe() (descr string, size, n int, err error) {
	switch data := a.Data.(type) {
	case []bool:
		return "|b1", 1, len(data), nil
	case []int8:
		return "|i1", 1, len(data), nil
	case []uint8:
		return "|u1", 1, len(data), nil
	case []int16:
		return "<i2", 2, len(data), nil
	case []uint16:
		return "<u2", 2, len(data), nil
	case []int32:
		return "<i4", 4, len(data), nil
	case []uint32:
		return "<u4", 4, len(data), nil
	case []int64:
		return "<i8", 8, len(data), nil
	case []uint64:
		return "<u8", 8, len(data), nil
	case []float32:
		return "<f4", 4, len(data), nil
	case []float64:
		return "<f8", 8, len(data), nil
	}
	return "", 0, 0, fmt.Errorf("elements of type %T cannot be written as .npy", a.Data)
}

// Len returns the number of elements, or 0 if Data has none of the types that Array lists.
func (a *Array) Len() int {
	_, _, n, _ := a.describe()
	return n
}

// Write writes a .npy file. It returns an error if the shape and the data do not agree, or if Data has none of the types
// that Array lists.
func Write(w io.Writer, a *Array) error {
	descr, _, length, err := a.describe()
	if err != nil {
		return err
	}
	count := 1
	for _, n := range a.Shape {
		if n < 0 || n > 0 && count > math.MaxInt/8/n {
			return fmt.Errorf("the shape %v is not a shape of an array", a.Shape)
		}
		count *= n
	}
	if count != length {
		return fmt.Errorf("there are %d elements, but the shape %v needs %d", length, a.Shape, count)
	}
	if err := WriteHeader(w, descr, a.Shape); err != nil {
		return err
	}
	return WriteElements(w, a.Data)
}

// WriteElements writes the elements of an array (see Array.Data), little-endian, without a header.
func WriteElements(w io.Writer, data any) error {
	switch data := data.(type) {
	case []uint8:
		_, err := w.Write(data)
		return err
	case []float64: // in parts, because binary.Write copies its argument
		for part := range slices.Chunk(data, 1<<16) {
			if err := binary.Write(w, binary.LittleEndian, part); err != nil {
				return err
			}
		}
		return nil
	}
	return binary.Write(w, binary.LittleEndian, data)
}

// WriteMatrix writes a matrix as a .npy file of float64. It has one row in memory at a time.
func WriteMatrix(w io.Writer, m mat.Matrix) error {
	rows, columns := m.Dims()
	if err := WriteHeader(w, "<f8", []int{rows, columns}); err != nil {
		return err
	}
	row := make([]float64, columns)
	for i := range rows {
		for j := range row {
			row[j] = m.At(i, j)
		}
		if err := WriteElements(w, row); err != nil {
			return err
		}
	}
	return nil
}

// Float64s returns the elements as float64, in row-major order. Whole numbers beyond 2^53 are rounded, booleans are 0 and 1.
// It shares memory with an array of float64.
func (a *Array) Float64s() []float64 {
	switch data := a.Data.(type) {
	case []float64:
		return data
	case []float32:
		return floats(data)
	case []int8:
		return floats(data)
	case []int16:
		return floats(data)
	case []int32:
		return floats(data)
	case []int64:
		return floats(data)
	case []uint8:
		return floats(data)
	case []uint16:
		return floats(data)
	case []uint32:
		return floats(data)
	case []uint64:
		return floats(data)
	case []bool:
		return floats(bits(data))
	}
	return nil
}

// Ints returns the elements as whole numbers from lo to hi, in row-major order. It returns an error if the array has
// floating-point numbers, or an element that is out of range.
func (a *Array) Ints(lo, hi int) ([]int, error) {
	switch data := a.Data.(type) {
	case []int8:
		return ints(data, lo, hi)
	case []int16:
		return ints(data, lo, hi)
	case []int32:
		return ints(data, lo, hi)
	case []int64:
		return ints(data, lo, hi)
	case []uint8:
		return ints(data, lo, hi)
	case []uint16:
		return ints(data, lo, hi)
	case []uint32:
		return ints(data, lo, hi)
	case []uint64:
		return ints(data, lo, hi)
	case []bool:
		return ints(bits(data), lo, hi)
	}
	return nil, errors.New("an array of floating-point numbers, must be whole numbers")
}

// Matrix returns the array as a matrix, which may share its data. It returns an error unless the array has two dimensions,
// at least one row and at least one column.
func (a *Array) Matrix() (*mat.Dense, error) {
	if len(a.Shape) != 2 || a.Shape[0] == 0 || a.Shape[1] == 0 {
		return nil, fmt.Errorf("the array has the shape %v, but a matrix is needed", a.Shape)
	}
	data := a.Float64s()
	if len(data) != a.Shape[0]*a.Shape[1] {
		return nil, fmt.Errorf("there are %d elements, but the shape %v needs %d", len(data), a.Shape, a.Shape[0]*a.Shape[1])
	}
	return mat.NewDense(a.Shape[0], a.Shape[1], data), nil
}

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

func ints[T integer](from []T, lo, hi int) ([]int, error) {
	to := make([]int, len(from))
	for i, x := range from {
		v := int(x)
		if v < lo || v > hi || (x < 0) != (v < 0) { // the last condition holds for a uint64 above the largest int
			return nil, fmt.Errorf("element %d is %d, must be %d to %d", i, x, lo, hi)
		}
		to[i] = v
	}
	return to, nil
}

func floats[T integer | float32](from []T) []float64 {
	to := make([]float64, len(from))
	for i, x := range from {
		to[i] = float64(x)
	}
	return to
}

func bits(from []bool) []uint8 {
	to := make([]uint8, len(from))
	for i, x := range from {
		if x {
			to[i] = 1
		}
	}
	return to
}
