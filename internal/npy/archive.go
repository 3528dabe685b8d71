package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"feddag/internal/archive"
)

// Archive is a folder of .npy files or a .npz file, opened for reading its arrays one by one and in part.
type Archive struct {
	folder  string // "" for a .npz file
	entries []*zip.File
	files   []*os.File
}

// OpenArchive opens a folder of .npy files or a .npz file.
func OpenArchive(path string) (*Archive, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &Archive{folder: path}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	z, err := zip.NewReader(file, info.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("neither a folder nor a .npz file: %w", err), file.Close())
	}
	if err := archive.CheckZip(z.File, info.Size()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Archive{entries: z.File, files: []*os.File{file}}, nil
}

// Open returns the .npy file of an array, header included, until the archive is closed. For an array that does not exist
// the error is fs.ErrNotExist by errors.Is. A compressed array is unpacked in memory.
func (a *Archive) Open(name string) (*io.SectionReader, error) {
	if a.folder != "" {
		file, err := os.Open(filepath.Join(a.folder, name+".npy"))
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, file)
		return io.NewSectionReader(file, 0, math.MaxInt64), nil
	}
	at := slices.IndexFunc(a.entries, func(e *zip.File) bool { return e.Name == name+".npy" })
	if at < 0 {
		return nil, fmt.Errorf("it has no array %s: %w", name, fs.ErrNotExist)
	}
	e := a.entries[at]
	if e.Method == zip.Store {
		from, err := e.DataOffset()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return io.NewSectionReader(a.files[0], from, int64(e.UncompressedSize64)), nil
	}
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b))), nil
}

// Close closes the files.
func (a *Archive) Close() error {
	var errs []error
	for _, f := range a.files {
		errs = append(errs, f.Close())
	}
	a.files = nil
	return errors.Join(errs...)
}
