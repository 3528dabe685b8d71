// Package archive checks zip and tar archives before anything in them is used. Nothing is ever unpacked to disk. An archive
// is refused if it has names that lead out of it, links, or one name twice, or if it unpacks to far more than its size,
// because it is broken or made to do harm.
package archive

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"unicode"
)

// Bounds of an archive.
const (
	maxFiles  = 1 << 24
	maxBytes  = uint64(1) << 37 // unpacked size of all files together
	bombRatio = 200
)

// BombBytes is the size that an archive may unpack to, whatever its own size. If it unpacks to more, that may be at most
// 200 times its own size; images and arrays of images compress by at most 10. Only tests change it.
var BombBytes = uint64(1) << 30

// ErrHarm is in the errors of archives that are made to do harm; use errors.Is.
var ErrHarm = errors.New("do not trust this archive")

func harm(name, what string) error { return fmt.Errorf("%q %s; %w", name, what, ErrHarm) }

// CheckZip checks the directory of a zip of size bytes.
func CheckZip(files []*zip.File, size int64) error {
	if len(files) > maxFiles {
		return fmt.Errorf("more than %d files", maxFiles)
	}
	seen := make(map[string]bool, len(files))
	var packed, unpacked uint64
	for _, f := range files {
		if err := check(f.Name, f.Mode(), seen); err != nil {
			return err
		}
		before := unpacked
		packed, unpacked = packed+f.CompressedSize64, unpacked+f.UncompressedSize64
		if unpacked < before || unpacked > maxBytes {
			return harm(f.Name, fmt.Sprintf("and the files before it claim to unpack to more than %d bytes", maxBytes))
		}
		if f.CompressedSize64 > uint64(size) || packed > uint64(size) {
			return harm(f.Name, "and the files before it claim to take more bytes than the archive has, so they overlap")
		}
	}
	return CheckRatio(uint64(size), unpacked)
}

// CheckRatio returns an error if the number of packed bytes may not unpack to the number of unpacked bytes.
func CheckRatio(packed, unpacked uint64) error {
	if unpacked > maxBytes || unpacked > BombBytes && unpacked/bombRatio > packed {
		return fmt.Errorf("%d bytes unpack to %d bytes, or claim to; %w", packed, unpacked, ErrHarm)
	}
	return nil
}

// check checks a name and adds it to seen, which records for each name whether it is the name of a file.
func check(name string, mode fs.FileMode, seen map[string]bool) error {
	plain := strings.TrimSuffix(name, "/")
	clean := strings.TrimPrefix(plain, "./")
	switch {
	case clean == "." || clean == "": // the root folder, which tar may write as an entry
		if mode.IsDir() {
			return nil
		}
		return harm(name, "is not the name of a file")
	case !filepath.IsLocal(clean) || strings.ContainsRune(clean, '\\') || strings.ContainsFunc(clean, unicode.IsControl) || path.Clean(clean) != clean:
		return harm(name, "leads out of the archive or is not a plain path")
	case !mode.IsRegular() && !mode.IsDir():
		return harm(name, "is a link or a device, not a file")
	}
	if isFile, twice := seen[clean]; twice && (isFile || mode.IsRegular()) { // folders may occur again
		return harm(name, "occurs twice")
	}
	seen[clean] = mode.IsRegular()
	return nil
}

// Tar reads the files of a tar archive one after another, with the checks of this package.
type Tar struct {
	t       *tar.Reader
	seen    map[string]bool
	claimed uint64 // bytes of the files so far
}

// NewTar returns a reader of the archive that r reads from its start.
func NewTar(r io.Reader) *Tar { return &Tar{t: tar.NewReader(r), seen: map[string]bool{}} }

// Next advances to the next regular file. It returns io.EOF at the end.
func (t *Tar) Next() (*tar.Header, error) {
	for {
		h, err := t.t.Next()
		if err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if len(t.seen) >= maxFiles {
			return nil, fmt.Errorf("more than %d files", maxFiles)
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag == tar.TypeLink { // a hard link has the mode of a file
			mode = fs.ModeSymlink
		}
		if err := check(h.Name, mode, t.seen); err != nil {
			return nil, err
		}
		if h.Typeflag == tar.TypeReg {
			if t.claimed += uint64(h.Size); t.claimed > maxBytes { // neither is negative, so the sum does not wrap
				return nil, harm(h.Name, fmt.Sprintf("and the files before it claim to have more than %d bytes", maxBytes))
			}
			return h, nil
		}
	}
}

// Read reads from the file.
func (t *Tar) Read(b []byte) (int, error) { return t.t.Read(b) }

// Limit returns a reader of r, which unpacks the bytes of packed. It fails if r returns far more bytes than have been read
// from packed so far.
func Limit(r io.Reader, packed *Counter) io.Reader { return &limit{r: r, packed: packed} }

// Counter counts the bytes that are read from R.
type Counter struct {
	R io.Reader
	N uint64
}

func (c *Counter) Read(b []byte) (int, error) {
	n, err := c.R.Read(b)
	c.N += uint64(n)
	return n, err
}

type limit struct {
	r      io.Reader
	packed *Counter
	n      uint64
}

func (l *limit) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	l.n += uint64(n)
	if err := CheckRatio(l.packed.N, l.n); err != nil {
		return n, err
	}
	return n, err
}
