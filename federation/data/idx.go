package data

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"feddag/internal/damage"
)

// maxIDXBytes bounds the bytes that one IDX file may unpack to: 16 times the training images of Fashion-MNIST.
const maxIDXBytes = 16 * 60000 * 28 * 28

// readIDXFile reads an IDX file of unsigned bytes, plain or compressed with gzip; the content shows which. See readIDX.
func readIDXFile(path string, rank int, item []int) (count int, payload []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, nil, err // an *os.PathError names the file
	}
	defer f.Close()
	count, payload, err = readIDX(f, rank, item)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", path, err)
	}
	return count, payload, nil
}

// readIDX reads unsigned bytes in the IDX format of yann.lecun.com/exdb/mnist: two zero bytes, the type 0x08, the rank, the
// dimensions as big-endian uint32, and the bytes. The first dimension is the returned count; the others must equal item.
// Memory is allocated only for bytes that follow the header, so a wrong header cannot make it allocate more than about twice
// the size of the file.
func readIDX(r io.Reader, rank int, item []int) (count int, payload []byte, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	body := io.Reader(br)
	if head, _ := br.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return 0, nil, damage.Describe(err)
		}
		defer zr.Close()
		body = zr
	}

	header := make([]byte, 4+4*rank)
	if n, err := io.ReadFull(body, header[:4]); err != nil {
		if n == 0 && err == io.EOF {
			return 0, nil, errors.New("empty file; fetch it again")
		}
		return 0, nil, damage.Describe(err)
	}
	if magic := [4]byte(header[:4]); magic != [4]byte{0, 0, 8, byte(rank)} {
		return 0, nil, fmt.Errorf("not an IDX file of %d-dimensional bytes: it starts with %#08x, but must be %#08x",
			rank, binary.BigEndian.Uint32(header), 0x800+rank)
	}
	if _, err := io.ReadFull(body, header[4:]); err != nil {
		return 0, nil, damage.Describe(err)
	}
	first := int64(binary.BigEndian.Uint32(header[4:]))
	size := int64(1)
	for i, want := range item {
		if got := binary.BigEndian.Uint32(header[8+4*i:]); int64(got) != int64(want) {
			return 0, nil, fmt.Errorf("dimension %d is %d, but must be %d", i+1, got, want)
		}
		size *= int64(want)
	}
	if first == 0 {
		return 0, nil, errors.New("the file has no items; fetch it again")
	}
	if first > maxIDXBytes/size {
		return 0, nil, fmt.Errorf("the header claims %d items, but this program reads at most %d", first, maxIDXBytes/size)
	}

	if payload, err = damage.Read(body, first*size); err != nil {
		return 0, nil, fmt.Errorf("%d items of %d bytes: %w", first, size, err)
	}
	// Reading to the end also makes gzip compare the checksum.
	switch _, err := io.ReadFull(body, make([]byte, 1)); {
	case err == nil:
		return 0, nil, fmt.Errorf("there are more bytes than the %d items that the header claims; fetch it again", first)
	case err != io.EOF:
		return 0, nil, damage.Describe(err)
	}
	return int(first), payload, nil
}
