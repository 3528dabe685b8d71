// Package archivetest makes harmful archives, for the tests of the readers of archives.
package archivetest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/archive"
	"feddag/internal/errtest"
)

// File is a file to put into an archive, valid or not.
type File struct {
	Name  string
	Body  []byte
	Mode  fs.FileMode // 0 for a file
	Claim uint64      // the size that the archive claims; 0 for the size of Body
	Twice bool        // whether it occurs twice
}

// Attack is a file that makes an archive harmful.
type Attack struct {
	Name string
	File File
	// Words is text that the error must contain.
	Words string
}

// Attacks returns attacks with a file that has the name inside, which the reader under test reads. home is a folder to
// which an absolute name leads.
func Attacks(inside, home string) []Attack {
	body := []byte("a few bytes")
	outside := filepath.ToSlash(filepath.Join(home, "escaped.png"))
	return []Attack{
		{"up and out", File{Name: "../../escaped.png", Body: body}, `"../../escaped.png" leads out`},
		{"absolute", File{Name: outside, Body: body}, `escaped.png" leads out`},
		{"backslashes", File{Name: `..\escaped.png`, Body: body}, "not a plain path"},
		{"a link", File{Name: inside, Body: []byte("/etc/passwd"), Mode: fs.ModeSymlink}, `"` + inside + `" is a link`},
		{"twice", File{Name: inside, Body: body, Twice: true}, `"` + inside + `" occurs twice`},
		{"a huge claim", File{Name: inside, Body: body, Claim: 1 << 41}, "more than"},
		{Bomb, File{Name: inside, Body: make([]byte, 8<<20)}, "do not trust"},
	}
}

// Bomb is the name of the attack that needs a compressed archive.
const Bomb = "a bomb"

// Zip returns a zip with a file.
func Zip(t testing.TB, f File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for range f.times() {
		h := &zip.FileHeader{Name: f.Name, Method: zip.Deflate}
		h.SetMode(f.Mode | 0o644)
		create := w.CreateHeader
		if f.Claim > 0 {
			h.CompressedSize64, h.UncompressedSize64 = uint64(len(f.Body)), f.Claim
			create = w.CreateRaw
		}
		to, err := create(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(f.Body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Tar returns a tar with a file.
func Tar(t testing.TB, f File) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for range f.times() {
		h := &tar.Header{Name: f.Name, Mode: 0o644, Size: int64(len(f.Body)), Typeflag: tar.TypeReg}
		switch {
		case f.Claim > 0:
			h.Size = int64(f.Claim)
		case f.Mode != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(f.Body), 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(f.Body); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Flush() // fails if the size is not the size of the body
	return b.Bytes()
}

func (f File) times() int {
	if f.Twice {
		return 2
	}
	return 1
}

// Refused calls read, and fails the test unless its error contains the words and nothing was written below home.
func Refused(t testing.TB, home string, read func() error, words ...string) {
	t.Helper()
	old := archive.BombBytes
	defer func() { archive.BombBytes = old }()
	archive.BombBytes = 1 << 20
	before := below(t, home)
	errtest.Want(t, read(), words...)
	if after := below(t, home); !slices.Equal(before, after) {
		t.Errorf("the files %q became %q", strings.Join(before, " "), strings.Join(after, " "))
	}
}

// below lists the files and folders below a folder.
func below(t testing.TB, dir string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
