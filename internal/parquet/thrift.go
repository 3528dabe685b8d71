package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// These types represent a structure of Thrift's compact protocol as a map from field numbers to values. Values are bool,
// int64, float64, []byte, list and record.
type (
	record map[int]any
	list   []any
)

const maxDepth = 32 // deepest nesting of structures and lists

var errTruncated = errors.New("truncated or damaged; fetch it again")

// thrift reads Thrift's compact protocol.
type thrift struct {
	b     []byte
	at    int
	depth int
}

// readRecord reads a structure from the start of b, and returns the number of its bytes.
func readRecord(b []byte) (record, int, error) {
	t := thrift{b: b}
	r, err := t.record()
	return r, t.at, err
}

func (t *thrift) byte() (byte, error) {
	if t.at >= len(t.b) {
		return 0, errTruncated
	}
	t.at++
	return t.b[t.at-1], nil
}

func (t *thrift) uvarint() (uint64, error) {
	v, n := binary.Uvarint(t.b[t.at:])
	if n <= 0 {
		return 0, errTruncated
	}
	t.at += n
	return v, nil
}

func (t *thrift) varint() (int64, error) {
	v, n := binary.Varint(t.b[t.at:])
	if n <= 0 {
		return 0, errTruncated
	}
	t.at += n
	return v, nil
}

func (t *thrift) record() (record, error) {
	if t.depth++; t.depth > maxDepth {
		return nil, fmt.Errorf("more than %d structures within each other", maxDepth)
	}
	defer func() { t.depth-- }()
	r := record{}
	id := int64(0)
	for {
		head, err := t.byte()
		if err != nil {
			return nil, err
		}
		if head == 0 {
			return r, nil
		}
		if delta := int64(head >> 4); delta > 0 {
			id += delta
		} else if id, err = t.varint(); err != nil {
			return nil, err
		}
		if id < math.MinInt16 || id > math.MaxInt16 {
			return nil, errTruncated
		}
		if r[int(id)], err = t.value(head&15, false); err != nil {
			return nil, err
		}
	}
}

// value reads a value of a type. In a list, a boolean is a separate byte; elsewhere its type contains its value.
func (t *thrift) value(kind byte, inList bool) (any, error) {
	switch kind {
	case 1, 2:
		if !inList {
			return kind == 1, nil
		}
		b, err := t.byte()
		return b == 1, err
	case 3:
		b, err := t.byte()
		return int64(int8(b)), err
	case 4, 5, 6:
		return t.varint()
	case 7:
		if len(t.b)-t.at < 8 {
			return nil, errTruncated
		}
		t.at += 8
		return math.Float64frombits(binary.LittleEndian.Uint64(t.b[t.at-8:])), nil
	case 8:
		n, err := t.uvarint()
		if err != nil || n > uint64(len(t.b)-t.at) {
			return nil, errTruncated
		}
		t.at += int(n)
		return t.b[t.at-int(n) : t.at : t.at], nil
	case 9, 10:
		return t.list()
	case 12:
		return t.record()
	}
	return nil, fmt.Errorf("a value of the unknown type %d; %w", kind, errTruncated)
}

func (t *thrift) list() (list, error) {
	if t.depth++; t.depth > maxDepth {
		return nil, fmt.Errorf("more than %d lists within each other", maxDepth)
	}
	defer func() { t.depth-- }()
	head, err := t.byte()
	if err != nil {
		return nil, err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = t.uvarint(); err != nil {
			return nil, err
		}
	}
	if n > uint64(len(t.b)-t.at) { // an item has at least one byte
		return nil, errTruncated
	}
	var items list
	for range n {
		item, err := t.value(head&15, true)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// int returns a field that is a whole number, or usual if it is absent.
func (r record) int(id int, usual int64) int64 {
	if v, ok := r[id].(int64); ok {
		return v
	}
	return usual
}

// text returns a field that is a string, "" if it is absent.
func (r record) text(id int) string {
	b, _ := r[id].([]byte)
	return string(b)
}

// sub returns a field that is a structure, an empty one if it is absent.
func (r record) sub(id int) record {
	s, _ := r[id].(record)
	return s
}

// records returns a field that is a list of structures.
func (r record) records(id int) ([]record, error) {
	items, _ := r[id].(list)
	var out []record
	for _, item := range items {
		s, ok := item.(record)
		if !ok {
			return nil, errTruncated
		}
		out = append(out, s)
	}
	return out, nil
}
