package data

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

const tables = "testdata/parquet"

// pictured fails the test unless image j of a split is image i of make_parquet.py.
func pictured(t *testing.T, s *Set, split Images, j, i int) {
	t.Helper()
	for at, got := range s.Image(split, j) {
		k, r, c := at/(s.Height*s.Width), at/s.Width%s.Height, at%s.Width
		if want := byte((20*i + 7*r + 3*c + 50*k) % 251); got != want {
			t.Fatalf("value (%d, %d, %d) of image %d is %d, want %d of image %d", r, c, k, j, got, want, i)
		}
	}
}

func TestParquet(t *testing.T) {
	load := func(name string, options ...string) *Set {
		t.Helper()
		o := LoadOptions{Dirs: []string{tables}, Extra: map[string]string{}}
		for _, option := range options {
			key, value, _ := strings.Cut(option, "=")
			o.Extra[key] = value
		}
		s, err := Load(t.Context(), "parquet:"+name, o)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load("digits")
	if s.Channels != 1 || s.Height != 4 || s.Width != 5 || !slices.Equal(s.ClassNames, []string{"cat", "ant", "bee"}) || s.Train.Users != nil {
		t.Fatalf("%d x %d x %d, classes %q", s.Channels, s.Height, s.Width, s.ClassNames)
	}
	if !slices.Equal(s.Train.Labels, []byte{0, 1, 2, 0, 1, 2, 0, 1, 2, 0}) || !slices.Equal(s.Test.Labels, []byte{1, 2, 0, 1}) {
		t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
	}
	for i := range 14 {
		if i < 10 {
			pictured(t, s, s.Train, i, i)
		} else {
			pictured(t, s, s.Test, i-10, i)
		}
	}

	s = load("coloured", "user=writer_id", "test=0.5")
	if s.Channels != 3 || !slices.Equal(s.UserNames, []string{"w0", "w1"}) || s.Train.Len() != 6 || s.Test.Len() != 6 {
		t.Fatalf("%d channels, users %q, %d + %d images", s.Channels, s.UserNames, s.Train.Len(), s.Test.Len())
	}
	// Images are in the order of the file within each split. Image i has writer i mod 2 and label i mod 3.
	for i, at := 0, [2]int{}; i < 12; i++ {
		k, split := 0, s.Train
		if at[0] == s.Train.Len() || s.Image(s.Train, at[0])[0] != byte(20*i%251) {
			k, split = 1, s.Test
		}
		pictured(t, s, split, at[k], i)
		if split.Users[at[k]] != int32(i%2) || split.Labels[at[k]] != byte(i%3) {
			t.Errorf("image %d is of user %d and label %d", i, split.Users[at[k]], split.Labels[at[k]])
		}
		at[k]++
	}
	if notes := strings.Join(s.Notes, "\n"); !strings.Contains(notes, "1 column is not read in coloured.parquet: hsf_id") {
		t.Errorf("notes %q", notes)
	}

	s = load("clients", "users=files", "test=0.25")
	if !slices.Equal(s.UserNames, []string{"2", "3", "10"}) || s.Train.Len() != 9 {
		t.Errorf("users %q, %d training images", s.UserNames, s.Train.Len())
	}
	for j, u := range s.Train.Users { // image i is in file i / 4
		i := int(s.Image(s.Train, j)[0])
		for i%20 != 0 {
			i += 251
		}
		if want := map[int]string{0: "2", 1: "10", 2: "3"}[i/20/4]; s.UserNames[u] != want {
			t.Errorf("image %d is of user %s, want %s", i/20, s.UserNames[u], want)
		}
	}

	if s = load("names"); !slices.Equal(s.ClassNames, []string{"ant", "bee", "cat"}) {
		t.Errorf("classes %q", s.ClassNames)
	}
	// The library datasets applies EXIF orientations.
	if s = load("turned"); s.Height != 5 || s.Width != 4 || s.Image(s.Train, 0)[3] != 0 {
		t.Errorf("turned: %d x %d, first row %v", s.Height, s.Width, s.Image(s.Train, 0)[:4])
	}
	if s = load("turned", "exif=ignore"); s.Height != 4 || s.Width != 5 {
		t.Errorf("not turned: %d x %d", s.Height, s.Width)
	}
}

func TestBadParquet(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(tables + "/names.parquet")
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string][]byte{"cut.parquet": whole[:len(whole)-3], "text.parquet": []byte("image,label"), "other.txt": nil})
	write(t, filepath.Join(dir, "saved"), map[string][]byte{"data-00000-of-00001.arrow": nil, "state.json": nil})
	write(t, filepath.Join(dir, "empty"), map[string][]byte{"a.csv": nil})
	write(t, filepath.Join(dir, "mixed"), map[string][]byte{"a.parquet": whole})
	if err := copyOver(tables+"/digits/test-00000-of-00001.parquet", "b.parquet")(filepath.Join(dir, "mixed")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, option string
		words        []string
	}{
		{"two-images", "", []string{"two-images.parquet: the image may be any of the columns image, mask", "image=COLUMN"}},
		{"two-labels", "", []string{"the label may be any of the columns fine, coarse"}},
		{"two-labels", "label=medium", []string{"option label=medium: there is no such column; the columns are image, fine, coarse"}},
		{"no-label", "", []string{"it is not clear which column is the label", "the columns are image, digit"}},
		{"names", "user=writer", []string{"option user=writer: there is no such column"}},
		{"names", "users=columns", []string{"option users", "files"}},
		{"names", "test=2", []string{"option test=2"}},
		{"names", "exif=no", []string{"option exif=no"}},
		{"unlabelled", "", []string{"unlabelled.parquet: column label, row group 0: row 1: label -1"}},
		{"beyond", "", []string{"row 1: label 3 of column label is out of range: it must be 0 to 2"}},
		{"null-label", "", []string{"row 1: column label has no label"}},
		{"path-alone", "", []string{"row 0: column image.bytes is empty, so the image is not in the file"}},
		{"no-image", "", []string{"no-image.parquet: row ", "neither JPEG nor PNG"}},
		{"digits/test-00000-of-00001", "", []string{"0 training and 4 test images"}},
		{dir + "/cut", "", []string{"cut.parquet: not a parquet file, or truncated"}},
		{dir + "/text", "", []string{"text.parquet: not a parquet file"}},
		{dir + "/empty", "", []string{"empty: it contains no .parquet file"}},
		{dir + "/saved", "", []string{"saved: it contains no .parquet file, but .arrow files of save_to_disk: write them with to_parquet"}},
		{dir + "/mixed", "", []string{"b.parquet: it has the classes cat, ant, bee, but earlier files have "}},
		{"absent", "", []string{"absent not found"}},
	} {
		o := LoadOptions{Dirs: []string{tables}}
		if c.option != "" {
			key, value, _ := strings.Cut(c.option, "=")
			o.Extra = map[string]string{key: value}
		}
		_, err := Load(t.Context(), "parquet:"+c.name, o)
		errtest.Want(t, err, c.words...)
	}
}

func FuzzTable(f *testing.F) {
	seed(f, tables+"/*.parquet", func(b []byte) { f.Add(b) })
	seed(f, "../../internal/parquet/testdata/*.parquet", func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		var err error
		alloctest.Within(t, 4<<20+20000*len(b), func() {
			_, err = decodeTable(bytes.NewReader(b), int64(len(b)), "root", "root/train-0.parquet", query{extra: map[string]string{"user": "writer_id"}})
			if err == nil {
				return
			}
			_, err = decodeTable(bytes.NewReader(b), int64(len(b)), "root", "root/a/train-0.parquet", query{extra: map[string]string{"users": "files"}})
		})
		oneLine(t, err)
	})
}
