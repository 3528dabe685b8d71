package data

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func encoded(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// notesOf loads a set and returns its notes as one text.
func notesOf(t *testing.T, name string, o LoadOptions) string {
	t.Helper()
	s, err := Load(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(s.Notes, "\n")
}

func TestFilesLeftOut(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	files := animals(t)
	for k := range 3 {
		files[fmt.Sprintf("train/cat/x%d.BMP", k)] = []byte("BM")
	}
	files["README"] = nil
	files["train/cat/.hidden.gif"] = nil
	plant(t, dir, files)
	for range 2 { // read from the files, and then from the decoded copy
		notes := notesOf(t, "folder:"+dir, LoadOptions{Cache: cache})
		for _, words := range []string{"4 files are left out", "3 .bmp (" + filepath.Join(dir, "train/cat/x0.BMP") + ")", "1 without an ending (" + filepath.Join(dir, "README") + ")", ".jpg, .jpeg and .png"} {
			if !strings.Contains(notes, words) {
				t.Errorf("the notes lack %q: %s", words, notes)
			}
		}
		if strings.Contains(notes, "gif") {
			t.Errorf("a hidden file is named: %s", notes)
		}
	}
	zipped := t.TempDir()
	plant(t, zipped, map[string][]byte{"a.zip": zipOf(t, files)})
	if notes := notesOf(t, "folder:"+zipped+"/a.zip", LoadOptions{}); !strings.Contains(notes, "a.zip: train/cat/x0.BMP") {
		t.Error(notes)
	}
	plain := t.TempDir()
	plant(t, plain, animals(t))
	if notes := notesOf(t, "folder:"+plain, LoadOptions{}); notes != "" {
		t.Errorf("notes about nothing: %s", notes)
	}
}

func TestImagesOfSixteenBits(t *testing.T) {
	grey := image.NewGray16(image.Rect(0, 0, 4, 3))
	deep := image.NewNRGBA64(image.Rect(0, 0, 4, 3))
	for i := range 12 {
		grey.SetGray16(i%4, i/4, color.Gray16{Y: uint16(20 * i)})
		deep.SetNRGBA64(i%4, i/4, color.NRGBA64{R: uint16(300 * i), A: 0xffff})
	}
	for _, c := range []struct {
		image image.Image
		words []string
	}{
		{grey, []string{"2 images have 16 bits", "only up to 220", "all black", "all 1 training images are equal and have one value per channel, [0] (a standard deviation of 0)", "1 of 1 test image"}},
		{deep, []string{"2 images have 16 bits", "only up to 3300", "at most 13 of 256 levels", "channel 1 of 3 has the same value, 0, in all"}},
	} {
		dir, b := t.TempDir(), encoded(t, c.image)
		plant(t, dir, map[string][]byte{"train/a/1.png": b, "test/a/1.png": b})
		notes := notesOf(t, "folder:"+dir, LoadOptions{})
		for _, words := range c.words {
			if !strings.Contains(notes, words) {
				t.Errorf("the notes lack %q: %s", words, notes)
			}
		}
	}
	for i := range grey.Pix {
		grey.Pix[i] *= 8
	}
	grey.SetGray16(0, 0, color.Gray16{Y: 4096})
	dir, b := t.TempDir(), encoded(t, grey)
	plant(t, dir, map[string][]byte{"train/a/1.png": b, "test/a/1.png": b})
	if notes := notesOf(t, "folder:"+dir, LoadOptions{}); strings.Contains(notes, "16 bits") {
		t.Errorf("%s", notes)
	}
}

func TestWarnings(t *testing.T) {
	s := &Set{Name: "x", Channels: 2, Height: 1, Width: 2, Classes: 8, ClassNames: []string{"0", "cat", "2", "3", "4", "5", "6", "7"}, UserNames: []string{"ann", "bob", "eve"}}
	s.Train = Images{Pixels: []byte{1, 2, 7, 7, 5, 5, 7, 7}, Labels: []byte{0, 1}, Users: []int32{0, 2}}
	s.Test = Images{Pixels: []byte{1, 2, 3, 4}, Labels: []byte{0}, Users: []int32{1}}
	want := []string{
		"channel 1 of 2 has the same value, 7, in all training images (a standard deviation of 0): nothing can be learned from it",
		"1 of 2 training images are of one value per channel, without variation, the first of class 1 (cat)",
		"6 of 8 classes are without an image: 2, 3, 4, 5, 6 and 1 more",
		"1 of 8 classes are without a test image: 1 (cat)",
		"1 of 3 users are without a training image: bob",
		"2 of 3 users are without a test image: ann, eve",
	}
	if got := s.warnings(); !slices.Equal(got, want) {
		t.Errorf("warnings:\n%s", strings.Join(got, "\n"))
	}
	// An imported set has each warning once.
	want[0] = "channel 0 of 3 has the same value, 1, in all training images (a standard deviation of 0): nothing can be learned from it"
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, cacheFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	source := t.TempDir()
	plant(t, source, map[string][]byte{"train.csv": []byte("user,file,label,split\nann,a.png,1,train\nbob,b.png,1,test\n"), "a.png": pngOf(t, 4, 3, 1), "b.png": pngOf(t, 4, 3, 2)})
	o := LoadOptions{Dirs: []string{dir}, Cache: filepath.Join(dir, cacheFolder)}
	_, imported, err := Import(t.Context(), "mine", "csv:"+source+"/train.csv", o)
	if err != nil {
		t.Fatal(err)
	}
	want = []string{want[0], "1 of 2 classes are without an image: 0", "1 of 2 users are without a training image: bob", "1 of 2 users are without a test image: ann"}
	if got := notesOf(t, "mine", o); got != strings.Join(want, "\n") || !slices.Equal(imported.Notes, want) {
		t.Errorf("notes %q, of the import %q", got, imported.Notes)
	}
}

func TestFoldersOfNumbers(t *testing.T) {
	files := map[string][]byte{}
	for _, class := range []string{"0", "2", "10"} {
		pictures4x3(t, files, "train/"+class+"/%d.png", 1, 0)
		pictures4x3(t, files, "test/"+class+"/%d.png", 1, 0)
	}
	dir := t.TempDir()
	plant(t, dir, files)
	if notes := notesOf(t, "folder:"+dir, LoadOptions{}); !strings.Contains(notes, "folder 10 is label 1") {
		t.Error(notes)
	}
}
