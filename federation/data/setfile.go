package data

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"slices"

	"feddag/internal/damage"
	"feddag/internal/parallel"
)

// A set file contains a decoded set: a magic number, the length and the checksum of a header, the header (JSON), and then
// the bytes of the splits. These are pixels, labels and, if known, users (int32, little-endian) of the training split, and
// then of the test split. Each chunk of the bytes has a checksum. Chunks are checked on all cores.
const (
	setMagic     = "FEDDAG\x00\x02" // the last byte is the version
	setChunk     = 1 << 22
	setMaxHeader = 1 << 24
	setSuffix    = ".fdset"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// setHeader is the header of a set file.
type setHeader struct {
	Name            string    `json:"name"`
	Title           string    `json:"title"`
	Made            string    `json:"made_of"` // identifies the files and the code from which it was decoded, see fingerprint
	Shape           [3]int    `json:"shape"`   // channels, height, width
	Classes         int       `json:"classes"`
	ClassNames      []string  `json:"class_names"`
	Mean            []float32 `json:"mean"`
	Std             []float32 `json:"std"`
	Superclass      []int     `json:"superclass,omitempty"`
	SuperclassNames []string  `json:"superclass_names,omitempty"`
	UserNames       []string  `json:"user_names,omitempty"`
	Users           [2]bool   `json:"users"`  // whether the users are known, for training and test images
	Count           [2]int    `json:"images"` // training, test
	Files           []string  `json:"files"`
	Notes           []string  `json:"notes,omitempty"`
	Checksums       []uint32  `json:"crc32c"`         // checksum of each chunk of the bytes after the header
	Hash            string    `json:"hash,omitempty"` // result of Set.Hash; earlier versions did not write it
}

// sections returns the byte ranges of a set in the order of a set file.
func (s *Set) sections() [][]byte {
	var out [][]byte
	for _, split := range []*Images{&s.Train, &s.Test} {
		out = append(out, split.Pixels, split.Labels)
		if split.Users != nil {
			users := make([]byte, 0, 4*len(split.Users))
			for _, u := range split.Users {
				users = binary.LittleEndian.AppendUint32(users, uint32(u))
			}
			out = append(out, users)
		}
	}
	return out
}

// writeSet writes a set file.
func writeSet(w io.Writer, s *Set, made string) error {
	if err := s.Check(); err != nil {
		return err
	}
	h := setHeader{
		Name: s.Name, Title: s.Title, Made: made, Shape: [3]int{s.Channels, s.Height, s.Width}, Classes: s.Classes,
		ClassNames: s.ClassNames, Mean: s.Mean, Std: s.Std, SuperclassNames: s.SuperclassNames, UserNames: s.UserNames, Users: [2]bool{s.Train.Users != nil, s.Test.Users != nil},
		Count: [2]int{s.Train.Len(), s.Test.Len()}, Files: s.Files, Notes: s.Notes, Hash: s.Hash(),
	}
	for _, c := range s.Superclass {
		h.Superclass = append(h.Superclass, int(c))
	}
	sections := s.sections()
	crc, filled := uint32(0), 0
	for _, b := range sections {
		for len(b) > 0 {
			n := min(len(b), setChunk-filled)
			crc, filled, b = crc32.Update(crc, castagnoli, b[:n]), filled+n, b[n:]
			if filled == setChunk {
				h.Checksums = append(h.Checksums, crc)
				crc, filled = 0, 0
			}
		}
	}
	if filled > 0 {
		h.Checksums = append(h.Checksums, crc)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if len(text) > setMaxHeader {
		return fmt.Errorf("the header has %d bytes, which is too long", len(text))
	}
	for _, b := range append([][]byte{setHead(text)}, sections...) {
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// setHead returns the bytes before the splits: magic number, length and checksum of the header, and the header.
func setHead(header []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(setMagic), uint32(len(header)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(header, castagnoli))
	return append(b, header...)
}

// readSetHeader reads the header of a set file and returns the position of the bytes after it. It allocates no more memory
// than the header has bytes.
func readSetHeader(r io.ReaderAt, size int64) (h setHeader, at int64, err error) {
	head := make([]byte, len(setMagic)+8)
	if n, err := r.ReadAt(head, 0); n < len(head) {
		return h, 0, damage.Describe(err)
	}
	if !bytes.HasPrefix(head, []byte(setMagic[:7])) {
		return h, 0, errors.New("not a set file")
	}
	if head[7] != setMagic[7] {
		return h, 0, fmt.Errorf("the set file has version %d, but this program reads version %d", head[7], setMagic[7])
	}
	length := binary.LittleEndian.Uint32(head[8:])
	if at = int64(len(head)) + int64(length); length > setMaxHeader || at > size {
		return h, 0, errors.New("truncated, or not a set file")
	}
	text := make([]byte, length)
	if _, err := r.ReadAt(text, int64(len(head))); err != nil {
		return h, 0, damage.Describe(err)
	}
	if crc32.Checksum(text, castagnoli) != binary.LittleEndian.Uint32(head[12:]) {
		return h, 0, errors.New("damaged: the checksum of its header does not match")
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return h, 0, fmt.Errorf("damaged: %v", err)
	}
	return h, at, nil
}

// readSet reads a set file of the given size. An inconsistent file is an error. It allocates no more than about the size of
// the file.
func readSet(r io.ReaderAt, size int64) (*Set, error) {
	h, at, err := readSetHeader(r, size)
	if err != nil {
		return nil, err
	}
	s := &Set{
		Name: h.Name, Title: h.Title, Channels: h.Shape[0], Height: h.Shape[1], Width: h.Shape[2], Classes: h.Classes,
		ClassNames: h.ClassNames, Mean: h.Mean, Std: h.Std, SuperclassNames: h.SuperclassNames, UserNames: h.UserNames,
		Files: h.Files, Notes: h.Notes,
	}
	pixels := int64(1)
	for _, n := range h.Shape {
		if n < 1 || n > maxSetBytes || pixels > maxSetBytes/int64(n) {
			return nil, fmt.Errorf("damaged: the shape is %v", h.Shape)
		}
		pixels *= int64(n)
	}
	payload, want := size-at, int64(0)
	for i, n := range h.Count {
		perImage := pixels + 1
		if h.Users[i] {
			perImage += 4
		}
		if n < 0 || int64(n) > payload/perImage {
			return nil, fmt.Errorf("truncated, or damaged: %d bytes follow the header, which claims %v images of %d bytes", payload, h.Count, pixels)
		}
		want += int64(n) * perImage
	}
	if want != payload {
		return nil, fmt.Errorf("truncated, or damaged: %d bytes follow the header, but there must be %d", payload, want)
	}
	if chunks := (payload + setChunk - 1) / setChunk; int64(len(h.Checksums)) != chunks {
		return nil, fmt.Errorf("damaged: there are %d checksums for %d chunks", len(h.Checksums), chunks)
	}
	for _, c := range h.Superclass {
		if c < 0 || c > maxClasses {
			return nil, fmt.Errorf("damaged: there is a superclass %d", c)
		}
		s.Superclass = append(s.Superclass, uint8(c))
	}
	body := make([]byte, payload)
	if err := readChunks(r, at, body, h.Checksums); err != nil {
		return nil, err
	}
	if IsContentHash(h.Hash) {
		s.hash = h.Hash
	}
	for i, split := range []*Images{&s.Train, &s.Test} {
		n := h.Count[i]
		take := func(size int) (b []byte) {
			b, body = body[:size:size], body[size:]
			return b
		}
		split.Pixels, split.Labels = take(n*int(pixels)), take(n)
		if h.Users[i] {
			users := take(4 * n)
			split.Users = make([]int32, n)
			for k := range split.Users {
				split.Users[k] = int32(binary.LittleEndian.Uint32(users[4*k:]))
			}
		}
	}
	return s, s.Check()
}

// readChunks fills body from r at an offset and compares the checksums, on all cores.
func readChunks(r io.ReaderAt, at int64, body []byte, checksums []uint32) error {
	chunks := slices.Collect(slices.Chunk(body, setChunk))
	errs := make([]error, len(chunks))
	parallel.For(len(chunks), func(k int) {
		if n, err := r.ReadAt(chunks[k], at+int64(k)*setChunk); n < len(chunks[k]) {
			errs[k] = damage.Describe(err)
		} else if crc32.Checksum(chunks[k], castagnoli) != checksums[k] {
			errs[k] = errors.New("damaged: a checksum does not match")
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// openSetFile reads a set file and returns the set and its fingerprint.
func openSetFile(path string) (s *Set, made string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	h, _, err := readSetHeader(f, info.Size())
	if err == nil {
		s, err = readSet(f, info.Size())
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return s, h.Made, nil
}
