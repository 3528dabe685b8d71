package npy

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"

	"feddag/internal/archive"
)

// Zip writes arrays to a .npz file, which is a zip archive without compression with one .npy file per array.
type Zip struct{ w *zip.Writer }

// NewZip returns a writer of a .npz file. Its Close completes the file.
func NewZip(w io.Writer) *Zip { return &Zip{zip.NewWriter(w)} }

// Create begins the array with the given name. Write its .npy file, header included, to the returned writer before the next
// call.
func (z *Zip) Create(name string) (io.Writer, error) {
	return z.w.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
}

// Add writes an array under a name. Equal arrays give equal bytes.
func (z *Zip) Add(name string, a *Array) error {
	w, err := z.Create(name)
	if err != nil {
		return err
	}
	return Write(w, a)
}

// Close writes the end of the archive. It does not close the underlying writer.
func (z *Zip) Close() error { return z.w.Close() }

// ErrSkip is returned by a function maxElements for an array that is not to be read.
var ErrSkip = errors.New("the array is not read")

// ReadZip reads the arrays of a .npz file of size bytes, by name. The function maxElements returns the largest number of
// elements that an array with the given name may have, ErrSkip for an array that is left out, or another error for an array
// that does not belong in the file. ReadZip compares the checksums of the archive.
func ReadZip(r io.ReaderAt, size int64, maxElements func(name string) (int, error)) (map[string]*Array, error) {
	zr, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not an .npz: %w", err)
	}
	if err := archive.CheckZip(zr.File, size); err != nil {
		return nil, err
	}
	arrays := map[string]*Array{}
	for _, f := range zr.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			return nil, fmt.Errorf("%s: the name of an array ends in .npy", f.Name)
		}
		most, err := maxElements(name)
		if err == ErrSkip {
			continue
		}
		if err != nil {
			return nil, err
		}
		if arrays[name], err = readEntry(f, most); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return arrays, nil
}

func readEntry(f *zip.File, maxElements int) (*Array, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	a, err := Read(r, maxElements)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, io.LimitReader(r, 1<<16)) // read to the end, where the checksum is compared
	return a, err
}
