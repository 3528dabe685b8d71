package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"feddag/internal/npy"
)

// A pickle is a program that builds Python objects. This machine runs the part of it that builds numbers, strings,
// lists, dictionaries and NumPy arrays, which is what CIFAR's python version holds, as Python 2 wrote it and as Python 3
// does: protocols 0 to 5. It calls nothing; any other class or function is an error.

// maxObjects bounds the objects a pickle builds; CIFAR-100's largest has 150,000.
const maxObjects = 1 << 22

// What a pickle holds is nil, bool, int64, float64, Text (of str and bytes alike), *List (of lists and tuples), *Dict
// or *npy.Array.
type (
	Text []byte // a part of the pickle: not to be written to
	List struct{ Items []any }
	Dict struct{ Items map[string]any }
	// function is a class or function on its way to be called.
	function string
	// dtype is numpy.dtype.
	dtype struct{ h npy.Header }
	mark  struct{}
)

// names of what may be called, each with what it stands for here.
var functions = map[string]function{
	"numpy.core.multiarray _reconstruct":  "array",
	"numpy._core.multiarray _reconstruct": "array",
	"numpy.core.numeric _frombuffer":      "frombuffer",
	"numpy._core.numeric _frombuffer":     "frombuffer",
	"numpy ndarray":                       "ndarray",
	"numpy dtype":                         "dtype",
	"_codecs encode":                      "encode",
}

// Read returns the object a pickle builds. It allocates no more than a small multiple of the pickle's size.
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

type machine struct {
	in      []byte
	at      int // of the operation
	next    int
	stack   []any
	memo    map[int]any
	objects int
}

var (
	errTruncated = errors.New("truncated: ends too soon; fetch it again")
	errStack     = errors.New("damaged: takes what is not there")
)

func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.in)-m.next {
		return nil, errTruncated
	}
	b := m.in[m.next : m.next+n]
	m.next += n
	return b, nil
}

// line returns the text up to a newline, of protocol 0.
func (m *machine) line() (string, error) {
	n := bytes.IndexByte(m.in[m.next:], '\n')
	if n < 0 {
		return "", errTruncated
	}
	b, err := m.take(n + 1)
	return string(bytes.TrimSuffix(b[:n], []byte{'\r'})), err
}

// number returns an unsigned number of n bytes, little-endian, as an int.
func (m *machine) number(n int) (int, error) {
	b, err := m.take(n)
	if err != nil {
		return 0, err
	}
	var full [8]byte
	copy(full[:], b)
	u := binary.LittleEndian.Uint64(full[:])
	if u > math.MaxInt {
		return 0, errTruncated
	}
	return int(u), nil
}

// text returns a string whose length stands before it in n bytes.
func (m *machine) text(n int) (Text, error) {
	size, err := m.number(n)
	if err != nil {
		return nil, err
	}
	return m.take(size)
}

func (m *machine) push(x any) error {
	if m.objects++; m.objects > maxObjects {
		return fmt.Errorf("more than %d objects", maxObjects)
	}
	m.stack = append(m.stack, x)
	return nil
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errStack
	}
	x := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, mark := x.(mark); mark {
		return nil, errStack
	}
	return x, nil
}

// popMark returns what lies above the last mark.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, mark := m.stack[i].(mark); mark {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, errStack
}

// popN returns the n topmost objects.
func (m *machine) popN(n int) ([]any, error) {
	items := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		var err error
		if items[i], err = m.pop(); err != nil {
			return nil, err
		}
	}
	return items, nil
}

func (m *machine) top() any {
	if len(m.stack) == 0 {
		return nil
	}
	return m.stack[len(m.stack)-1]
}

