package data

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/damage"
	"feddag/internal/errtest"
)

// unpack writes the files of a fixture below dir.
func unpack(t testing.TB, archive, dir string) {
	t.Helper()
	err := eachInTar(archive, func(h *tar.Header, r io.Reader) error {
		b, err := io.ReadAll(r)
		plant(t, dir, map[string][]byte{h.Name: b})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// cifarByte returns byte p of image i of a fixture's batch that starts with start: see testdata/make_cifar.py.
func cifarByte(start, i, p int) byte { return byte((start + 11*i + p) % 251) }

// cifarRows returns n images of a fixture in the binary version.
func cifarRows(n, start int, labels func(i int) []byte) []byte {
	var b []byte
	for i := range n {
		b = append(b, labels(i)...)
		for p := range cifarPixels {
			b = append(b, cifarByte(start, i, p))
		}
	}
	return b
}

// cifar10Files returns the fixture of CIFAR-10 in the binary version.
func cifar10Files() map[string][]byte {
	files := map[string][]byte{}
	for b, name := range []string{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"} {
		files[name] = cifarRows(4, 37*b, func(i int) []byte { return []byte{byte((3*b + i) % 10)} })
	}
	return files
}

func cifar100Files() map[string][]byte {
	row := func(at int) func(i int) []byte {
		return func(i int) []byte {
			l := byte((at + i) % 100)
			return []byte{cifarSets["cifar100"].superclass[l], l}
		}
	}
	return map[string][]byte{"train.bin": cifarRows(100, 0, row(0)), "test.bin": cifarRows(20, 1100, row(100))}
}

func tgz(t testing.TB, files map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range sortedKeys(files) {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(files[name])), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return gz(t, b.Bytes())
}

func TestCIFAR10(t *testing.T) {
	for _, c := range []struct {
		name  string
		plant func(dir string)
	}{
		{"binary", func(dir string) { write(t, filepath.Join(dir, "cifar-10-batches-bin"), cifar10Files()) }},
		{"binary, without its folder", func(dir string) { write(t, dir, cifar10Files()) }},
		{"binary archive", func(dir string) {
			write(t, filepath.Join(dir, "cifar10"), map[string][]byte{"cifar-10-binary.tar.gz": tgz(t, under("cifar-10-batches-bin/", cifar10Files()))})
		}},
		{"python", func(dir string) { unpack(t, "testdata/cifar-10-python.tar.gz", dir) }},
		{"python archive", func(dir string) {
			b, err := os.ReadFile("testdata/cifar-10-python.tar.gz")
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, map[string][]byte{"cifar-10-python.tar.gz": b})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			c.plant(dir)
			s, err := Load(t.Context(), "CIFAR-10", LoadOptions{Dirs: []string{"/nonexistent", dir}, Cache: filepath.Join(dir, "cache")})
			if err != nil {
				t.Fatal(err)
			}
			if s.Train.Len() != 20 || s.Test.Len() != 4 || s.Channels != 3 || s.Height != 32 || s.Width != 32 || s.Classes != 10 || s.Title != "CIFAR-10" {
				t.Errorf("%s: %d + %d images", s.Title, s.Train.Len(), s.Test.Len())
			}
			for b := range 5 {
				for i := range 4 {
					if l := s.Train.Labels[4*b+i]; int(l) != (3*b+i)%10 {
						t.Errorf("image %d has label %d", 4*b+i, l)
					}
					for p, x := range s.Image(s.Train, 4*b+i) {
						if x != cifarByte(37*b, i, p) {
							t.Fatalf("byte %d of image %d is %d", p, 4*b+i, x)
						}
					}
				}
			}
			if !slices.Equal(s.Test.Labels, []byte{5, 6, 7, 8}) || s.Image(s.Test, 3)[100] != cifarByte(185, 3, 100) {
				t.Errorf("test labels %v", s.Test.Labels)
			}
			kept := len(setFiles(t, filepath.Join(dir, "cache"))) == 1
			if kept != strings.Contains(c.name, "archive") {
				t.Errorf("the decoded set is cacheable: %v", kept)
			}
		})
	}
}

func TestCIFAR100(t *testing.T) {
	binary := t.TempDir()
	write(t, filepath.Join(binary, "cifar100", "cifar-100-binary"), cifar100Files())
	python := t.TempDir()
	unpack(t, "testdata/cifar-100-python.tar.gz", python)
	for _, dir := range []string{binary, python} {
		s, err := Load(t.Context(), "cifar100", LoadOptions{Dirs: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		if s.Train.Len() != 100 || s.Test.Len() != 20 || s.Classes != 100 || len(s.ClassNames) != 100 || len(s.SuperclassNames) != 20 {
			t.Errorf("%d + %d images of %d classes", s.Train.Len(), s.Test.Len(), s.Classes)
		}
		if s.Train.Labels[37] != 37 || s.Test.Labels[5] != 5 || s.Image(s.Test, 5)[7] != cifarByte(1100, 5, 7) {
			t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
		}
		if name := s.SuperclassNames[s.Superclass[slices.Index(s.ClassNames, "otter")]]; name != "aquatic_mammals" {
			t.Errorf("an otter is one of %s", name)
		}
		coarse, err := Load(t.Context(), "cifar100", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"labels": "coarse"}})
		if err != nil {
			t.Fatal(err)
		}
		if coarse.Classes != 20 || coarse.ClassNames[coarse.Train.Labels[0]] != "fruit_and_vegetables" || coarse.Superclass != nil || coarse.Hash() == s.Hash() {
			t.Errorf("coarse: %d classes, an apple is one of %s", coarse.Classes, coarse.ClassNames[coarse.Train.Labels[0]])
		}
		_, err = Load(t.Context(), "cifar100", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"labels": "corse"}})
		errtest.Want(t, err, "did you mean coarse?")
	}
}

