package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/archivetest"
	"feddag/internal/errtest"
)

// zipOf returns a .npz file with two arrays.
func zipOf(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := NewZip(&b)
	if err := errors.Join(z.Add("a", &Array{[]int{2}, []int32{1, 2}}), z.Add("b", &Array{[]int{1, 2}, []float64{3, 4}}), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func anySize(string) (int, error) { return 1 << 10, nil }

func TestZip(t *testing.T) {
	b := zipOf(t)
	if !bytes.Equal(b, zipOf(t)) {
		t.Error("equal arrays give different files")
	}
	arrays, err := ReadZip(bytes.NewReader(b), int64(len(b)), anySize)
	if err != nil || len(arrays) != 2 || !slices.Equal(arrays["a"].Data.([]int32), []int32{1, 2}) || !slices.Equal(arrays["b"].Shape, []int{1, 2}) {
		t.Fatalf("read %v, %v", arrays, err)
	}
	for _, c := range []struct {
		name string
		file []byte
		max  func(string) (int, error)
		word string
	}{
		{"no zip", []byte("hello"), anySize, "not an .npz"},
		{"another checksum", bytes.Replace(b, []byte{1, 0, 0, 0, 2, 0, 0, 0}, []byte{1, 0, 0, 0, 3, 0, 0, 0}, 1), anySize, "a.npy: zip: checksum"},
		{"too many elements", b, func(string) (int, error) { return 1, nil }, "a.npy: 2 elements"},
		{"an unexpected array", b, func(name string) (int, error) { return 9, errors.New("no array " + name) }, "no array a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadZip(bytes.NewReader(c.file), int64(len(c.file)), c.max)
			errtest.Want(t, err, c.word)
		})
	}
	var twice bytes.Buffer
	z := NewZip(&twice)
	if err := errors.Join(z.Add("a", &Array{nil, []bool{true}}), z.Add("a", &Array{nil, []bool{true}}), z.Close()); err != nil {
		t.Fatal(err)
	}
	_, err = ReadZip(bytes.NewReader(twice.Bytes()), int64(twice.Len()), anySize)
	errtest.Want(t, err, `"a.npy" occurs twice`)
}

// TestArchive checks that an archive gives the same arrays from a folder, a stored zip and a compressed zip.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	var array bytes.Buffer
	if err := Write(&array, &Array{[]int{2}, []int32{1, 2}}); err != nil {
		t.Fatal(err)
	}
	folder, stored, compressed := filepath.Join(dir, "folder"), filepath.Join(dir, "stored.npz"), filepath.Join(dir, "compressed.npz")
	var packed bytes.Buffer
	z := zip.NewWriter(&packed)
	w, err := z.Create("a.npy")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(array.Bytes())
	if err := errors.Join(err, z.Close(), os.Mkdir(folder, 0o777), os.WriteFile(filepath.Join(folder, "a.npy"), array.Bytes(), 0o666),
		os.WriteFile(stored, zipOf(t), 0o666), os.WriteFile(compressed, packed.Bytes(), 0o666)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, stored, compressed} {
		a, err := OpenArchive(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := a.Open("a")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Read(r, 2); err != nil || !slices.Equal(got.Data.([]int32), []int32{1, 2}) {
			t.Errorf("%s: %v, %v", path, got, err)
		}
		if _, err := a.Open("absent"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: an absent array: %v", path, err)
		}
		if err := errors.Join(a.Close(), a.Close()); err != nil {
			t.Errorf("%s: closed twice: %v", path, err)
		}
	}
	_, err = OpenArchive(filepath.Join(folder, "a.npy"))
	errtest.Want(t, err, "neither a folder nor a .npz file")
	_, err = OpenArchive(filepath.Join(dir, "absent"))
	errtest.Want(t, err, "absent")
}

// FuzzZip checks that both readers either read a .npz file or refuse it, and that neither uses more memory than deflate can
// unpack from it.
func FuzzZip(f *testing.F) {
	f.Add(zipOf(f))
	f.Add(packed(f))
	path := filepath.Join(f.TempDir(), "a.npz")
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
		alloctest.Within(t, 4<<20+5000*len(raw), func() {
			arrays, err := ReadZip(bytes.NewReader(raw), int64(len(raw)), anySize)
			for name, a := range arrays {
				if err == nil && a.Len() > 1<<10 {
					t.Errorf("%q has %d elements", name, a.Len())
				}
			}
			a, err := OpenArchive(path)
			if err != nil {
				return
			}
			defer a.Close()
			for _, e := range a.entries {
				r, err := a.Open(strings.TrimSuffix(e.Name, ".npy"))
				if err != nil {
					continue
				}
				h, err := ReadHeader(r)
				if err == nil && h.Count < 0 {
					t.Errorf("%d elements", h.Count)
				}
			}
		})
	})
}

// packed returns a compressed .npz file.
func packed(t testing.TB) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("a.npy")
	if err != nil {
		t.Fatal(err)
	}
	if err := Write(w, &Array{Shape: []int{1000}, Data: make([]int64, 1000)}); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestHostileZip checks that both readers refuse harmful archives.
func TestHostileZip(t *testing.T) {
	for k, named := range archivetest.Attacks("a.npy", "") {
		t.Run(named.Name, func(t *testing.T) {
			home := t.TempDir()
			a := archivetest.Attacks("a.npy", home)[k]
			raw := archivetest.Zip(t, a.File)
			path := filepath.Join(home, "a.npz")
			if err := os.WriteFile(path, raw, 0o666); err != nil {
				t.Fatal(err)
			}
			archivetest.Refused(t, home, func() error {
				_, err := ReadZip(bytes.NewReader(raw), int64(len(raw)), anySize)
				return err
			}, a.Words)
			archivetest.Refused(t, home, func() error {
				_, err := OpenArchive(path)
				return err
			}, a.Words)
		})
	}
}
