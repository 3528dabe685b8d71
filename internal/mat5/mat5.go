// Package mat5 reads arrays of numbers from MATLAB files of version 5, which SciPy's savemat and MATLAB's save -v6 and -v7
// write. SVHN is published in this format.
//
// The reader is our own because neither of the two readers for Go that we looked at reads SVHN. github.com/scigolib/matlab
// refuses a variable of more than 100 MB, but SVHN's images have 225 MB, and github.com/florianl/matf refuses an array of
// more than three dimensions. Both allocate the size that the file claims before they look for the bytes. Here memory is
// allocated only for bytes that are in the file, and no input makes the package panic.
package mat5

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"feddag/internal/damage"
)

// Array is an array of numbers, in column-major order as in MATLAB.
type Array struct {
	Dims  []int
	Raw   []byte // the elements as they are stored; see Bytes and Ints
	kind  uint32 // the data type of the elements: a key of sizes
	order binary.ByteOrder
}

// Data types of the format (MathWorks, "MAT-File Format", 2023).
const (
	typeInt8       = 1
	typeUint8      = 2
	typeInt16      = 3
	typeUint16     = 4
	typeInt32      = 5
	typeUint32     = 6
	typeFloat32    = 7
	typeFloat64    = 9
	typeInt64      = 12
	typeUint64     = 13
	typeMatrix     = 14
	typeCompressed = 15
)

// sizes has the bytes per element of each data type of numbers.
var sizes = map[uint32]int{
	typeInt8: 1, typeUint8: 1, typeInt16: 2, typeUint16: 2, typeInt32: 4, typeUint32: 4, typeFloat32: 4, typeFloat64: 8,
	typeInt64: 8, typeUint64: 8,
}

// Read reads the named arrays of numbers, compressed or not, and skips all other variables. It returns an error if one of
// them is absent or has more than maxBytes bytes.
func Read(r io.Reader, maxBytes int64, names ...string) (map[string]*Array, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	head := make([]byte, 128)
	if _, err := io.ReadFull(br, head); err != nil {
		return nil, damage.Describe(err)
	}
	m := reader{maxBytes: maxBytes, names: names, found: map[string]*Array{}}
	switch mark := string(head[126:]); {
	case bytes.HasPrefix(head, []byte("MATLAB 7.3")):
		return nil, errors.New("a MATLAB file of version 7.3 (HDF5), but this program reads version 5: write it with save -v7")
	case mark == "IM":
		m.order = binary.LittleEndian
	case mark == "MI":
		m.order = binary.BigEndian
	default:
		return nil, fmt.Errorf("not a MATLAB file of version 5: starts with %.20q", head)
	}
	for len(m.found) < len(names) {
		kind, size, small, err := m.tag(br)
		if err == io.EOF {
			var missing []string
			for _, name := range names {
				if m.found[name] == nil {
					missing = append(missing, name)
				}
			}
			return nil, fmt.Errorf("the arrays %s are missing; fetch it again", strings.Join(missing, ", "))
		}
		if err != nil {
			return nil, damage.Describe(err)
		}
		if small != nil {
			continue
		}
		body := &io.LimitedReader{R: br, N: size}
		switch kind {
		case typeMatrix:
			err = m.matrix(body)
		case typeCompressed:
			err = m.compressed(body)
		}
		if err != nil {
			return nil, err
		}
		if _, err := io.Copy(io.Discard, body); err != nil || body.N > 0 {
			return nil, fmt.Errorf("truncated: %d of %d bytes of a variable are there; fetch it again", size-body.N, size)
		}
		if kind != typeCompressed {
			if _, err := io.CopyN(io.Discard, br, padding(size)); err != nil && err != io.EOF {
				return nil, damage.Describe(err)
			}
		}
	}
	return m.found, nil
}

// reader reads the variables of a file one after the other.
type reader struct {
	order    binary.ByteOrder
	maxBytes int64    // largest size of an array
	names    []string // names of the arrays to find
	found    map[string]*Array
}

// padding returns the number of bytes between the end of an element and the next multiple of 8.
func padding(size int64) int64 { return (8 - size%8) % 8 }

// tag reads the tag before an element: its type and size, and in the small form its bytes too. At the end of the file the
// error is io.EOF.
func (m *reader) tag(r io.Reader) (kind uint32, size int64, small []byte, err error) {
	b := make([]byte, 8)
	if n, err := io.ReadFull(r, b); err != nil {
		if n == 0 && err == io.EOF {
			return 0, 0, nil, io.EOF
		}
		return 0, 0, nil, err
	}
	kind = m.order.Uint32(b)
	if n := kind >> 16; n != 0 {
		if n > 4 {
			return 0, 0, nil, fmt.Errorf("a small element of %d bytes", n)
		}
		return kind & 0xffff, int64(n), b[4 : 4+n], nil
	}
	return kind, int64(m.order.Uint32(b[4:])), nil, nil
}

