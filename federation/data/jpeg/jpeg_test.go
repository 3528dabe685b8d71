package jpeg

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func fixtures(t testing.TB) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/*.ppm.gz")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d fixtures, %v", len(names), err)
	}
	for i, name := range names {
		names[i] = strings.TrimSuffix(name, ".ppm.gz")
	}
	return names
}

// expected reads what djpeg made of a fixture, a PPM or PGM file, as planes.
func expected(t testing.TB, name string) *Image {
	t.Helper()
	f, err := os.Open(name + ".ppm.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	m := &Image{Channels: 3}
	var kind, most int
	if _, err := fmt.Sscanf(string(b), "P%d\n%d %d\n%d", &kind, &m.Width, &m.Height, &most); err != nil {
		t.Fatal(err)
	}
	if kind == 5 {
		m.Channels = 1
	}
	n := m.Width * m.Height
	b = b[len(b)-m.Channels*n:]
	m.Pixels = make([]byte, len(b))
	for i := range n {
		for c := range m.Channels {
			m.Pixels[c*n+i] = b[m.Channels*i+c]
		}
	}
	return m
}

// Every byte is the one that libjpeg-turbo makes.
func TestDecodeLikeLibjpeg(t *testing.T) {
	for _, name := range fixtures(t) {
		t.Run(filepath.Base(name), func(t *testing.T) {
			b, err := os.ReadFile(name + ".jpg")
			if err != nil {
				t.Fatal(err)
			}
			want := expected(t, name)
			got, err := Decode(b)
			if err != nil {
				t.Fatal(err)
			}
			if got.Width != want.Width || got.Height != want.Height || got.Channels != want.Channels {
				t.Fatalf("%d x %d x %d, want %d x %d x %d", got.Channels, got.Height, got.Width, want.Channels, want.Height, want.Width)
			}
			for i := range want.Pixels {
				if got.Pixels[i] != want.Pixels[i] {
					n := want.Width * want.Height
					t.Fatalf("channel %d, row %d, column %d is %d, must be %d", i/n, i%n/want.Width, i%want.Width, got.Pixels[i], want.Pixels[i])
				}
			}
			c, err := ReadConfig(b)
			if err != nil || c != (Config{want.Width, want.Height, want.Channels}) {
				t.Errorf("config %+v, %v", c, err)
			}
		})
	}
}

func TestZigzag(t *testing.T) {
	sorted := slices.Sorted(slices.Values(zigzag[:]))
	for k, v := range sorted {
		if k != v {
			t.Fatalf("not each place once: %v", zigzag)
		}
	}
	if !slices.Equal(zigzag[:10], []int{0, 1, 8, 16, 9, 2, 3, 10, 17, 24}) || zigzag[62] != 62 || zigzag[35] != 56 || zigzag[28] != 7 {
		t.Errorf("order %v", zigzag)
	}
}

// read is a fixture's file.
func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".jpg"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// with replaces the byte that lies offset bytes behind a marker.
func with(t testing.TB, b []byte, marker byte, offset int, value byte) []byte {
	t.Helper()
	at := bytes.Index(b, []byte{0xff, marker})
	if at < 0 {
		t.Fatalf("no marker %#x", marker)
	}
	b = bytes.Clone(b)
	b[at+2+offset] = value
	return b
}

// without leaves out a segment.
func without(t testing.TB, b []byte, marker byte) []byte {
	t.Helper()
	for {
		at := bytes.Index(b, []byte{0xff, marker})
		if at < 0 {
			return b
		}
		n := int(b[at+2])<<8 | int(b[at+3])
		b = slices.Concat(b[:at], b[at+2+n:])
	}
}

func TestBadFiles(t *testing.T) {
	good := read(t, "odd-420")
	restart := read(t, "odd-restart")
	at := bytes.Index(restart, []byte{0xff, rst0 + 1})
	missing := slices.Concat(restart[:at], restart[at+2:])
	for _, c := range []struct {
		name  string
		bytes []byte
		word  string
	}{
		{"empty", nil, "not a JPEG"},
		{"text", []byte("<html>"), "not a JPEG"},
		{"a start alone", good[:2], "truncated"},
		{"cut off in a header", good[:30], "truncated"},
		{"cut off in the codes", good[:len(good)-40], "truncated"},
		{"cut off before its end", good[:len(good)-2], "truncated"},
		{"progressive, cut off", read(t, "odd-progressive")[:600], "truncated"},
		{"arithmetic codes", read(t, "arithmetic"), "arithmetic"},
		{"12 bits", with(t, good, sof0, 2, 12), "12 bits"},
		{"no height", with(t, with(t, good, sof0, 3, 0), sof0, 4, 0), "37 x 0"},
		{"two components", with(t, good, sof0, 7, 2), "truncated"},
		{"a sampling of 0", with(t, good, sof0, 9, 0), "sampling"},
		{"a sampling by fractions", with(t, good, sof0, 9, 0x33), ""},
		{"a table that is none", with(t, good, sof0, 10, 7), "table"},
		{"a component twice", with(t, good, sof0, 11, 1), "twice"},
		{"no quantisation table", without(t, good, dqt), "quantisation table is missing"},
		{"no Huffman table", without(t, good, dht), "Huffman table is missing"},
		{"a Huffman table too full", with(t, good, dht, 3, 9), "Huffman table"},
		{"no scan", without(t, good, sos), "truncated"},
		{"a scan of an unknown component", with(t, good, sos, 3, 9), "unknown component"},
		{"a scan of impossible coefficients", with(t, read(t, "odd-progressive"), sos, 10, 70), "impossible"},
		{"a restart marker is missing", missing, "damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.bytes)
			if err == nil {
				if c.word != "" {
					t.Fatal("no error")
				}
				return
			}
			if !strings.Contains(err.Error(), c.word) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q lacks %q", err, c.word)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"odd-420", "odd-progressive", "narrow-422", "dot-444", "odd-restart-progressive", "odd-many", "wide-411", "even-grey", "odd-rgb"} {
		f.Add(read(f, name))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ReadConfig(b)
		if err != nil || c.Width*c.Height > 1<<20 {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		m, err := Decode(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+64*(c.Width+64)*(c.Height+64)) {
			t.Errorf("%d x %d pixels made it allocate %d bytes", c.Width, c.Height, n)
		}
		if err == nil && (m.Width != c.Width || m.Height != c.Height || len(m.Pixels) != m.Channels*m.Width*m.Height) {
			t.Errorf("%d x %d x %d in %d bytes", m.Channels, m.Height, m.Width, len(m.Pixels))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	file := read(b, "even-420")
	for b.Loop() {
		if _, err := Decode(file); err != nil {
			b.Fatal(err)
		}
	}
}