// step runs one operation.
func (m *machine) step() (done bool, err error) {
	m.at = m.next
	op, err := m.take(1)
	if err != nil {
		return false, err
	}
	switch op[0] {
	case '.': // STOP
		return true, nil
	case 0x80: // PROTO
		_, err = m.take(1)
	case 0x95: // FRAME
		_, err = m.take(8)
	case '(': // MARK
		err = m.push(mark{})
	case '0': // POP
		if len(m.stack) == 0 {
			return false, errStack
		}
		m.stack = m.stack[:len(m.stack)-1]
	case '1': // POP_MARK
		_, err = m.popMark()
	case '2': // DUP
		if _, mark := m.top().(mark); mark || len(m.stack) == 0 {
			return false, errStack
		}
		err = m.push(m.top())
	case 'N': // NONE
		err = m.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		err = m.push(op[0] == 0x88)
	case 'K', 'M', 'J', 'I', 'L', 0x8a, 'G', 'F':
		err = m.pushNumber(op[0])
	case 'U', 'C', 0x8c, 'T', 'B', 'X', 0x8d, 0x8e, 0x96, 'S', 'V':
		err = m.pushText(op[0])
	case ']', 'l', ')', 't', 0x85, 0x86, 0x87, '}', 'd', 'a', 'e', 's', 'u':
		err = m.collect(op[0])
	case 'p', 'q', 'r', 0x94, 'g', 'h', 'j':
		err = m.remember(op[0])
	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		err = m.name(op[0])
	case 'R': // REDUCE
		var a []any
		if a, err = m.popN(2); err == nil {
			err = m.call(a[0], a[1])
		}
	case 'b': // BUILD
		var state any
		if state, err = m.pop(); err == nil {
			err = build(m.top(), state)
		}
	default:
		return false, fmt.Errorf("operation %#02x: this is no pickle of numbers and arrays", op[0])
	}
	return false, err
}

func (m *machine) pushNumber(op byte) error {
	switch op {
	case 'K', 'M': // BININT1, BININT2
		n, err := m.number(map[byte]int{'K': 1, 'M': 2}[op])
		if err != nil {
			return err
		}
		return m.push(int64(n))
	case 'J': // BININT
		b, err := m.take(4)
		if err != nil {
			return err
		}
		return m.push(int64(int32(binary.LittleEndian.Uint32(b))))
	case 0x8a: // LONG1
		n, err := m.number(1)
		if err != nil {
			return err
		}
		b, err := m.take(n)
		if err != nil {
			return err
		}
		if n > 8 {
			return errors.New("a number of more than 64 bits")
		}
		var v int64
		for i, x := range b {
			v |= int64(x) << (8 * i)
		}
		if n > 0 && n < 8 && b[n-1]&0x80 != 0 {
			v -= 1 << (8 * n)
		}
		return m.push(v)
	case 'G': // BINFLOAT
		b, err := m.take(8)
		if err != nil {
			return err
		}
		return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	}
	text, err := m.line() // INT, LONG, FLOAT
	if err != nil {
		return err
	}
	switch {
	case op == 'F':
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("damaged: %.40q is no number", text)
		}
		return m.push(v)
	case op == 'I' && (text == "00" || text == "01"):
		return m.push(text == "01")
	}
	v, err := strconv.ParseInt(strings.TrimSuffix(text, "L"), 10, 64)
	if err != nil {
		return fmt.Errorf("damaged: %.40q is no number", text)
	}
	return m.push(v)
}

func (m *machine) pushText(op byte) error {
	var text Text
	var err error
	switch op {
	case 'U', 'C', 0x8c: // SHORT_BINSTRING, SHORT_BINBYTES, SHORT_BINUNICODE
		text, err = m.text(1)
	case 'T', 'B', 'X': // BINSTRING, BINBYTES, BINUNICODE
		text, err = m.text(4)
	case 0x8d, 0x8e, 0x96: // BINUNICODE8, BINBYTES8, BYTEARRAY8
		text, err = m.text(8)
	case 'V': // UNICODE
		var line string
		if line, err = m.line(); err == nil {
			text, err = unescape(line)
		}
	case 'S': // STRING: Python's repr
		var line string
		if line, err = m.line(); err == nil {
			text, err = unquote(line)
		}
	}
	if err != nil {
		return err
	}
	return m.push(text)
}

