package data

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"feddag/internal/errtest"
)

func TestMedMNIST(t *testing.T) {
	for _, c := range []struct {
		file  string
		shape [3]int
	}{{"grey.npz", [3]int{1, 28, 28}}, {"colour", [3]int{3, 6, 5}}, {"wide.npz", [3]int{1, 4, 4}}} {
		s, err := Load(t.Context(), "medmnist:"+c.file, LoadOptions{Dirs: []string{"testdata"}})
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{s.Channels, s.Height, s.Width}; got != c.shape || s.Classes != 3 {
			t.Fatalf("%s: images of %v in %d classes", c.file, got, s.Classes)
		}
		// Validation images are in neither split.
		if !slices.Equal(s.Train.Labels, []byte{0, 1, 2, 0, 1, 2, 0, 1, 2}) || !slices.Equal(s.Test.Labels, []byte{2, 0, 1, 2, 0}) {
			t.Errorf("%s: labels %v, %v", c.file, s.Train.Labels, s.Test.Labels)
		}
		if !slices.Contains(s.Notes, "4 validation images are left out") {
			t.Errorf("%s: notes %q", c.file, s.Notes)
		}
		for start, split := range map[int]Images{0: s.Train, 200: s.Test} {
			for i := range split.Len() {
				image := s.Image(split, i)
				for at, got := range image {
					k, r, c := at/(s.Height*s.Width), at/s.Width%s.Height, at%s.Width
					if want := byte((start + 11*i + 7*r + 3*c + 50*k) % 251); got != want {
						t.Fatalf("image %d, channel %d, row %d, column %d is %d, want %d", i, k, r, c, got, want)
					}
				}
			}
		}
	}
}

func TestMedMNISTWithMore(t *testing.T) {
	s, err := Load(t.Context(), "medmnist:more", LoadOptions{Dirs: []string{"testdata"}})
	if err != nil || !slices.Contains(s.Notes, "1 array is not read: names") {
		t.Error(s, err)
	}
}

func TestBadMedMNIST(t *testing.T) {
	whole, err := os.ReadFile("testdata/medmnist/grey.npz")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, dir, map[string][]byte{"cut.npz": whole[:len(whole)/2], "none.npz": nil, "text.npz": []byte("train_images")})
	for file, words := range map[string]string{
		"several.npz": "train_labels has 14 labels per image", "volumes.npz": "train_images has the shape [9 4 4 4] of volumes",
		"fewer.npz": "train_images has 9 images, but train_labels has 8 labels", "untested.npz": "no array test_labels",
		"floats.npz": "train_images is not an array of bytes", "shapes.npz": "test_images has images of 1 x 5 x 4",
		"cut.npz": "not an .npz", "none.npz": "not an .npz", "text.npz": "not an .npz",
	} {
		_, err := Load(t.Context(), "medmnist:"+file, LoadOptions{Dirs: []string{"testdata", dir}})
		errtest.Want(t, err, filepath.Base(file)+": ", words)
	}
	_, err = Load(t.Context(), "medmnist:absent", LoadOptions{Dirs: []string{"testdata"}})
	errtest.Want(t, err, "medmnist:absent not found", "testdata/medmnist/absent", "--data-dir")
	_, err = Load(t.Context(), "medmnist:testdata", LoadOptions{})
	errtest.Want(t, err, "testdata: it is a folder")
	_, err = Load(t.Context(), "medmnist", LoadOptions{})
	errtest.Want(t, err, "medmnist:PATH")
}
