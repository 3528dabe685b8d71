package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"feddag/internal/archive"
	"feddag/internal/damage"
)

// codecNames are the compressions by number; only the first three are read.
var codecNames = []string{"none", "snappy", "gzip", "lzo", "brotli", "lz4", "zstd", "lz4_raw"}

// maxHeader is the largest number of bytes of the header of a page, which may contain the smallest and the largest value of
// the page.
const maxHeader = 1 << 20

// chunk is a column of a row group.
type chunk struct {
	column *Column
	r      *io.SectionReader
	rows   int
	codec  int64
	values []Value // values of the dictionary
	seen   bool    // whether the dictionary was read
	file   *File
}

// chunk returns the column of a row group that its directory describes.
func (f *File) chunk(c *Column, of record, rows int) (*chunk, error) {
	if of.text(1) != "" {
		return nil, errors.New("the column is in another file, and other files are not read")
	}
	meta := of.sub(3)
	from, size := meta.int(9, -1), meta.int(7, -1)
	if d := meta.int(11, 0); d > 0 && d < from {
		from = d
	}
	if from < 0 || size < 0 || from > f.size || size > f.size-from {
		return nil, errors.New("damaged: it claims to be beyond the end of the file")
	}
	codec := meta.int(4, 0)
	if codec < 0 || codec > 2 {
		name := fmt.Sprint(codec)
		if codec > 0 && codec < int64(len(codecNames)) {
			name = codecNames[codec]
		}
		return nil, fmt.Errorf("compressed with %s, but only snappy and gzip are read: write it again with compression=\"snappy\"", name)
	}
	if Type(meta.int(1, -1)) != c.Type {
		return nil, errors.New("damaged: its type is not that of the schema")
	}
	return &chunk{column: c, r: io.NewSectionReader(f.r, from, size), rows: rows, codec: codec, file: f}, nil
}

// read calls visit with each value.
func (c *chunk) read(visit func(v Value) error) error {
	for left := c.rows; left > 0; {
		head, page, err := c.nextPage()
		if err == io.EOF {
			return nil // the caller counts the values
		}
		if err != nil {
			return err
		}
		n := 0
		switch kind := head.int(1, -1); kind {
		case 2:
			err = c.readDictionary(head, page)
		case 0, 3:
			n, err = c.readData(head, page, left, visit)
		case 1: // an index
		default:
			err = fmt.Errorf("a page of the unknown kind %d", kind)
		}
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}

// nextPage reads the header and the bytes of a page.
func (c *chunk) nextPage() (head record, page []byte, err error) {
	at, err := c.r.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, nil, err
	}
	left := c.r.Size() - at
	if left == 0 {
		return nil, nil, io.EOF
	}
	// Headers are mostly short. If this part is too short, a longer one is read.
	n := 0
	for size := int64(256); ; size *= 16 {
		b := make([]byte, min(size, left))
		if _, err := c.r.ReadAt(b, at); err != nil {
			return nil, nil, damage.Describe(err)
		}
		if head, n, err = readRecord(b); err == nil {
			break
		}
		if size >= left || size >= maxHeader {
			return nil, nil, fmt.Errorf("the header of a page: %w", err)
		}
	}
	size := head.int(3, -1)
	if size < 0 || size > left-int64(n) {
		return nil, nil, errors.New("damaged: a page claims to be beyond the end of its column")
	}
	if _, err := c.r.Seek(int64(n), io.SeekCurrent); err != nil {
		return nil, nil, err
	}
	page, err = damage.Read(c.r, size)
	return head, page, err
}

// unpack returns the unpacked bytes of a page, which must be size bytes.
func (c *chunk) unpack(b []byte, size int64) ([]byte, error) {
	if size < 0 {
		return nil, errTruncated
	}
	c.file.unpacked += uint64(size)
	if err := archive.CheckRatio(uint64(c.file.size), c.file.unpacked); err != nil {
		return nil, err
	}
	switch c.codec {
	case 1:
		out, err := unsnappy(b)
		if err == nil && int64(len(out)) != size {
			err = errTruncated
		}
		return out, err
	case 2:
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, damage.Describe(err)
		}
		return damage.Read(z, size)
	}
	if int64(len(b)) != size {
		return nil, errTruncated
	}
	return b, nil
}

// readDictionary reads a page with the values that later pages refer to by number.
func (c *chunk) readDictionary(head record, page []byte) error {
	if c.seen {
		return errors.New("damaged: two dictionaries")
	}
	c.seen = true
	b, err := c.unpack(page, head.int(2, -1))
	if err != nil {
		return err
	}
	of := head.sub(7)
	if e := of.int(2, -1); e != 0 && e != 2 {
		return fmt.Errorf("the dictionary has encoding %d, but only PLAIN is read", e)
	}
	n := of.int(1, -1)
	if n < 0 || n > int64(c.rows) {
		return errors.New("damaged: its dictionary has more values than there are rows")
	}
	for range n {
		var v Value
		if v, b, err = c.plain(b); err != nil {
			return err
		}
		c.values = append(c.values, v)
	}
	return nil
}