// unescape undoes Python's raw-unicode-escape: a byte is a character, and so is \uXXXX.
func unescape(text string) (Text, error) {
	var b Text
	for i := 0; i < len(text); i++ {
		r := rune(text[i])
		if r == '\\' && i+5 < len(text) && text[i+1] == 'u' {
			v, err := strconv.ParseUint(text[i+2:i+6], 16, 16)
			if err != nil {
				return nil, fmt.Errorf("damaged: %.40q is no string", text)
			}
			r = rune(v)
			i += 5
		}
		b = utf8.AppendRune(b, r)
	}
	return b, nil
}

// unquote undoes Python 2's repr of a str.
func unquote(text string) (Text, error) {
	bad := fmt.Errorf("damaged: %.40q is no string", text)
	if len(text) < 2 || text[0] != text[len(text)-1] || text[0] != '\'' && text[0] != '"' {
		return nil, bad
	}
	text = text[1 : len(text)-1]
	var b Text
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			b = append(b, text[i])
			continue
		}
		if i++; i == len(text) {
			return nil, bad
		}
		switch c := text[i]; c {
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'x':
			if i+2 >= len(text) {
				return nil, bad
			}
			v, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
			if err != nil {
				return nil, bad
			}
			b = append(b, byte(v))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return b, nil
}

// collect runs the operations of lists, tuples and dictionaries.
func (m *machine) collect(op byte) error {
	switch op {
	case ']', ')': // EMPTY_LIST, EMPTY_TUPLE
		return m.push(&List{})
	case '}': // EMPTY_DICT
		return m.push(&Dict{map[string]any{}})
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		items, err := m.popN(int(op - 0x84))
		if err != nil {
			return err
		}
		return m.push(&List{items})
	case 'a', 's': // APPEND, SETITEM
		items, err := m.popN(map[byte]int{'a': 1, 's': 2}[op])
		if err != nil {
			return err
		}
		return m.extend(items)
	}
	items, err := m.popMark() // LIST, TUPLE, DICT, APPENDS, SETITEMS
	if err != nil {
		return err
	}
	switch op {
	case 'l', 't':
		return m.push(&List{items})
	case 'd':
		if err := m.push(&Dict{map[string]any{}}); err != nil {
			return err
		}
	}
	return m.extend(items)
}

// extend adds items to the list, or pairs to the dictionary, on top.
func (m *machine) extend(items []any) error {
	switch to := m.top().(type) {
	case *List:
		to.Items = append(to.Items, items...)
		return nil
	case *Dict:
		if len(items)%2 != 0 {
			return errStack
		}
		for i := 0; i < len(items); i += 2 {
			key, ok := items[i].(Text)
			if !ok {
				return fmt.Errorf("a dictionary with a key that is no string but a %T", items[i])
			}
			to.Items[string(key)] = items[i+1]
		}
		return nil
	}
	return errStack
}

// remember runs the operations of the memo.
func (m *machine) remember(op byte) (err error) {
	key := 0
	switch op {
	case 'q', 'h': // BINPUT, BINGET
		key, err = m.number(1)
	case 'r', 'j': // LONG_BINPUT, LONG_BINGET
		key, err = m.number(4)
	case 0x94: // MEMOIZE
		key = len(m.memo)
	default: // PUT, GET
		var text string
		if text, err = m.line(); err == nil {
			if key, err = strconv.Atoi(text); err != nil {
				err = fmt.Errorf("damaged: %.40q is no number", text)
			}
		}
	}
	if err != nil {
		return err
	}
	if op == 'g' || op == 'h' || op == 'j' {
		x, ok := m.memo[key]
		if !ok {
			return errStack
		}
		return m.push(x)
	}
	if _, mark := m.top().(mark); mark || len(m.stack) == 0 {
		return errStack
	}
	m.memo[key] = m.top()
	return nil
}

