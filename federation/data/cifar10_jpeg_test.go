package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"feddag/internal/errtest"
)

// These are statistics of all images, R, G, B, by Pillow 13.0.0 (libjpeg-turbo) and NumPy: testdata/cifar10_jpeg.py.
var pillowCIFAR10JPEG = map[string]struct{ mean, std [3]float64 }{
	"train": {[3]float64{125.26885, 122.93302, 113.86284}, [3]float64{62.53406, 61.90930, 66.46034}},
	"test":  {[3]float64{125.98676, 123.69122, 114.84741}, [3]float64{62.43556, 61.76052, 66.44832}},
}

func TestCIFAR10JPEGLayouts(t *testing.T) {
	files := map[string][]byte{}
	for i, class := range cifar10Classes {
		files["train/"+class+"/0000.png"] = pngOf(t, 32, 32, i)
		files["test/"+class+"/0000.png"] = pngOf(t, 32, 32, 100+i)
	}
	for _, below := range []string{"", "cifar10", "cifar10-jpeg"} {
		dir := t.TempDir()
		plant(t, filepath.Join(dir, below), files)
		s, err := Load(t.Context(), "CIFAR10_JPEG", LoadOptions{Dirs: []string{"/nonexistent", dir}})
		if err != nil {
			t.Fatal(err)
		}
		if s.Title != "CIFAR-10 (JPEG)" || s.Name != "cifar10-jpeg" || !slices.Equal(s.Mean, cifar10Mean) || !slices.Equal(s.Std, cifar10Std) {
			t.Errorf("%s, %s, scaled by %v, %v", s.Name, s.Title, s.Mean, s.Std)
		}
		if !slices.Equal(s.Test.Labels, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || s.Image(s.Test, 3)[0] != 103 {
			t.Errorf("labels %v", s.Test.Labels)
		}
	}
	dir := t.TempDir()
	delete(files, "train/frog/0000.png")
	delete(files, "test/frog/0000.png")
	plant(t, dir, map[string][]byte{"train-1.zip": zipOf(t, only(files, "train/")), "test.zip": zipOf(t, only(files, "test/"))})
	_, err := Load(t.Context(), "cifar10-jpeg", LoadOptions{Dirs: []string{dir}})
	errtest.Want(t, err, dir, "9 classes", "are not CIFAR-10")
	_, err = Load(t.Context(), "cifar10-jpeg", LoadOptions{Dirs: []string{"/nonexistent"}})
	errtest.Want(t, err, "not found", "/nonexistent", "train*.zip", "--data-dir")
}

// This test decodes and counts all 60,000 images, and compares them with the images that Pillow decodes.
func TestRealCIFAR10JPEG(t *testing.T) {
	dir := shared(t, "data")
	if os.Getenv("FEDDAG_LONG") == "" {
		t.Skip("decodes 60,000 images: set FEDDAG_LONG=1")
	}
	cache := t.TempDir()
	load := func() *Set {
		s, err := Load(t.Context(), "cifar10-jpeg", LoadOptions{Dirs: []string{dir}, Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := load()
	if !slices.Equal(s.ClassCounts(s.Train), slices.Repeat([]int{5000}, 10)) || !slices.Equal(s.ClassCounts(s.Test), slices.Repeat([]int{1000}, 10)) {
		t.Errorf("class counts %v, %v", s.ClassCounts(s.Train), s.ClassCounts(s.Test))
	}
	for name, split := range map[string]Images{"train": s.Train, "test": s.Test} {
		mean, std := s.Stats(split)
		want := pillowCIFAR10JPEG[name]
		for c := range 3 {
			// The decoders round differently. On average they differ by far less than one grey level.
			if d := math.Abs(255*mean[c] - want.mean[c]); d > 0.005 {
				t.Errorf("%s: mean %.5f of channel %d, Pillow's is %.5f", name, 255*mean[c], c, want.mean[c])
			}
			if d := math.Abs(255*std[c] - want.std[c]); d > 0.005 {
				t.Errorf("%s: deviation %.5f of channel %d, Pillow's is %.5f", name, 255*std[c], c, want.std[c])
			}
		}
		sum := sha256.Sum256(split.Pixels)
		t.Logf("%s: mean %.5f, std %.5f, pixels %s", name, mean, std, hex.EncodeToString(sum[:8]))
	}
	again := load()
	if fmt.Sprint(again.Notes) != fmt.Sprint(s.Notes) || again.Hash() != s.Hash() || !slices.Equal(again.Train.Pixels, s.Train.Pixels) || !slices.Equal(again.Test.Pixels, s.Test.Pixels) {
		t.Error("another set came back from the cache")
	}
}
