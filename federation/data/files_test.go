package data

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeImage writes an image of a size, with colours or grey, in the format of the path's ending.
func writeImage(t *testing.T, path string, width, height int, colour bool) {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			c := color.NRGBA{uint8(7 * x), uint8(5*y + x), uint8(3*x + 11*y), 255}
			if !colour {
				c.G, c.B = c.R, c.R
			}
			m.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	var err error
	if strings.HasSuffix(path, ".png") {
		err = png.Encode(&b, m)
	} else {
		err = jpeg.Encode(&b, m, nil)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Files that are read separately have the same pixels as in a set of images, for all options of such a set.
func TestReadFilesAsTheSet(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, name := range []string{"test/a/1.png", "test/a/2.jpg", "test/b/3.png", "train/a/4.png", "train/b/5.jpg"} {
		path := filepath.Join(dir, name)
		writeImage(t, path, 20, 30, true)
		if strings.HasPrefix(name, "test/") {
			paths = append(paths, path)
		}
	}
	for _, options := range []map[string]string{
		nil, {"size": "16"}, {"size": "16x12", "resize": "area"}, {"channels": "1"}, {"channels": "1", "size": "13"},
	} {
		s, err := Load(context.Background(), "folder:"+dir, LoadOptions{Extra: options})
		if err != nil {
			t.Fatal(err)
		}
		shape := [3]int{s.Channels, s.Height, s.Width}
		got, err := ReadFiles(context.Background(), paths, shape, s.Name, options, "")
		if err != nil {
			t.Fatalf("%v: %v", options, err)
		}
		if !bytes.Equal(got, s.Test.Pixels) {
			t.Errorf("%v: other pixels than in the set", options)
		}
	}
	// With a filter, images are also stretched for a set without such options.
	got, err := ReadFiles(context.Background(), paths, [3]int{3, 16, 16}, "cifar10", nil, "area")
	if err != nil {
		t.Fatal(err)
	}
	want, err := ReadFiles(context.Background(), paths, [3]int{3, 16, 16}, "folder:x", map[string]string{"size": "16", "resize": "area"}, "")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("other pixels with --resize area than with the option (%v)", err)
	}
}

// An image that the models cannot use is an error that names the file and says what to do.
func TestReadFilesErrors(t *testing.T) {
	dir := t.TempDir()
	colour, grey, text := filepath.Join(dir, "colour.png"), filepath.Join(dir, "grey.png"), filepath.Join(dir, "text.png")
	writeImage(t, colour, 8, 8, true)
	writeImage(t, grey, 8, 8, false)
	if err := os.WriteFile(text, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		path   string
		shape  [3]int
		filter string
		want   string
	}{
		{colour, [3]int{3, 8, 9}, "", "colour.png has 8 x 8 pixels, but the models need 9 x 8"},
		{colour, [3]int{1, 8, 8}, "", "colour.png has colours"},
		{colour, [3]int{3, 9, 9}, "bicubic", `"bicubic"`},
		{text, [3]int{3, 8, 8}, "", "text.png: the content is neither JPEG nor PNG"},
		{filepath.Join(dir, "none.png"), [3]int{3, 8, 8}, "", "none.png: no such file"},
		{dir, [3]int{3, 8, 8}, "", dir},
	} {
		if _, err := ReadFiles(context.Background(), []string{x.path}, x.shape, "mnist", nil, x.filter); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s for %v: %v, want %q", x.path, x.shape, err, x.want)
		}
	}
	// A grey image that is stored with three channels counts as grey, and a grey image fits three channels.
	for _, channels := range []int{1, 3} {
		if got, err := ReadFiles(context.Background(), []string{grey}, [3]int{channels, 8, 8}, "mnist", nil, ""); err != nil || len(got) != channels*64 {
			t.Errorf("%d channels: %d bytes, %v", channels, len(got), err)
		}
	}
}
