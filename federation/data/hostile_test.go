package data

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

// packedFile is a file to put into an archive, however wrong it is.
type packedFile struct {
	name  string
	body  []byte
	mode  fs.FileMode // 0 for a file
	claim uint64      // the size that the archive claims; 0 for that of body
	twice bool
}

// zipWith is a zip with a file.
func zipWith(t testing.TB, f packedFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for range map[bool]int{false: 1, true: 2}[f.twice] {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate}
		h.SetMode(f.mode | 0o644)
		create := w.CreateHeader
		if f.claim > 0 {
			h.CompressedSize64, h.UncompressedSize64 = uint64(len(f.body)), f.claim
			create = w.CreateRaw
		}
		to, err := create(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := to.Write(f.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// tarWith is a tar with a file.
func tarWith(t testing.TB, f packedFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for range map[bool]int{false: 1, true: 2}[f.twice] {
		h := &tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.body)), Typeflag: tar.TypeReg}
		switch {
		case f.claim > 0:
			h.Size = int64(f.claim)
		case f.mode != 0:
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, "/etc/passwd", 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(f.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Flush() // fails where the size is not that of the body
	return b.Bytes()
}

// Every reader of an archive refuses what is made to do harm, names it, and writes nothing.
func TestHostileArchives(t *testing.T) {
	old := archive.BombBytes
	t.Cleanup(func() { archive.BombBytes = old })
	archive.BombBytes = 1 << 20
	gzipped := func(t testing.TB, f packedFile) []byte { return gz(t, tarWith(t, f)) }
	png := pngOf(t, 4, 3, 1)
	readers := []struct {
		set, file string // the file of the archive
		extra     map[string]string
		inside    string // a file that the reader reads
		pack      func(testing.TB, packedFile) []byte
	}{
		{"folder:DIR", "a.zip", nil, "train/cat/1.png", zipWith},
		{"csv:DIR/list.csv", "images.zip", map[string]string{"images": "images.zip"}, "1.png", zipWith},
		{"cifar10-jpeg", "cifar10/train.zip", nil, "cat/1.png", zipWith},
		{"tiny-imagenet", "tiny-imagenet-200.zip", nil, "tiny-imagenet-200/wnids.txt", zipWith},
		{"cifar10", "cifar-10-binary.tar.gz", nil, "cifar-10-batches-bin/data_batch_1.bin", gzipped},
		{"cifar100", "cifar-100-python.tar.gz", nil, "cifar-100-python/train", gzipped},
		{"cifar10-c", "CIFAR-10-C.tar", nil, "CIFAR-10-C/README.md", tarWith},
		{"medmnist:DIR/a.npz", "a.npz", nil, "train_images.npy", zipWith},
		{"pfllib:DIR", "train/0.npz", nil, "data.npy", zipWith},
	}
	attacks := []struct {
		name  string
		file  packedFile
		words string
	}{
		{"up and out", packedFile{name: "../../escaped.png", body: png}, `"../../escaped.png" leads out`},
		{"absolute", packedFile{name: "HOME/escaped.png", body: png}, `/escaped.png" leads out`},
		{"backslashes", packedFile{name: `..\escaped.png`, body: png}, "no plain path"},
		{"a link", packedFile{name: "FILE", body: []byte("/etc/passwd"), mode: fs.ModeSymlink}, `"FILE" is a link`},
		{"twice", packedFile{name: "FILE", body: png, twice: true}, `"FILE" is there twice`},
		{"a huge claim", packedFile{name: "FILE", body: png, claim: 1 << 41}, "more than"},
		{"a bomb", packedFile{name: "FILE", body: make([]byte, 8<<20)}, "do not trust"},
	}
	for _, r := range readers {
		for _, a := range attacks {
			t.Run(r.set+"/"+a.name, func(t *testing.T) {
				if a.name == "a bomb" && strings.HasSuffix(r.file, ".tar") {
					t.Skip("a tar is not compressed")
				}
				home := t.TempDir()
				dir := filepath.Join(home, "a", "data")
				file := filepath.Join(dir, r.file)
				bad := a.file
				bad.name = strings.NewReplacer("FILE", r.inside, "HOME", home).Replace(bad.name)
				write(t, filepath.Dir(file), map[string][]byte{filepath.Base(file): r.pack(t, bad)})
				switch r.set {
				case "csv:DIR/list.csv":
					write(t, dir, map[string][]byte{"list.csv": []byte("user,file,label\na,1.png,0\nb,2.png,1\n")})
				case "pfllib:DIR":
					write(t, filepath.Join(dir, "test"), map[string][]byte{"0.npz": nil})
				case "cifar10-jpeg":
					write(t, filepath.Dir(file), map[string][]byte{"test.zip": zipOf(t, map[string][]byte{"cat/1.png": png})})
				}
				before := filesBelow(t, home)
				set := strings.ReplaceAll(r.set, "DIR", dir)
				_, err := Load(t.Context(), set, LoadOptions{Dirs: []string{dir}, Extra: r.extra})
				errtest.Want(t, err, file+": ", strings.ReplaceAll(a.words, "FILE", r.inside))
				if after := filesBelow(t, home); !slices.Equal(before, after) {
					t.Errorf("files %q became %q", before, after)
				}
			})
		}
	}
}

// filesBelow lists the files and folders below a folder.
func filesBelow(t testing.TB, dir string) []string {
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
