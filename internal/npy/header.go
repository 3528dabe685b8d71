package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"feddag/internal/damage"
)

// Header describes the elements of an array, which follow it row by row.
type Header struct {
	Kind   byte // 'b' boolean, 'i' and 'u' whole numbers with and without a sign, 'f' floating point
	Size   int  // bytes per element
	Order  binary.ByteOrder
	Shape  []int // empty for a single number
	Count  int   // number of elements; Count*Size bytes fit an int
	Length int   // number of bytes before the elements
}

const (
	magic      = "\x93NUMPY"
	maxHeader  = 1 << 16 // largest number of bytes of a header; no array of numbers needs more
	maxDims    = 32      // as NumPy
	lengthSize = 2       // bytes that hold the header's length in version 1
)

var (
	descrText   = regexp.MustCompile(`['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z]\w*)['"]`)
	fortranText = regexp.MustCompile(`['"]fortran_order['"]\s*:\s*(True|False)`)
	shapeText   = regexp.MustCompile(`['"]shape['"]\s*:\s*\(([^)]*)\)`)
)

// ReadHeader reads exactly the header. It returns an error for an array of anything except numbers and booleans, and for an
// array in column-major order.
func ReadHeader(r io.Reader) (h Header, err error) {
	text, length, err := readHeaderText(r)
	if err != nil {
		return h, err
	}
	h, err = parse(text)
	h.Length = length
	return h, err
}

// ReadObjectHeader reads exactly the header of an array of objects. A pickle of the array follows it.
func ReadObjectHeader(r io.Reader) error {
	text, _, err := readHeaderText(r)
	if err != nil {
		return err
	}
	if descr := descrText.FindStringSubmatch(text); descr == nil || descr[2] != "O" {
		return fmt.Errorf("the header %.80q does not describe an array of objects", text)
	}
	return nil
}

// readHeaderText reads exactly the header and returns its dictionary and the number of bytes before the elements.
func readHeaderText(r io.Reader) (dictionary string, bytes int, err error) {
	start := make([]byte, len(magic)+2)
	if _, err := io.ReadFull(r, start); err != nil && !damage.Ended(err) {
		return "", 0, damage.Describe(err)
	} else if err != nil || string(start[:len(magic)]) != magic {
		return "", 0, fmt.Errorf("not a .npy file: starts with %.8q", start)
	}
	length := lengthSize
	switch version := start[len(magic)]; version {
	case 1:
	case 2, 3:
		length = 4
	default:
		return "", 0, fmt.Errorf("a .npy file of version %d, but only versions 1 to 3 are read", version)
	}
	size := make([]byte, 4)
	if _, err := io.ReadFull(r, size[:length]); err != nil {
		return "", 0, describeShort(err)
	}
	n := binary.LittleEndian.Uint32(size)
	if n > maxHeader {
		return "", 0, fmt.Errorf("a .npy file with a header of %d bytes", n)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return "", 0, describeShort(err)
	}
	return string(text), len(start) + length + len(text), nil
}

// describeShort describes an error in the middle of the header.
func describeShort(err error) error {
	if damage.Ended(err) {
		return errors.New("truncated: the header is cut short")
	}
	return damage.Describe(err)
}

func parse(text string) (h Header, err error) {
	descr, fortran, shape := descrText.FindStringSubmatch(text), fortranText.FindStringSubmatch(text), shapeText.FindStringSubmatch(text)
	if descr == nil || fortran == nil || shape == nil {
		return h, fmt.Errorf("the header %.80q lacks descr, fortran_order or shape, or does not describe a plain array of numbers", text)
	}
	if h, err = ParseDescr(descr[1] + descr[2]); err != nil {
		return h, err
	}
	h.Count = 1
	for _, field := range strings.Split(shape[1], ",") {
		field = strings.TrimSuffix(strings.TrimSpace(field), "L")
		if field == "" {
			continue
		}
		n, err := strconv.Atoi(field)
		if err != nil || n < 0 || n > 0 && h.Count > math.MaxInt/8/n || len(h.Shape) >= maxDims {
			return h, fmt.Errorf("the shape (%.80s) is not a shape", shape[1])
		}
		h.Shape, h.Count = append(h.Shape, n), h.Count*n
	}
	if fortran[1] == "True" && len(h.Shape) > 1 {
		return h, errors.New("column-major order (fortran_order) is not supported: save np.ascontiguousarray of the array")
	}
	return h, nil
}

// ParseDescr returns a header of the element type that NumPy writes as "<f8", "|u1" or "i4", without a shape.
func ParseDescr(descr string) (Header, error) {
	h := Header{Order: binary.LittleEndian}
	code := strings.TrimLeft(descr, "<>|=")
	switch code {
	case "b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8":
		h.Kind, h.Size = code[0], int(code[1]-'0')
	default:
		return h, fmt.Errorf("element type %q is not read: save whole numbers, booleans, float32 or float64", descr)
	}
	if descr[0] == '>' {
		h.Order = binary.BigEndian
	}
	return h, nil
}

// Descr returns the element type as NumPy writes it: "<f8", "|u1".
func (h Header) Descr() string {
	order := "<"
	switch {
	case h.Size == 1:
		order = "|"
	case h.Order == binary.BigEndian:
		order = ">"
	}
	return order + string(h.Kind) + strconv.Itoa(h.Size)
}

// WriteHeader writes the header of an array of an element type (see Descr) and a shape. The elements then begin at a
// multiple of 64 bytes.
func WriteHeader(w io.Writer, descr string, shape []int) error {
	texts := make([]string, len(shape))
	for i, n := range shape {
		texts[i] = strconv.Itoa(n)
	}
	dims := strings.Join(texts, ", ")
	if len(shape) == 1 {
		dims += ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	text += strings.Repeat(" ", 63-(len(magic)+2+lengthSize+len(text))%64) + "\n"
	if len(shape) > maxDims {
		return fmt.Errorf("%d dimensions are too many", len(shape))
	}
	b := binary.LittleEndian.AppendUint16([]byte(magic+"\x01\x00"), uint16(len(text)))
	_, err := w.Write(append(b, text...))
	return err
}
