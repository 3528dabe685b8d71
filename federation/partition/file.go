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
	// is reports whether a file that begins with head is in the format. No head is in two formats.
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

// headSize is the number of bytes that tell a format: enough for white space and the first key of a JSON object.
const headSize = 512

// Read reads a partition of data set s from partition.json, an .npz (see WriteNPZ) or an index map of another program,
// which the content of the file tells apart. A partition that does not fit s is an error that names the file and the
// client: an index out of range or used twice, another data set, and so on. Lists of indices may stand in any order.
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

// decodeAny reads a partition in the format that its first bytes tell. A file of no other format is read as JSON.
func decodeAny(f *os.File, s *data.Set) (*Partition, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("a folder, must be a file: partition.json, an .npz, FL-bench's partition.pkl, or a map of clients to indices (docs/partitions.md)")
	}
	head := make([]byte, headSize)
	n, _ := f.ReadAt(head, 0) // what cannot be read is reported below
	for _, name := range slices.Sorted(maps.Keys(fileFormats)) {
		if format := fileFormats[name]; format.is(head[:n]) {
			return format.decode(f, info.Size(), s)
		}
	}
	return Decode(f, s)
}
