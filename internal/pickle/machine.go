package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// maxObjects is the largest number of objects that a pickle may build; the largest pickle of CIFAR-100 builds 150,000.
const maxObjects = 1 << 22

// machine runs a pickle.
type machine struct {
	in      []byte
	at      int // position of the operation that runs
	next    int // position of the next byte
	stack   []any
	memo    map[int]any
	objects int
}

var (
	errTruncated = errors.New("truncated: ends too soon; fetch it again")
	errStack     = errors.New("damaged: an operation needs values that are missing")
)

// take returns the next n bytes.
func (m *machine) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.in)-m.next {
		return nil, errTruncated
	}
	b := m.in[m.next : m.next+n]
	m.next += n
	return b, nil
}

// line returns the text up to a newline, which is how protocol 0 writes arguments.
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

// text returns a string. Its length is in the n bytes before it.
func (m *machine) text(n int) (Text, error) {
	size, err := m.number(n)
	if err != nil {
		return nil, err
	}
	return m.take(size)
}

// push puts a value on the stack.
func (m *machine) push(x any) error {
	if m.objects++; m.objects > maxObjects {
		return fmt.Errorf("more than %d objects", maxObjects)
	}
	m.stack = append(m.stack, x)
	return nil
}

// pop takes a value, which is not a mark, from the stack.
func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, errStack
	}
	x := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	if _, isMark := x.(mark); isMark {
		return nil, errStack
	}
	return x, nil
}

// popMark takes the last mark and the values above it from the stack, and returns the values.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, isMark := m.stack[i].(mark); isMark {
			items := append([]any(nil), m.stack[i+1:]...)
			m.stack = m.stack[:i]
			return items, nil
		}
	}
	return nil, errStack
}

// popN takes n values from the stack. The topmost is the last one.
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

// top returns the topmost value or mark, and nil for an empty stack.
func (m *machine) top() any {
	if len(m.stack) == 0 {
		return nil
	}
	return m.stack[len(m.stack)-1]
}

// step runs one operation. It returns true after the last one.
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
		if _, isMark := m.top().(mark); isMark || len(m.stack) == 0 {
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
		return false, fmt.Errorf("unknown operation %#02x: not a pickle, or a pickle of other objects than numbers, strings, lists, dictionaries and arrays", op[0])
	}
	return false, err
}
