package data

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
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

var (
	npyDescr   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([<>|=])([a-zA-Z])(\d+)['"]`)
	npyFortran = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	npyShape   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([\d\s,L]*)\)`)
)

// readNPY reads an array of at most maxBytes bytes in NumPy's .npy format, versions 1 to 3: whole numbers, booleans
// and floats of either byte order. A header is believed only as far as bytes follow it.
func readNPY(r io.Reader, maxBytes int64) (*npyArray, error) {
	a, err := readNPYHead(r)
	if err != nil {
		return nil, err
	}
	want := int64(a.size)
	for _, d := range a.shape {
		if d != 0 && want > maxBytes/int64(d) {
			return nil, fmt.Errorf("an array of shape %v, more than the %d bytes this program reads", a.shape, maxBytes)
		}
		want *= int64(d)
	}
	if a.raw, err = readGrowing(r, want); err != nil {
		return nil, err
	}
	return a, nil
}

// readNPYHead reads what stands before the elements: an array without them.
func readNPYHead(r io.Reader) (*npyArray, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, damaged(err)
	}
	if string(head[:6]) != "\x93NUMPY" {
		return nil, fmt.Errorf("not a .npy file: starts with %q, must be \"\\x93NUMPY\"", head[:6])
	}
	length := 2
	switch head[6] {
	case 1:
	case 2, 3:
		length = 4
	default:
		return nil, fmt.Errorf("a .npy file of version %d, this program reads 1 to 3", head[6])
	}
	var size [4]byte
	if _, err := io.ReadFull(r, size[:length]); err != nil {
		return nil, damaged(err)
	}
	n := binary.LittleEndian.Uint32(size[:])
	if n > 1<<16 {
		return nil, fmt.Errorf("a .npy file with a header of %d bytes, no array of numbers has one", n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, damaged(err)
	}
	return parseNPYHeader(string(header))
}

func parseNPYHeader(header string) (*npyArray, error) {
	descr := npyDescr.FindStringSubmatch(header)
	fortran := npyFortran.FindStringSubmatch(header)
	shape := npyShape.FindStringSubmatch(header)
	if descr == nil || fortran == nil || shape == nil {
		return nil, fmt.Errorf("a .npy file with the header %.80q, which is no plain array of numbers", header)
	}
	a := &npyArray{kind: descr[2][0], order: binary.LittleEndian}
	if descr[1] == ">" {
		a.order = binary.BigEndian
	}
	switch code := descr[2] + descr[3]; code {
	case "b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8":
		a.size = int(code[1] - '0')
	default:
		return nil, fmt.Errorf("a .npy file of type %s, this program reads whole numbers, booleans, float32 and float64", descr[1]+code)
	}
	for _, field := range strings.Split(shape[1], ",") {
		field = strings.TrimSuffix(strings.TrimSpace(field), "L")
		if field == "" {
			continue
		}
		d, err := strconv.Atoi(field)
		if err != nil || d < 0 || d > math.MaxInt32 || len(a.shape) >= 32 {
			return nil, fmt.Errorf("a .npy file of shape (%.60s), no array this program reads", shape[1])
		}
		a.shape = append(a.shape, d)
	}
	if fortran[1] == "True" && len(a.shape) > 1 {
		return nil, errors.New("a .npy file in Fortran order; write it with numpy.ascontiguousarray")
	}
	return a, nil
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
	dims := make([]string, len(shape))
	for i, d := range shape {
		dims[i] = strconv.Itoa(d) + ","
	}
	header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, strings.Join(dims, " "))
	// The data begins at a multiple of 64 bytes; the header ends in a newline.
	for (10+len(header)+1)%64 != 0 {
		header += " "
	}
	header += "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	if _, err := w.Write(append(b, header...)); err != nil {
		return err
	}
	_, err := w.Write(raw)
	return err
}