func TestCIFARBadFiles(t *testing.T) {
	ten, hundred := cifar10Files(), cifar100Files()
	label := bytes.Clone(ten["data_batch_3.bin"])
	label[2*3073] = 10
	fine, coarse := bytes.Clone(hundred["train.bin"]), bytes.Clone(hundred["train.bin"])
	fine[3074+1] = 100
	coarse[3074] = 17
	whole := tgz(t, under("cifar-10-batches-bin/", ten))
	lacking := cifar10Files()
	delete(lacking, "data_batch_4.bin")
	for _, c := range []struct {
		name, set string
		files     map[string][]byte
		words     []string
	}{
		{"truncated", "cifar10", map[string][]byte{"data_batch_3.bin": label[:5000]}, []string{"data_batch_3.bin", "truncated"}},
		{"empty", "cifar10", map[string][]byte{"test_batch.bin": nil}, []string{"test_batch.bin", "truncated"}},
		{"label out of range", "cifar10", map[string][]byte{"data_batch_3.bin": label}, []string{"data_batch_3.bin", "label 10 of image 2"}},
		{"fine label out of range", "cifar100", map[string][]byte{"train.bin": fine}, []string{"train.bin", "label 100 of image 1"}},
		{"a coarse label of another class", "cifar100", map[string][]byte{"train.bin": coarse}, []string{"train.bin", "aquarium_fish", "17, but it must be 1"}},
		{"truncated archive", "cifar10", map[string][]byte{"cifar-10-binary.tar.gz": whole[:len(whole)/2]}, []string{"cifar-10-binary.tar.gz", "truncated"}},
		{"archive that lacks a file", "cifar10", map[string][]byte{"cifar-10-binary.tar.gz": tgz(t, under("cifar-10-batches-bin/", lacking))},
			[]string{"cifar-10-binary.tar.gz", "lacks cifar-10-batches-bin/data_batch_4.bin"}},
		{"no archive", "cifar10", map[string][]byte{"cifar-10-python.tar.gz": []byte("<html>404</html>")}, []string{"cifar-10-python.tar.gz"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			if !strings.Contains(c.name, "archive") {
				write(t, dir, map[string]map[string][]byte{"cifar10": ten, "cifar100": hundred}[c.set])
			}
			write(t, dir, c.files)
			_, err := Load(t.Context(), c.set, LoadOptions{Dirs: []string{dir}})
			errtest.Want(t, err, append(c.words, dir)...)
		})
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cifar-10-batches-bin"), lacking)
	_, err := Load(t.Context(), "cifar10", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, "cifar10 not found", "lacks data_batch_4.bin", "cifar-10-python.tar.gz", "feddag data fetch cifar10")
}

func FuzzTar(f *testing.F) {
	files := map[string][]byte{"a/one": []byte("1"), "b/../two": []byte("22")}
	f.Add(tgz(f, files))
	plain, err := gzip.NewReader(bytes.NewReader(tgz(f, files)))
	if err != nil {
		f.Fatal(err)
	}
	b, err := io.ReadAll(plain)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:700])
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := eachInTarOf(bytes.NewReader(b), func(h *tar.Header, r io.Reader) error {
			_, err := damage.Read(r, h.Size)
			return err
		})
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(4<<20+5000*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("error of several lines: %q", err)
		}
	})
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarRows(1, 0, func(int) []byte { return []byte{3} }), uint8(0))
	f.Add(cifarRows(1, 0, func(int) []byte { return []byte{1, 1} }), uint8(1))
	pickles := map[string][]byte{}
	for i, archive := range []string{"testdata/cifar-10-python.tar.gz", "testdata/cifar-100-python.tar.gz"} {
		dir := f.TempDir()
		unpack(f, archive, dir)
		for _, name := range []string{"cifar-10-batches-py/test_batch", "cifar-100-python/test"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				f.Add(b, uint8(2+i))
				pickles[name] = b
			}
		}
	}
	if len(pickles) != 2 {
		f.Fatal(fmt.Sprint(len(pickles), " pickles"))
	}
	f.Fuzz(func(t *testing.T, b []byte, what uint8) {
		x := cifarSets[[]string{"cifar10", "cifar100"}[what%2]]
		read := x.readBinary
		if what&2 != 0 {
			read = x.readPickle
		}
		var batch cifarBatch
		var err error
		alloctest.Within(t, 1<<20+1000*len(b), func() { batch, err = read(b) })
		if err == nil && x.check(batch) == nil && len(batch.fine)*cifarPixels != len(batch.pixels) {
			t.Errorf("%d labels for %d bytes", len(batch.fine), len(batch.pixels))
		}
	})
}
