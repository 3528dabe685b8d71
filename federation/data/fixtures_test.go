package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// idxBytes returns an IDX file with the given dimensions and payload, which need not agree.
func idxBytes(magic uint32, dims []uint32, payload []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, d)
	}
	return append(b, payload...)
}

func gz(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// imagesOf returns n images of 28 x 28. Byte j of image i is i+j.
func imagesOf(n int) []byte {
	b := make([]byte, n*784)
	for i := range b {
		b[i] = byte(i/784 + i%784)
	}
	return b
}

// labelsOf returns n labels 0, 1, ..., 9, 0, ...
func labelsOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i % 10)
	}
	return b
}

// tinyFiles returns the four files of a set with 30 training and 20 test images.
func tinyFiles() map[string][]byte {
	return map[string][]byte{
		idxFiles[0]: idxBytes(0x803, []uint32{30, 28, 28}, imagesOf(30)),
		idxFiles[1]: idxBytes(0x801, []uint32{30}, labelsOf(30)),
		idxFiles[2]: idxBytes(0x803, []uint32{20, 28, 28}, imagesOf(20)),
		idxFiles[3]: idxBytes(0x801, []uint32{20}, labelsOf(20)),
	}
}

func write(t testing.TB, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