// name runs GLOBAL and STACK_GLOBAL.
func (m *machine) name(op byte) error {
	var parts [2]string
	if op == 'c' {
		for i := range parts {
			var err error
			if parts[i], err = m.line(); err != nil {
				return err
			}
		}
	} else {
		items, err := m.popN(2)
		if err != nil {
			return err
		}
		for i := range parts {
			text, ok := items[i].(Text)
			if !ok {
				return errStack
			}
			parts[i] = string(text)
		}
	}
	name, ok := functions[parts[0]+" "+parts[1]]
	if !ok {
		return fmt.Errorf("wants %.60q of module %.60q, which is not called here: only arrays of numbers are read", parts[1], parts[0])
	}
	return m.push(name)
}

// call runs REDUCE.
func (m *machine) call(what, with any) error {
	name, ok := what.(function)
	list, isList := with.(*List)
	if !ok || !isList {
		return errStack
	}
	args := list.Items
	arg := func(i int) string {
		if i < len(args) {
			text, _ := args[i].(Text)
			return string(text)
		}
		return ""
	}
	switch name {
	case "array": // a type, a shape and a code, all to be overruled by BUILD
		return m.push(&npy.Array{Data: []uint8{}})
	case "dtype":
		h, err := npy.ParseDescr(arg(0))
		if err != nil {
			return fmt.Errorf("an array of type %.20q, this program reads whole numbers, booleans, float32 and float64", arg(0))
		}
		return m.push(&dtype{h})
	case "encode": // Python 3's way to write bytes under protocol 2
		if !utf8.ValidString(arg(0)) || arg(1) != "latin1" {
			return errors.New("bytes in an encoding other than latin1")
		}
		b := make(Text, 0, len(arg(0)))
		for _, r := range arg(0) {
			if r > 255 {
				return errors.New("damaged: no latin1")
			}
			b = append(b, byte(r))
		}
		return m.push(b)
	case "frombuffer": // bytes, type, shape, order
		if len(args) != 4 {
			return errStack
		}
		a, err := newArray(args[0], args[1], args[2], arg(3) == "F")
		if err != nil {
			return err
		}
		return m.push(a)
	}
	return errStack
}

// build runs BUILD: the state of an array or a type.
func build(what, state any) error {
	list, ok := state.(*List)
	if !ok {
		return errStack
	}
	items := list.Items
	switch x := what.(type) {
	case *dtype: // version, byte order, ...
		if len(items) < 2 {
			return errStack
		}
		if order, _ := items[1].(Text); string(order) == ">" {
			x.h.Order = binary.BigEndian
		}
		return nil
	case *npy.Array: // version, shape, type, in Fortran order, bytes
		if len(items) != 5 {
			return errStack
		}
		fortran, _ := items[3].(bool)
		a, err := newArray(items[4], items[2], items[1], fortran)
		if err != nil {
			return err
		}
		*x = *a
		return nil
	}
	return errStack
}

// newArray makes an array of its bytes, type and shape.
func newArray(raw, elements, shape any, fortran bool) (*npy.Array, error) {
	b, ok := raw.(Text)
	t, isType := elements.(*dtype)
	dims, isList := shape.(*List)
	if !ok || !isType || !isList {
		return nil, errors.New("damaged: an array without bytes, type or shape")
	}
	h := t.h
	h.Count = 1
	for _, d := range dims.Items {
		n, ok := d.(int64)
		if !ok || n < 0 || n > int64(len(b)) || len(h.Shape) == 32 || h.Count > len(b) {
			return nil, fmt.Errorf("damaged: %d bytes for an array of another shape", len(b))
		}
		h.Shape = append(h.Shape, int(n))
		h.Count *= int(n)
	}
	if fortran && len(h.Shape) > 1 {
		return nil, errors.New("an array in Fortran order; write it with numpy.ascontiguousarray")
	}
	a, err := h.Decode(b)
	if err != nil {
		return nil, fmt.Errorf("damaged: %w", err)
	}
	return a, nil
}
