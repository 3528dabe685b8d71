package similarity

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"

	"feddag/internal/npy"
)

// Array is an array as NumPy's .npy files hold it, row by row.
type Array struct {
	Shape []int // empty for a single number
	Data  any   // []float64, []float32, []int64, []int32 or []uint8
}

// npyTypes are the element types read and written: the header's name and the size in bytes.
var npyTypes = map[string]int{"<f8": 8, "<f4": 4, "<i8": 8, "<i4": 4, "|u1": 1}

// ReadNPY reads a .npy file (versions 1 to 3) of float64, float32, int64, int32 or uint8, little-endian, row by row.
// Any other content is an error; memory use is bounded by the bytes that are there, whatever the header claims.
func ReadNPY(r io.Reader) (*Array, error) {
	h, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	var data bytes.Buffer // grows with what is read
	need := int64(h.Count) * int64(h.Size)
	n, err := io.CopyN(&data, r, need)
	if err != nil {
		return nil, fmt.Errorf("npy: %d bytes of data, the shape %v of %s needs %d", n, h.Shape, h.Descr(), need)
	}
	return &Array{Shape: h.Shape, Data: decodeNPY(h.Descr(), data.Bytes())}, nil
}

// readNPYHeader reads what stands before a .npy file's data, of one of npyTypes.
func readNPYHeader(r io.Reader) (npy.Header, error) {
	h, err := npy.ReadHeader(r)
	if err != nil {
		return h, fmt.Errorf("npy: %w", err)
	}
	if npyTypes[h.Descr()] == 0 {
		return h, fmt.Errorf("npy: element type %q is not read: save as float64, float32, int64, int32 or uint8, little-endian", h.Descr())
	}
	return h, nil
}

// decodeNPY returns the elements of one of npyTypes.
func decodeNPY(descr string, data []byte) any {
	var elements any
	count := len(data) / npyTypes[descr]
	switch descr {
	case "<f8":
		elements = make([]float64, count)
	case "<f4":
		elements = make([]float32, count)
	case "<i8":
		elements = make([]int64, count)
	case "<i4":
		elements = make([]int32, count)
	case "|u1":
		elements = make([]uint8, count)
	}
	_, _ = binary.Decode(data, binary.LittleEndian, elements) // as long as what it is read from
	return elements
}

// decodeFloats reads so many elements of type <f8 or <f4.
func decodeFloats(into []float64, descr string, data []byte) {
	if descr == "<f4" {
		for k := range into {
			into[k] = float64(math.Float32frombits(binary.LittleEndian.Uint32(data[4*k:])))
		}
		return
	}
	for k := range into {
		into[k] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*k:]))
	}
}

// WriteNPY writes a .npy file, version 1.0. It is an error where the shape and the data do not agree, or Data is of
// another type than Array lists.
func WriteNPY(w io.Writer, a *Array) error {
	var descr string
	var length int
	switch data := a.Data.(type) {
	case []float64:
		descr, length = "<f8", len(data)
	case []float32:
		descr, length = "<f4", len(data)
	case []int64:
		descr, length = "<i8", len(data)
	case []int32:
		descr, length = "<i4", len(data)
	case []uint8:
		descr, length = "|u1", len(data)
	default:
		return fmt.Errorf("npy: elements of type %T cannot be written", a.Data)
	}
	count := 1
	for _, n := range a.Shape {
		if n < 0 || n > 0 && count > math.MaxInt/8/n {
			return fmt.Errorf("npy: the shape %v is no shape", a.Shape)
		}
		count *= n
	}
	if count != length {
		return fmt.Errorf("npy: %d elements, the shape %v needs %d", length, a.Shape, count)
	}
	if err := npy.WriteHeader(w, descr, a.Shape); err != nil {
		return fmt.Errorf("npy: %w", err)
	}
	return writeNPYData(w, a.Data)
}

func writeNPYData(w io.Writer, data any) error {
	floats, ok := data.([]float64)
	if !ok {
		return binary.Write(w, binary.LittleEndian, data)
	}
	for part := range slices.Chunk(floats, 1<<16) { // binary.Write copies what it is given
		if err := binary.Write(w, binary.LittleEndian, part); err != nil {
			return err
		}
	}
	return nil
}

// WriteMatrixNPY writes a matrix of N rows as a .npy file of float64, a row in memory at a time.
func WriteMatrixNPY(w io.Writer, m mat.Matrix) error {
	rows, columns := m.Dims()
	if err := npy.WriteHeader(w, "<f8", []int{rows, columns}); err != nil {
		return err
	}
	row := make([]float64, columns)
	for i := range rows {
		for j := range row {
			row[j] = m.At(i, j)
		}
		if err := writeNPYData(w, row); err != nil {
			return err
		}
	}
	return nil
}

// Float64s returns the elements as float64, rows first; int64 beyond 2^53 are rounded.
func (a *Array) Float64s() []float64 {
	switch data := a.Data.(type) {
	case []float64:
		return data
	case []float32:
		return converted[float64](data)
	case []int64:
		return converted[float64](data)
	case []int32:
		return converted[float64](data)
	case []uint8:
		return converted[float64](data)
	}
	return nil
}

// Ints returns the elements as int. Floating-point arrays are an error.
func (a *Array) Ints() ([]int, error) {
	switch data := a.Data.(type) {
	case []int64:
		return converted[int](data), nil
	case []int32:
		return converted[int](data), nil
	case []uint8:
		return converted[int](data), nil
	}
	return nil, fmt.Errorf("npy: elements of type %T where whole numbers are needed", a.Data)
}

func converted[To float64 | int, From float32 | int64 | int32 | uint8](from []From) []To {
	to := make([]To, len(from))
	for k, x := range from {
		to[k] = To(x)
	}
	return to
}

// Matrix returns the array as a matrix, which may share its data. It is an error where it has not two dimensions, or
// none of a row or column.
func (a *Array) Matrix() (*mat.Dense, error) {
	if len(a.Shape) != 2 || a.Shape[0] == 0 || a.Shape[1] == 0 {
		return nil, fmt.Errorf("npy: an array of shape %v where a matrix is needed", a.Shape)
	}
	data := a.Float64s()
	if len(data) != a.Shape[0]*a.Shape[1] {
		return nil, fmt.Errorf("npy: %d elements, the shape %v needs %d", len(data), a.Shape, a.Shape[0]*a.Shape[1])
	}
	return mat.NewDense(a.Shape[0], a.Shape[1], data), nil
}