// plain reads a value in the encoding PLAIN, and returns the bytes after it.
func (c *chunk) plain(b []byte) (Value, []byte, error) {
	switch c.column.Type {
	case Int32:
		if len(b) >= 4 {
			return Value{Int: int64(int32(binary.LittleEndian.Uint32(b)))}, b[4:], nil
		}
	case Int64:
		if len(b) >= 8 {
			return Value{Int: int64(binary.LittleEndian.Uint64(b))}, b[8:], nil
		}
	default:
		if len(b) >= 4 {
			if n := uint64(binary.LittleEndian.Uint32(b)); n <= uint64(len(b)-4) {
				return Value{Bytes: b[4 : 4+n : 4+n]}, b[4+n:], nil
			}
		}
	}
	return Value{}, nil, errTruncated
}

// readData reads a page of at most left values, and returns their number.
func (c *chunk) readData(head record, page []byte, left int, visit func(v Value) error) (int, error) {
	var levels, data []byte
	var err error
	var of record
	size := head.int(2, -1)
	if head.int(1, 0) == 3 {
		of = head.sub(8)
		defSize, repSize := of.int(5, 0), of.int(6, 0)
		if defSize < 0 || repSize != 0 || defSize > int64(len(page)) || size < defSize {
			return 0, errTruncated
		}
		levels, data = page[:defSize], page[defSize:]
		if packed, ok := of[7].(bool); c.codec != 0 && (packed || !ok) {
			data, err = c.unpack(data, size-defSize)
		}
		of = record{1: of[1], 2: of[4]}
	} else {
		of = head.sub(5)
		if data, err = c.unpack(page, size); err == nil && c.column.maxDef > 0 {
			n := uint64(0)
			if len(data) < 4 {
				return 0, errTruncated
			}
			if n = uint64(binary.LittleEndian.Uint32(data)); n > uint64(len(data)-4) {
				return 0, errTruncated
			}
			levels, data = data[4:4+n], data[4+n:]
		}
	}
	if err != nil {
		return 0, err
	}
	n := of.int(1, -1)
	if n < 0 || n > int64(left) {
		return 0, errors.New("damaged: more values than rows")
	}
	indices := &hybrid{}
	switch e := of.int(2, -1); e {
	case 0:
		indices = nil
	case 2, 8:
		if !c.seen {
			return 0, errors.New("damaged: no dictionary")
		}
		if len(data) == 0 { // all values are null
			break
		}
		if indices.width = int(data[0]); indices.width > 32 {
			return 0, errTruncated
		}
		indices.b = data[1:]
	default:
		return 0, fmt.Errorf("the values have encoding %d, but only PLAIN and RLE_DICTIONARY are read: write it again with pyarrow's defaults", e)
	}
	defs := &hybrid{b: levels, width: bits(c.column.maxDef)}
	for range n {
		v := Value{Null: true}
		def := 0
		if c.column.maxDef > 0 {
			if def, err = defs.next(); err != nil {
				return 0, err
			}
		}
		if def == c.column.maxDef {
			if indices == nil {
				v, data, err = c.plain(data)
			} else {
				var k int
				if k, err = indices.next(); err == nil && k >= len(c.values) {
					err = errTruncated
				}
				if err == nil {
					v = c.values[k]
				}
			}
			if err != nil {
				return 0, err
			}
		}
		if err := visit(v); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// bits returns the number of bits of a number.
func bits(n int) int {
	k := 0
	for ; n > 0; n >>= 1 {
		k++
	}
	return k
}

// hybrid reads numbers in the encoding RLE, which mixes runs of one number with packed numbers of width bits each.
type hybrid struct {
	b      []byte
	width  int
	run    uint64 // remaining numbers of a run of value
	value  int
	packed uint64 // remaining packed numbers
	bit    int    // position of the next packed number in b
}

func (h *hybrid) next() (int, error) {
	for h.run == 0 && h.packed == 0 {
		if h.bit > 0 { // after packed numbers, which occupy whole bytes
			h.b, h.bit = h.b[h.bit/8:], 0
		}
		head, n := binary.Uvarint(h.b)
		if n <= 0 {
			return 0, errTruncated
		}
		h.b = h.b[n:]
		if head&1 == 1 { // groups of 8 numbers
			groups := head >> 1
			if h.width > 0 && groups > uint64(len(h.b))/uint64(h.width)+1 {
				return 0, errTruncated
			}
			h.packed = 8 * min(groups, 1<<40)
			continue
		}
		h.run = head >> 1
		size := (h.width + 7) / 8
		if size > len(h.b) {
			return 0, errTruncated
		}
		var full [8]byte
		copy(full[:], h.b[:size])
		h.value, h.b = int(binary.LittleEndian.Uint64(full[:])), h.b[size:]
	}
	if h.run > 0 {
		h.run--
		return h.value, nil
	}
	h.packed--
	v := 0
	for k := range h.width {
		at := h.bit + k
		if at/8 >= len(h.b) {
			return 0, errTruncated
		}
		v |= int(h.b[at/8]>>(at%8)&1) << k
	}
	h.bit += h.width
	return v, nil
}
