package data

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"feddag/internal/errtest"
)

// domains writes a set of two users to disk.
func domains(t testing.TB) string {
	dir := t.TempDir()
	files := map[string][]byte{}
	for i, user := range []string{"ann", "bob"} {
		pictures4x3(t, files, user+"/cat/%d.png", 5, 100*i)
		pictures4x3(t, files, user+"/dog/%d.png", 5, 100*i+50)
	}
	plant(t, dir, files)
	return dir
}

func setFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCache(t *testing.T) {
	source, cache := domains(t), filepath.Join(t.TempDir(), "cache")
	decodings := 0
	load := func(extra map[string]string) *Set {
		t.Helper()
		s, err := Load(t.Context(), "folder:"+source, LoadOptions{Cache: cache, Extra: extra,
			Progress: func(done, total int) {
				if done == total {
					decodings++
				}
			}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	fresh := load(nil)
	kept := load(nil)
	if decodings != 1 {
		t.Errorf("decoded %d times, want once", decodings)
	}
	if !reflect.DeepEqual(fresh, kept) {
		t.Errorf("another set came back:\n%+v\n%+v", fresh, kept)
	}
	if fresh.Hash() != kept.Hash() || len(setFiles(t, cache)) != 1 {
		t.Errorf("files %q", setFiles(t, cache))
	}

	// Other options give another decoded set. A changed, added or removed file gives a new decoded set in the same file.
	if s := load(map[string]string{"channels": "1"}); s.Channels != 1 || decodings != 2 || len(setFiles(t, cache)) != 2 {
		t.Errorf("%d channels, %d decodings, files %q", s.Channels, decodings, setFiles(t, cache))
	}
	changed := filepath.Join(source, "ann", "cat", "0.png")
	write(t, filepath.Dir(changed), map[string][]byte{"0.png": pngOf(t, 4, 3, 77)})
	if err := os.Chtimes(changed, time.Time{}, time.Now().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if s := load(nil); decodings != 3 || !slices.Contains(firsts(s, s.Train), 77) {
		t.Errorf("%d decodings: a changed image was not seen", decodings)
	}
	write(t, filepath.Dir(changed), map[string][]byte{"9.png": pngOf(t, 4, 3, 78)})
	if s := load(nil); decodings != 4 || s.Train.Len()+s.Test.Len() != 21 {
		t.Errorf("%d decodings: an added image was not seen", decodings)
	}
	if err := os.Remove(changed); err != nil {
		t.Fatal(err)
	}
	if s := load(nil); decodings != 5 || s.Train.Len()+s.Test.Len() != 20 || len(setFiles(t, cache)) != 2 {
		t.Errorf("%d decodings: a removed image was not seen; files %q", decodings, setFiles(t, cache))
	}

	// A damaged copy is decoded again, reported once, and replaced.
	for _, file := range setFiles(t, cache) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)-1] ^= 1
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if s := load(nil); decodings != 6 || !strings.Contains(strings.Join(s.Notes, " "), "checksum") {
		t.Errorf("%d decodings, notes %q", decodings, s.Notes)
	}
	if s := load(nil); decodings != 6 || strings.Contains(strings.Join(s.Notes, " "), "checksum") {
		t.Errorf("%d decodings, notes %q", decodings, s.Notes)
	}

	// A load does not fail if there is no space for a copy.
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	s, err := Load(t.Context(), "folder:"+source, LoadOptions{Cache: file})
	if err != nil || !strings.Contains(strings.Join(s.Notes, " "), "could not be kept") {
		t.Errorf("error %v, notes %q", err, s.Notes)
	}
}

// A cache inside the folder of images is not part of the images.
func TestCacheBelowTheImages(t *testing.T) {
	source := domains(t)
	for range 2 {
		if _, err := Load(t.Context(), "folder:"+source, LoadOptions{Cache: filepath.Join(source, cacheFolder)}); err != nil {
			t.Fatal(err)
		}
	}
	if len(setFiles(t, filepath.Join(source, cacheFolder))) != 1 {
		t.Error("not kept")
	}
}

func TestCacheDir(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	t.Setenv(DataDirEnv, "")
	if got := CacheDir(""); got != "data/cache" {
		t.Errorf("alone: %q", got)
	}
	env, flag, closed := filepath.Join(root, "env"), filepath.Join(root, "flag"), filepath.Join(root, "closed")
	t.Setenv(DataDirEnv, env)
	if got := CacheDir(""); got != filepath.Join(env, "cache") {
		t.Errorf("with the variable: %q", got)
	}
	if got := CacheDir(flag); got != filepath.Join(flag, "cache") {
		t.Errorf("with the flag: %q", got)
	}
	if err := os.Mkdir(closed, 0o555); err != nil {
		t.Fatal(err)
	}
	if got := CacheDir(closed); got != filepath.Join(env, "cache") {
		t.Errorf("with a flag that cannot be written to: %q", got)
	}
	for _, dir := range []string{env, flag, filepath.Join(root, "data")} {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s was made", dir)
		}
	}
	t.Setenv(DataDirEnv, closed)
	t.Chdir(closed)
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got := CacheDir(filepath.Join(root, "file")); got != "" {
		t.Errorf("nothing can be written to: %q", got)
	}
}

// encode returns a set as a set file.
func encode(t testing.TB, s *Set) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := writeSet(&b, s, "test"); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// large returns a set of more than two chunks, with all optional parts of a set.
func large() *Set {
	s := &Set{
		Name: "large", Title: "Large", Channels: 3, Height: 40, Width: 50, Classes: 3, ClassNames: []string{"a", "b", "c"},
		Mean: []float32{.1, .2, .3}, Std: []float32{1, 2, 3}, Superclass: []uint8{0, 1, 1}, SuperclassNames: []string{"x", "y"},
		UserNames: []string{"ann", "bob"}, Files: []string{"here"}, Notes: []string{"a note"},
	}
	for i, n := range []int{1500, 100} {
		split := []*Images{&s.Train, &s.Test}[i]
		split.Pixels, split.Labels, split.Users = make([]byte, n*s.ImageSize()), make([]byte, n), make([]int32, n)
		for k := range split.Pixels {
			split.Pixels[k] = byte(k * 7919 >> 5)
		}
		for k := range n {
			split.Labels[k], split.Users[k] = byte(k%3), int32(k%2)
		}
	}
	return s
}

func TestSetFile(t *testing.T) {
	s := large()
	b := encode(t, s)
	again, err := readSet(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	s.hash = s.Hash()
	if !reflect.DeepEqual(s, again) {
		t.Error("another set came back")
	}
	if !bytes.Equal(b, encode(t, again)) {
		t.Error("another file came back")
	}
	flip := func(at int) []byte {
		c := bytes.Clone(b)
		c[at] ^= 1
		return c
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "half a header": b[:40], "truncated": b[:len(b)-1], "longer": append(bytes.Clone(b), 0),
		"magic": flip(0), "version": flip(7), "length": flip(8), "header": flip(30), "first chunk": flip(len(b) - s.ImageSize()*1600),
		"last byte": flip(len(b) - 1),
	} {
		if _, err := readSet(bytes.NewReader(bad), int64(len(bad))); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			errtest.Want(t, err)
		}
	}
	s.Train.Labels[7] = 9
	if err := writeSet(io.Discard, s, ""); err == nil {
		t.Error("a set that contradicts itself was written")
	}
}

func FuzzSetFile(f *testing.F) {
	s := &Set{
		Name: "labels", Channels: 1, Height: 1, Width: 1, Classes: 2, Mean: []float32{0.5}, Std: []float32{0.5},
		Train: Images{Pixels: make([]byte, 3), Labels: []uint8{0, 1, 0}}, Test: Images{Pixels: make([]byte, 2), Labels: []uint8{1, 0}},
	}
	f.Add(encode(f, s), false)
	s.UserNames, s.Train.Users, s.Test.Users = []string{"ann"}, make([]int32, 3), make([]int32, 2)
	b := encode(f, s)
	at := 16
	f.Add(b, false)
	f.Add(b[at:], true)
	f.Add([]byte(`{"shape":[1,1,1000000000],"images":[1000000000,3],"classes":2}`), true)
	f.Fuzz(func(t *testing.T, b []byte, body bool) {
		if body { // a header with any content and a matching checksum
			text, rest := b, []byte(nil)
			if i := bytes.IndexByte(b, '}'); i >= 0 {
				text, rest = b[:i+1], b[i+1:]
			}
			b = append(setHead(text), rest...)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := readSet(bytes.NewReader(b), int64(len(b)))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+64*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err == nil && s.Check() != nil {
			t.Error(s.Check())
		}
	})
}
