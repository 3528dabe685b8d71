package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

func header(name string, mode fs.FileMode, packed, unpacked uint64) *zip.File {
	f := &zip.File{FileHeader: zip.FileHeader{Name: name, CompressedSize64: packed, UncompressedSize64: unpacked}}
	f.SetMode(mode)
	return f
}

func TestCheckZip(t *testing.T) {
	const size = 10 << 20
	plain := header("a/1.png", 0o644, 100, 200)
	for name, c := range map[string]struct {
		files []*zip.File
		words []string // none for no error
	}{
		"plain":             {[]*zip.File{header("a/", fs.ModeDir|0o755, 0, 0), header("a/", fs.ModeDir|0o755, 0, 0), plain}, nil},
		"up and out":        {[]*zip.File{plain, header("../x", 0o644, 1, 1)}, []string{`"../x" leads out`}},
		"in the middle":     {[]*zip.File{header("a/../../x", 0o644, 1, 1)}, []string{"leads out"}},
		"a useless step":    {[]*zip.File{header("a/../x", 0o644, 1, 1)}, []string{"not a plain path"}},
		"absolute":          {[]*zip.File{header("/x", 0o644, 1, 1)}, []string{"leads out"}},
		"backslashes":       {[]*zip.File{header(`..\x`, 0o644, 1, 1)}, []string{"not a plain path"}},
		"a zero byte":       {[]*zip.File{header("x\x00.png", 0o644, 1, 1)}, []string{"not a plain path"}},
		"a line break":      {[]*zip.File{header("x\n.png", 0o644, 1, 1)}, []string{`"x\n.png" leads out of the archive or is not a plain path`}},
		"not the name":      {[]*zip.File{header("", 0o644, 1, 1)}, []string{"not the name"}},
		"a link":            {[]*zip.File{header("x", fs.ModeSymlink|0o777, 1, 1)}, []string{"is a link or a device"}},
		"a device":          {[]*zip.File{header("x", fs.ModeDevice|0o777, 1, 1)}, []string{"is a link or a device"}},
		"twice":             {[]*zip.File{plain, plain}, []string{`"a/1.png" occurs twice`}},
		"a file and folder": {[]*zip.File{header("a/1.png/", fs.ModeDir|0o755, 0, 0), plain}, []string{"occurs twice"}},
		"overlapping":       {[]*zip.File{header("x", 0o644, size-1, size), header("y", 0o644, size-1, size)}, []string{`"y"`, "they overlap"}},
		"a huge claim":      {[]*zip.File{header("x", 0o644, 100, 1<<40)}, []string{`"x"`, "claim to unpack to more"}},
		"claims that wrap":  {[]*zip.File{header("x", 0o644, 1, 1<<36), header("y", 0o644, 1, 1<<64-1)}, []string{`"y"`, "claim to unpack to more"}},
		"a bomb":            {[]*zip.File{header("x", 0o644, size, 300*size)}, []string{"10485760 bytes unpack to 3145728000"}},
		"dense enough":      {[]*zip.File{header("x", 0o644, size, 150*size)}, nil},
	} {
		err := CheckZip(c.files, size)
		if c.words == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		errtest.Want(t, err, append(c.words, "do not trust")...)
		if !errors.Is(err, ErrHarm) {
			t.Errorf("%s: %v is not ErrHarm", name, err)
		}
	}
}

func TestTar(t *testing.T) {
	for name, c := range map[string]struct {
		headers []*tar.Header
		want    string // the names of the files, or words of the error
	}{
		"plain":        {[]*tar.Header{{Name: "./", Typeflag: tar.TypeDir}, {Name: "./a/", Typeflag: tar.TypeDir}, {Name: "./a/b"}, {Name: "c"}}, "./a/b c"},
		"up and out":   {[]*tar.Header{{Name: "../x"}}, `"../x" leads out`},
		"absolute":     {[]*tar.Header{{Name: "/x"}}, `"/x" leads out`},
		"a link":       {[]*tar.Header{{Name: "x", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}, `"x" is a link`},
		"a hard link":  {[]*tar.Header{{Name: "y"}, {Name: "x", Typeflag: tar.TypeLink, Linkname: "y"}}, `"x" is a link`},
		"a pipe":       {[]*tar.Header{{Name: "x", Typeflag: tar.TypeFifo}}, `"x" is a link or a device`},
		"twice":        {[]*tar.Header{{Name: "x"}, {Name: "./x"}}, `"./x" occurs twice`},
		"a huge claim": {[]*tar.Header{{Name: "x", Size: 1 << 40}}, `"x" and the files before it claim to have more than`},
		"folder twice": {[]*tar.Header{{Name: "x/", Typeflag: tar.TypeDir}, {Name: "x/", Typeflag: tar.TypeDir}, {Name: "x/y"}}, "x/y"},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range c.headers {
			h.Mode = 0o644
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		w.Close() // fails if a file has fewer bytes than it claims
		r := NewTar(&b)
		var names []string
		h, err := r.Next()
		for ; err == nil; h, err = r.Next() {
			names = append(names, h.Name)
		}
		if err != io.EOF {
			errtest.Want(t, err, c.want, "do not trust")
		} else if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: read %q, want %q", name, got, c.want)
		}
	}
}

func TestLimit(t *testing.T) {
	old := BombBytes
	t.Cleanup(func() { BombBytes = old })
	BombBytes = 1 << 20
	for size, bomb := range map[int]bool{1 << 20: false, 4 << 20: true} {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(make([]byte, size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		packed := &Counter{R: &b}
		z, err := gzip.NewReader(packed)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, Limit(z, packed))
		if errors.Is(err, ErrHarm) != bomb || !bomb && n != int64(size) {
			t.Errorf("%d bytes: read %d, %v", size, n, err)
		}
	}
}
