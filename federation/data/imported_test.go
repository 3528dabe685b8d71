package data

import (
	"bytes"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"feddag/internal/atomicfile"
	"feddag/internal/errtest"
)

// The ending of a file determines its set.
func TestNameOf(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.csv"), nil) // a folder
	for path, want := range map[string]string{
		"b.csv": "csv:b.csv", "x/b.CSV": "csv:x/b.CSV", "m.npz": "medmnist:m.npz", "t.parquet": "parquet:t.parquet", "a.zip": "folder:a.zip",
		dir: "folder:" + dir, filepath.Join(dir, "a.csv"): "folder:" + filepath.Join(dir, "a.csv"),
	} {
		if got := NameOf(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestImport(t *testing.T) {
	source, dir := domains(t), t.TempDir()
	cache := filepath.Join(dir, cacheFolder)
	o := LoadOptions{Dirs: []string{dir}, Cache: cache, Extra: map[string]string{"test": "0.4"}}
	file, s, err := Import(t.Context(), "my-pacs", "folder:"+source, o)
	if err != nil {
		t.Fatal(err)
	}
	if file != filepath.Join(cache, "my-pacs.fdset") || len(setFiles(t, cache)) != 1 {
		t.Errorf("wrote %s, there are %q", file, setFiles(t, cache))
	}
	if err := os.RemoveAll(source); err != nil { // it no longer needs its sources
		t.Fatal(err)
	}
	again, err := Load(t.Context(), "my-pacs", LoadOptions{Dirs: []string{"/nonexistent", dir}})
	if err != nil {
		t.Fatal(err)
	}
	if again.Name != "my-pacs" || again.Title != "my-pacs" || again.Hash() != s.Hash() || !reflect.DeepEqual(again.Train, s.Train) || !slices.Equal(again.UserNames, s.UserNames) {
		t.Errorf("another set came back: %s, %s", again.Name, again.Title)
	}
	if got := Imported([]string{dir}); !slices.Equal(got, []string{"my-pacs"}) {
		t.Errorf("imported sets %q", got)
	}
	if files, err := Find("my-pacs", []string{dir}); err != nil || files[0] != file {
		t.Errorf("found %q, %v", files, err)
	}
	_, err = Load(t.Context(), "my-pac", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, "did you mean my-pacs?")
	_, err = Load(t.Context(), "my-pacs", o)
	errtest.Want(t, err, "my-pacs has no options")

	for _, name := range []string{"", "../x", "UPPER", "a b", ".hidden", strings.Repeat("x", 65)} {
		_, _, err = Import(t.Context(), name, "my-pacs", LoadOptions{Dirs: []string{dir}, Cache: cache})
		errtest.Want(t, err, "use up to 64")
	}
	for _, name := range []string{"cifar10", "fmnist"} {
		_, _, err = Import(t.Context(), name, "my-pacs", LoadOptions{Dirs: []string{dir}, Cache: cache})
		errtest.Want(t, err, "choose another")
	}
	_, _, err = Import(t.Context(), "x", "my-pacs", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, "--data-dir")

	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b[:len(b)-3], 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Load(t.Context(), "my-pacs", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, file, "truncated")
}

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cifar10"), map[string][]byte{"cifar-10-binary.tar.gz": tgz(t, under("cifar-10-batches-bin/", cifar10Files()))})
	found, err := Verify(t.Context(), "cifar10", LoadOptions{Dirs: []string{dir}, Cache: dir})
	if err != nil || len(found) != 3 {
		t.Fatal(found, err)
	}
	for i, word := range []string{"not as published", "20 + 4, but there must be 50000 + 10000", "must be 5000"} {
		if !found[i].Failed || !strings.Contains(found[i].Text, word) {
			t.Errorf("finding %d: %+v lacks %q", i, found[i], word)
		}
	}
	if len(setFiles(t, dir)) != 1 {
		t.Errorf("verifying left %q", setFiles(t, dir))
	}
	// A folder has no published checksums.
	source := domains(t)
	found, err = Verify(t.Context(), "folder:"+source, LoadOptions{})
	if err != nil || len(found) != 2 || found[0].Failed || found[1].Failed || found[0].What != source {
		t.Errorf("%+v, %v", found, err)
	}
	// A decoded copy is compared.
	cache := t.TempDir()
	o := LoadOptions{Cache: cache}
	s, err := Load(t.Context(), "folder:"+source, o)
	if err != nil {
		t.Fatal(err)
	}
	copyOf := func() Finding {
		t.Helper()
		found, err := Verify(t.Context(), "folder:"+source, o)
		if err != nil || len(found) != 3 {
			t.Fatal(found, err)
		}
		return found[2]
	}
	if f := copyOf(); f.Failed || !strings.Contains(f.Text, "the same") {
		t.Errorf("%+v", f)
	}
	path := setFiles(t, cache)[0]
	_, made, err := openSetFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s.Train.Pixels[5] ^= 1
	if err := atomicfile.Write(path, func(w io.Writer) error { return writeSet(w, s, made) }); err != nil {
		t.Fatal(err)
	}
	if f := copyOf(); !f.Failed || !strings.Contains(f.Text, "other images") {
		t.Errorf("%+v", f)
	}
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if f := copyOf(); !f.Failed || !strings.Contains(f.Text, "truncated") {
		t.Errorf("%+v", f)
	}
	_, err = Verify(t.Context(), "svhn", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, "svhn not found")
}

func TestSheet(t *testing.T) {
	s := &Set{Name: "x", Channels: 3, Height: 1, Width: 2, Classes: 3}
	s.Train = Images{Pixels: []byte{1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26}, Labels: []byte{0, 2, 0}}
	var b bytes.Buffer
	if err := s.Sheet(&b, s.Train, 1); err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	// The images are enlarged 24 times, with gaps of 2 pixels.
	if m.Bounds().Dx() != 2+48+2 || m.Bounds().Dy() != 3*(24+2)+2 {
		t.Fatalf("a sheet of %v", m.Bounds())
	}
	at := func(x, y int) [3]uint32 {
		r, g, b, _ := m.At(x, y).RGBA()
		return [3]uint32{r >> 8, g >> 8, b >> 8}
	}
	if at(2, 2) != [3]uint32{1, 3, 5} || at(49, 25) != [3]uint32{2, 4, 6} || at(2, 2+2*26) != [3]uint32{11, 13, 15} || at(2, 2+26) != [3]uint32{255, 255, 255} {
		t.Errorf("pixels %v %v %v %v", at(2, 2), at(49, 25), at(2, 54), at(2, 28))
	}
	if err := s.Sheet(&b, s.Train, 0); err == nil {
		t.Error("no error for 0 columns")
	}
}
