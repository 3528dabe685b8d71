// Package damage helps readers of files that may be truncated or damaged. It describes their errors, and never allocates much
// more than the size of a file, whatever the file's header claims.
package damage

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// Describe describes an error of a decompressor, or of a file that ends too soon. The error says what to do and does not
// name a file; the caller does.
func Describe(err error) error {
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("truncated: ends too soon; fetch it again")
	case errors.Is(err, gzip.ErrChecksum):
		return errors.New("damaged: the gzip checksum does not match; fetch it again")
	}
	var pathErr *os.PathError
	if errors.As(err, &pathErr) { // a failing disk or a directory, not damage
		return pathErr.Err
	}
	return fmt.Errorf("damaged: %v; fetch it again", err)
}

// Ended reports whether an error of io.ReadFull says that there was less to read than asked for, and not that reading failed.
func Ended(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// Read reads n bytes. It allocates no more than about twice the number of bytes that can be read.
func Read(r io.Reader, n int64) ([]byte, error) {
	b := make([]byte, 0, min(n, 1<<20))
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(n, 2*int64(cap(b))))
			copy(grown, b)
			b = grown
		}
		k, err := io.ReadFull(r, b[len(b):cap(b)])
		b = b[:len(b)+k]
		if err != nil {
			if Ended(err) {
				return nil, fmt.Errorf("truncated: %d of %d bytes are there; fetch it again", len(b), n)
			}
			return nil, Describe(err)
		}
	}
	return b, nil
}