// compressed reads a variable that is compressed with zlib.
func (m *reader) compressed(r io.Reader) error {
	zr, err := zlib.NewReader(r)
	if err != nil {
		return damage.Describe(err)
	}
	defer zr.Close()
	br := bufio.NewReaderSize(zr, 1<<16)
	kind, size, small, err := m.tag(br)
	if err != nil {
		return damage.Describe(err)
	}
	if kind != typeMatrix || small != nil {
		return nil
	}
	before := len(m.found)
	if err := m.matrix(&io.LimitedReader{R: br, N: size}); err != nil {
		return err
	}
	if len(m.found) > before { // reading on to the end makes zlib compare its checksum
		if _, err := io.Copy(io.Discard, io.LimitReader(br, m.maxBytes)); err != nil {
			return damage.Describe(err)
		}
	}
	return nil
}

// part reads an element of at most maxBytes bytes and its padding.
func (m *reader) part(r io.Reader, maxBytes int64) (kind uint32, b []byte, err error) {
	kind, size, small, err := m.tag(r)
	if err != nil {
		return kind, nil, damage.Describe(err)
	}
	if small != nil {
		return kind, small, nil
	}
	if size > maxBytes {
		return kind, nil, fmt.Errorf("damaged: an element of %d bytes where at most %d are expected; fetch it again", size, maxBytes)
	}
	if b, err = damage.Read(r, size); err != nil {
		return kind, nil, err
	}
	if _, err := io.CopyN(io.Discard, r, padding(size)); err != nil && err != io.EOF {
		return kind, nil, damage.Describe(err)
	}
	return kind, b, nil
}

// matrix reads a variable if its name is one of m.names.
func (m *reader) matrix(r io.Reader) error {
	_, flags, err := m.part(r, 64)
	if err != nil {
		return err
	}
	_, dims, err := m.part(r, 4*32)
	if err != nil {
		return err
	}
	_, name, err := m.part(r, 1<<12)
	if err != nil {
		return err
	}
	if !slices.Contains(m.names, string(name)) {
		return nil
	}
	a := &Array{order: m.order}
	if len(flags) < 4 || len(dims)%4 != 0 {
		return fmt.Errorf("array %s: damaged; fetch it again", name)
	}
	// The lowest byte is the class: 6 and 7 are floating-point numbers, 8 to 15 whole numbers. In the next byte, 0x08 means
	// complex numbers.
	if word := m.order.Uint32(flags); word&0xff < 6 || word&0xff > 15 || word&0x0800 != 0 {
		return fmt.Errorf("array %s is not an array of real numbers", name)
	}
	count := int64(1)
	for d := range slices.Chunk(dims, 4) {
		n := int64(int32(m.order.Uint32(d)))
		if n < 0 || n > 0 && count > m.maxBytes/n {
			return fmt.Errorf("array %s: more than the %d bytes this program reads, or damaged", name, m.maxBytes)
		}
		count *= n
		a.Dims = append(a.Dims, int(n))
	}
	a.kind, a.Raw, err = m.part(r, m.maxBytes)
	if err != nil {
		return fmt.Errorf("array %s: %w", name, err)
	}
	if size := sizes[a.kind]; size == 0 || int64(len(a.Raw)) != count*int64(size) {
		return fmt.Errorf("array %s: damaged: %d bytes of type %d for an array of %v; fetch it again", name, len(a.Raw), a.kind, a.Dims)
	}
	m.found[string(name)] = a
	return nil
}

// Bytes reports whether the elements are of type uint8, so that Raw holds one element per byte.
func (a *Array) Bytes() bool { return a.kind == typeUint8 }

// Ints returns the elements as whole numbers from lo to hi, in column-major order. It returns an error if an element is not a
// whole number in this range.
func (a *Array) Ints(lo, hi int64) ([]int64, error) {
	size := sizes[a.kind]
	out := make([]int64, 0, len(a.Raw)/size)
	for b := range slices.Chunk(a.Raw, size) {
		var v int64
		switch a.kind {
		case typeInt8:
			v = int64(int8(b[0]))
		case typeUint8:
			v = int64(b[0])
		case typeInt16:
			v = int64(int16(a.order.Uint16(b)))
		case typeUint16:
			v = int64(a.order.Uint16(b))
		case typeInt32:
			v = int64(int32(a.order.Uint32(b)))
		case typeUint32:
			v = int64(a.order.Uint32(b))
		case typeInt64, typeUint64:
			v = int64(a.order.Uint64(b))
		case typeFloat32, typeFloat64:
			f := float64(0)
			if a.kind == typeFloat32 {
				f = float64(math.Float32frombits(a.order.Uint32(b)))
			} else {
				f = math.Float64frombits(a.order.Uint64(b))
			}
			if v = int64(f); float64(v) != f {
				return nil, fmt.Errorf("element %d is %g, must be a whole number", len(out), f)
			}
		}
		if v < lo || v > hi {
			return nil, fmt.Errorf("element %d is %d, must be %d to %d", len(out), v, lo, hi)
		}
		out = append(out, v)
	}
	return out, nil
}
