package data

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"feddag/internal/errtest"
)

// svhnDir returns a folder with the fixture's files.
func svhnDir(t testing.TB) string {
	dir := t.TempDir()
	for _, name := range []string{"train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"} {
		b, err := os.ReadFile(filepath.Join("../../internal/mat5/testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "svhn"), map[string][]byte{name: b})
	}
	return dir
}

func TestSVHN(t *testing.T) {
	dir := svhnDir(t)
	s, err := Load(t.Context(), "svhn", LoadOptions{Dirs: []string{dir}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Train.Len() != 12 || s.Test.Len() != 3 || s.Channels != 3 || s.Height != 32 || s.Classes != 10 {
		t.Errorf("%d + %d images", s.Train.Len(), s.Test.Len())
	}
	// The labels are 1 to 10, and 10 is the digit 0.
	if !slices.Equal(s.Train.Labels, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2}) || !slices.Equal(s.Test.Labels, []byte{1, 2, 3}) {
		t.Errorf("labels %v, %v", s.Train.Labels, s.Test.Labels)
	}
	check := func(s *Set, split Images, at, n, start int) {
		t.Helper()
		for i := range n {
			im := s.Image(split, at+i)
			for k := range 3 {
				for r := range 32 {
					for c := range 32 {
						if want := byte((start + 11*i + 3*r + 5*c + 70*k) % 251); im[k*1024+r*32+c] != want {
							t.Fatalf("image %d, channel %d, row %d, column %d is %d, must be %d", at+i, k, r, c, im[k*1024+r*32+c], want)
						}
					}
				}
			}
		}
	}
	check(s, s.Train, 0, 12, 0)
	check(s, s.Test, 0, 3, 40)
	s, err = Load(t.Context(), "svhn", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"extra": "yes"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Train.Len() != 17 || s.Test.Len() != 3 {
		t.Errorf("with the extra images: %d + %d", s.Train.Len(), s.Test.Len())
	}
	check(s, s.Train, 12, 5, 80)

	_, err = Load(t.Context(), "svhn", LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"extra": "maybe"}})
	errtest.Want(t, err, "maybe", "yes")
	_, err = Load(t.Context(), "svhn", LoadOptions{Dirs: []string{t.TempDir()}})
	errtest.Want(t, err, "svhn not found", "train_32x32.mat", "feddag data fetch svhn")
}

func TestSVHNBadFiles(t *testing.T) {
	plain, err := os.ReadFile("../../internal/mat5/testdata/plain.mat")
	if err != nil {
		t.Fatal(err)
	}
	train, err := os.ReadFile("../../internal/mat5/testdata/train_32x32.mat")
	if err != nil {
		t.Fatal(err)
	}
	label, err := os.ReadFile("../../internal/mat5/testdata/label11.mat")
	if err != nil {
		t.Fatal(err)
	}
	fewer, err := os.ReadFile("../../internal/mat5/testdata/fewer.mat")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		word  string
	}{
		{"another shape", plain, "array X has the shape [4 4 3 2]"},
		{"label out of range", label, "label 11 of image 1 is out of range"},
		{"fewer labels", fewer, "2 labels for 3 images"},
		{"truncated", train[:len(train)/2], "truncated"},
		{"no images", train[:128], "the arrays X, y are missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := svhnDir(t)
			file := filepath.Join(dir, "svhn", "train_32x32.mat")
			if err := os.WriteFile(file, c.bytes, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Load(t.Context(), "svhn", LoadOptions{Dirs: []string{dir}})
			errtest.Want(t, err, file, c.word)
		})
	}
}
