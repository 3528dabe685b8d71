// Package parquet reads columns of Apache Parquet files (github.com/apache/parquet-format): whole numbers and byte strings,
// also in groups, but not in lists; the encodings PLAIN and RLE_DICTIONARY; pages of both versions, not compressed or
// compressed with Snappy or gzip. That is what pyarrow and the datasets of Hugging Face write by default.
//
// Memory is allocated only for bytes that are in the file, whatever sizes it claims: no input makes the package panic, or
// allocate more than a small multiple of its size. The package is our own because github.com/parquet-go/parquet-go v0.32.0,
// the smaller of the two maintained libraries, allocates 827 MB for a file of 8 bytes, and adds ten modules and 10 MB to
// the program.
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"feddag/internal/damage"
	"feddag/internal/spelling"
)

const (
	magic     = "PAR1"
	maxFooter = 1 << 28
	maxColumn = 1 << 12 // largest number of columns of a file
)

// Type is the physical type of a column.
type Type int

// The types that are read.
const (
	Int32     Type = 1
	Int64     Type = 2
	ByteArray Type = 6
)

// Column is a column of a file.
type Column struct {
	Path []string // names of the groups that contain the column, followed by its own name
	Type Type
	// Repeated says that the column is in a list; such columns are not read.
	Repeated bool
	maxDef   int // definition level of a value that is not null
	at       int // position in row groups
}

// String returns the name of the column for messages.
func (c *Column) String() string { return spelling.Plain(c.Name()) }

// Name returns the path of the column, joined with dots.
func (c *Column) Name() string { return strings.Join(c.Path, ".") }

// File is an open file.
type File struct {
	Rows    int
	Columns []*Column
	Meta    map[string]string // key-value metadata that programs have written

	r        io.ReaderAt
	size     int64
	groups   []record
	unpacked uint64 // bytes that pages claim to unpack to, so far
}

// Open reads the directory of a file of size bytes.
func Open(r io.ReaderAt, size int64) (*File, error) {
	tail := make([]byte, 8)
	if size < 12 {
		return nil, errors.New("not a parquet file: too short")
	}
	if _, err := r.ReadAt(tail, size-8); err != nil {
		return nil, damage.Describe(err)
	}
	if string(tail[4:]) != magic {
		return nil, fmt.Errorf("not a parquet file, or truncated: it ends in %q, not in %q", tail[4:], magic)
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n > size-12 || n > maxFooter {
		return nil, fmt.Errorf("damaged: its directory claims to have %d of its %d bytes", n, size)
	}
	b, err := damage.Read(io.NewSectionReader(r, size-8-n, n), n)
	if err != nil {
		return nil, err
	}
	footer, _, err := readRecord(b)
	if err != nil {
		return nil, fmt.Errorf("its directory: %w", err)
	}
	f := &File{r: r, size: size, Meta: map[string]string{}}
	if f.groups, err = footer.records(4); err != nil {
		return nil, fmt.Errorf("its row groups: %w", err)
	}
	// A row of images has some bytes, so there are fewer rows than bytes.
	for _, g := range f.groups {
		rows := g.int(3, -1)
		if rows < 0 || rows > size-int64(f.Rows) {
			return nil, fmt.Errorf("damaged: its row groups claim to have %d rows or more in %d bytes", rows, size)
		}
		f.Rows += int(rows)
	}
	pairs, err := footer.records(5)
	if err != nil {
		return nil, fmt.Errorf("its metadata: %w", err)
	}
	for _, p := range pairs {
		f.Meta[p.text(1)] = p.text(2)
	}
	return f, f.readSchema(footer)
}

// readSchema lists the columns of the schema, which is a tree in depth-first order.
func (f *File) readSchema(footer record) error {
	elements, err := footer.records(2)
	if err != nil || len(elements) == 0 {
		return errors.New("damaged: it has no schema")
	}
	at := 1
	var walk func(path []string, def int, repeated bool, children int64) error
	walk = func(path []string, def int, repeated bool, children int64) error {
		if len(path) > maxDepth {
			return fmt.Errorf("more than %d groups within each other", maxDepth)
		}
		for range children {
			if at >= len(elements) || len(f.Columns) >= maxColumn {
				return fmt.Errorf("damaged: its schema lacks columns, or has more than %d", maxColumn)
			}
			e := elements[at]
			at++
			below := append(slices.Clone(path), e.text(4))
			d, rep := def, repeated
			switch e.int(3, 0) {
			case 1: // optional
				d++
			case 2: // repeated
				d++
				rep = true
			}
			if n := e.int(5, 0); n > 0 {
				if err := walk(below, d, rep, n); err != nil {
					return err
				}
				continue
			}
			f.Columns = append(f.Columns, &Column{Path: below, Type: Type(e.int(1, -1)), Repeated: rep, maxDef: d, at: len(f.Columns)})
		}
		return nil
	}
	return walk(nil, 0, false, elements[0].int(5, 0))
}

// Value is a value of a column.
type Value struct {
	Null  bool
	Int   int64
	Bytes []byte // may be shared by rows; do not modify it
}

// Read calls visit with the value of each row of a column.
func (f *File) Read(c *Column, visit func(row int, v Value) error) error {
	switch {
	case c.Repeated:
		return fmt.Errorf("column %s is a list, and lists are not read", c)
	case c.Type != Int32 && c.Type != Int64 && c.Type != ByteArray:
		return fmt.Errorf("column %s has the type %d, but must have whole numbers or strings", c, c.Type)
	}
	row := 0
	for g, group := range f.groups {
		rows := int(group.int(3, 0))
		chunks, err := group.records(1)
		if err == nil && c.at >= len(chunks) {
			err = errTruncated
		}
		var chunk *chunk
		if err == nil {
			chunk, err = f.chunk(c, chunks[c.at], rows)
		}
		if err == nil {
			err = chunk.read(func(v Value) error {
				if rows--; rows < 0 {
					return errors.New("damaged: more values than rows")
				}
				row++
				return visit(row-1, v)
			})
		}
		if err == nil && rows > 0 {
			err = fmt.Errorf("damaged: %d rows lack values", rows)
		}
		if err != nil {
			return fmt.Errorf("column %s, row group %d: %w", c, g, err)
		}
	}
	return nil
}
