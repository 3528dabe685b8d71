package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

// EXIF orientations are ignored, as in torchvision's ImageFolder, or applied like in Pillow with the option exif=apply.
func TestEXIF(t *testing.T) {
	const fixtures = "testdata/exif"
	for n := 1; n <= 8; n++ {
		for _, kind := range []string{"png", "jpg"} {
			name := fmt.Sprintf("%d.%s", n, kind)
			b, err := os.ReadFile(filepath.Join(fixtures, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				suffix  string
				upright bool
			}{{".stored.rgb", false}, {".rgb", true}} {
				want, err := os.ReadFile(filepath.Join(fixtures, name+c.suffix))
				if err != nil {
					t.Fatal(err)
				}
				p := picture{node: &node{place: filepath.Join(fixtures, name)}}
				r, err := readPicture(p, c.upright)
				if err != nil {
					t.Fatal(err)
				}
				w, h := 16, 8
				if c.upright && n >= 5 {
					w, h = 8, 16
				}
				most, _ := differ(t, interleaved(r.planes, len(r.planes)/3), want)
				if r.width != w || r.height != h || r.orientation != n || kind == "png" && most > 0 || most > 4 {
					t.Errorf("%s, upright %v: %d x %d, orientation %d, pixels differ by %d", name, c.upright, r.width, r.height, r.orientation, most)
				}
			}
			// The search for the tag does not fail with any part of the file.
			for k := range b {
				orientation(b[:k])
				for _, v := range []byte{0, 0xff} {
					changed := slices.Clone(b)
					changed[k] = v
					if o := orientation(changed); o < 0 || o > 8 {
						t.Fatalf("%s: orientation %d", name, o)
					}
				}
			}
		}
	}
}

// The tag is found in both byte orders, after another tag.
func TestOrientationOfTIFF(t *testing.T) {
	for text, want := range map[string]int{
		"MM\x00*\x00\x00\x00\x08\x00\x02\x01\x10\x00\x02\x00\x00\x00\x01\x00\x00\x00\x00\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00": 6,
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00":                                                 8,
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x09\x00\x00\x00":                                                 0, // no orientation
		"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x01\x00\x00\x00\x08\x00\x00\x00":                                                 0, // no number
		"II*\x00\xff\xff\xff\xff\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00":                                                 0, // the directory is beyond the end
	} {
		if got := orientationOfTIFF([]byte(text)); got != want {
			t.Errorf("%q: orientation %d, want %d", text, got, want)
		}
	}
}

func TestEXIFOption(t *testing.T) {
	dir := t.TempDir()
	turned, err := os.ReadFile("testdata/exif/6.jpg")
	if err != nil {
		t.Fatal(err)
	}
	upright, err := os.ReadFile("testdata/exif/1.jpg")
	if err != nil {
		t.Fatal(err)
	}
	plant(t, dir, map[string][]byte{"train/a/1.jpg": upright, "train/b/1.jpg": turned, "test/a/1.jpg": turned})
	load := func(options map[string]string) (*Set, error) {
		return Load(t.Context(), "folder:"+dir, LoadOptions{Extra: options})
	}
	s, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(s.Notes, "\n"); s.Width != 16 || s.Height != 8 || !strings.Contains(notes, "2 images have an EXIF orientation, which is ignored") {
		t.Errorf("%d x %d, notes %q", s.Width, s.Height, notes)
	}
	_, err = load(map[string]string{"exif": "apply"}) // 16 x 8 and 8 x 16
	errtest.Want(t, err, "8 x 16 pixels", "16 x 8", "size=")
	s, err = load(map[string]string{"exif": "apply", "size": "8x8"})
	if err != nil || !strings.Contains(strings.Join(s.Notes, "\n"), "2 images were rotated") {
		t.Errorf("%v, %v", s, err)
	}
	_, err = load(map[string]string{"exif": "yes"})
	errtest.Want(t, err, "option exif=yes: use ignore or apply")
}
