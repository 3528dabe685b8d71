package partition

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"feddag/federation/data"
)

// fileFormat is a registered format of partition files.
type fileFormat struct {
	name string
	// is reports whether a file that starts with head is in the format. No head belongs to two formats.
	is func(head []byte) bool
	// decode reads a partition of data set s from a file of size bytes. Its errors name the client, but no file.
	decode func(r io.ReaderAt, size int64, s *data.Set) (*Partition, error)
}

var fileFormats = map[string]fileFormat{}

// registerFormat adds a format of partition files. The file of each format calls it in init.
func registerFormat(f fileFormat) {
	if _, dup := fileFormats[f.name]; dup {
		panic("partition: two formats named " + f.name)
	}
	fileFormats[f.name] = f
}

// headSize is the number of bytes by which a format is recognised, enough for white space and the first key of a JSON object.
const headSize = 512

// Read reads a partition of data set s from partition.json, an .npz (see WriteNPZ) or an index map of another program,
// whose format is recognised by the content of the file. If the partition does not fit s, for example because an index is
// out of range or used twice, or because it belongs to another data set, the error names the file and the client. Lists of
// indices may be in any order.
func Read(path string, s *data.Set) (*Partition, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // an *os.PathError names the file
	}
	defer f.Close()
	p, err := decodeAny(f, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// decodeAny reads a partition in the format that its first bytes indicate. If the format is not recognised, the file is read
// as JSON.
func decodeAny(f *os.File, s *data.Set) (*Partition, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a folder: give a file, which may be partition.json, an .npz, FL-bench's partition.pkl, or a map of clients to indices (docs/partitions.md)")
	}
	head := make([]byte, headSize)
	n, _ := f.ReadAt(head, 0) // an error is reported below
	for _, name := range slices.Sorted(maps.Keys(fileFormats)) {
		if format := fileFormats[name]; format.is(head[:n]) {
			return format.decode(f, info.Size(), s)
		}
	}
	return Decode(f, s)
}
