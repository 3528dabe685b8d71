package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

const imageFixtures = "testdata/images"

// interleaved returns R, G, B by pixel, like the fixtures.
func interleaved(planes []byte, n int) []byte {
	b := make([]byte, 0, 3*n)
	for i := range n {
		b = append(b, planes[i], planes[n+i], planes[2*n+i])
	}
	return b
}

// differ returns the largest difference of two byte strings, and the share of bytes that are equal.
func differ(t *testing.T, a, b []byte) (most int, equal float64) {
	t.Helper()
	if len(a) != len(b) {
		t.Fatalf("%d bytes, want %d", len(a), len(b))
	}
	same := 0
	for i := range a {
		d := int(a[i]) - int(b[i])
		most = max(most, d, -d)
		if d == 0 {
			same++
		}
	}
	return most, float64(same) / float64(len(a))
}

func TestDecodeLikePillow(t *testing.T) {
	for _, c := range []struct {
		name   string
		most   int // largest difference: the inverse cosine transforms round differently
		colour bool
	}{
		{"444.jpg", 3, true}, {"422.jpg", 3, true}, {"420.jpg", 3, true}, {"progressive.jpg", 3, true}, {"even.jpg", 3, true},
		{"narrow.jpg", 3, true}, {"grey.jpg", 1, false}, {"rgb.png", 0, true}, {"grey.png", 0, false}, {"grey16.png", 0, false},
		{"palette.png", 0, true}, {"alpha.png", 0, true}, {"bits.png", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(imageFixtures, c.name))
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join(imageFixtures, c.name+".rgb"))
			if err != nil {
				t.Fatal(err)
			}
			r, err := decodeImage(b)
			if err != nil {
				t.Fatal(err)
			}
			most, equal := differ(t, interleaved(r.planes, r.width*r.height), want)
			if most > c.most || equal < 0.9 {
				t.Errorf("off by up to %d, %.1f%% equal", most, 100*equal)
			}
			if r.colour != c.colour {
				t.Errorf("colour %v, want %v", r.colour, c.colour)
			}
		})
	}
}

func TestResizeLikePillow(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(imageFixtures, "rgb.png"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeImage(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{32, 32}, {8, 5}, {23, 40}, {11, 17}, {1, 1}} {
		for filter, most := range map[string]int{"bilinear": 0, "area": 1} { // area differs where rounding has ties
			name := fmt.Sprintf("rgb.png.%dx%d.%s.rgb", size[0], size[1], filter)
			want, err := os.ReadFile(filepath.Join(imageFixtures, name))
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			resize(got, size[0], size[1], r, filter)
			if m, equal := differ(t, interleaved(got, size[0]*size[1]), want); m > most || equal < 0.99 {
				t.Errorf("%s: off by up to %d, %.1f%% equal", name, m, 100*equal)
			}
		}
	}
}

// pngOf returns a small PNG file of w x h pixels whose bytes depend on a number.
func pngOf(t testing.TB, w, h, number int) []byte {
	t.Helper()
	m := image.NewNRGBA(image.Rect(0, 0, w, h))
	for i := range w * h {
		m.SetNRGBA(i%w, i/w, color.NRGBA{byte(number), byte(number + i), byte(3 * i), 255})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// claimSize returns a PNG file whose header claims w x h pixels.
func claimSize(b []byte, w, h uint32) []byte {
	b = bytes.Clone(b)
	binary.BigEndian.PutUint32(b[16:], w)
	binary.BigEndian.PutUint32(b[20:], h)
	binary.BigEndian.PutUint32(b[29:], crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestDecodeBadImages(t *testing.T) {
	small := pngOf(t, 4, 4, 1)
	jpg, err := os.ReadFile(filepath.Join(imageFixtures, "420.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	cmyk, err := os.ReadFile(filepath.Join(imageFixtures, "cmyk.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		bytes []byte
		word  string
	}{
		{"empty", nil, "empty file"},
		{"text", []byte("<html>404</html>"), "neither JPEG nor PNG"},
		{"GIF", []byte("GIF89a\x01\x00\x01\x00"), "neither JPEG nor PNG"},
		{"half a JPEG", jpg[:len(jpg)/2], "truncated"},
		{"half a PNG", small[:len(small)-20], "truncated"},
		{"CMYK", cmyk, "CMYK"},
		{"huge", claimSize(small, 1<<20, 1<<20), "more than the"},
		{"larger than its bytes", claimSize(small, 4000, 4000), "cannot hold the 4000 x 4000"},
		{"no width", claimSize(small, 0, 4), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := decodeImage(c.bytes)
			runtime.ReadMemStats(&after)
			errtest.Want(t, err, c.word)
			if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 {
				t.Errorf("allocated %d bytes", n)
			}
		})
	}
}

func FuzzDecodeImage(f *testing.F) {
	files, err := filepath.Glob(imageFixtures + "/*.[jp][pn]g")
	if err != nil || len(files) < 10 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r raster
		var err error
		alloctest.Within(t, 4<<20+1<<18*len(b), func() { r, err = decodeImage(b) }) // a byte of a PNG may have 2^14 pixels
		if err == nil && (len(r.planes) != 3*r.width*r.height || r.width < 1) {
			t.Errorf("%d x %d in %d bytes", r.width, r.height, len(r.planes))
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("error of several lines: %v", err)
		}
	})
}

// shared returns a path of the folder of shared material beside the project, $FEDDAG_SHARED or ../shared, or skips.
func shared(t testing.TB, parts ...string) string {
	t.Helper()
	folder := os.Getenv("FEDDAG_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(append([]string{folder}, parts...)...)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no %s: set FEDDAG_SHARED to the folder that holds data/", path)
	}
	return path
}
