package npy

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// file returns a .npy file with the given version and header.
func file(version byte, text string) []byte {
	b := append([]byte(magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(text)))
	}
	return append(b, text...)
}

func TestHeader(t *testing.T) {
	for _, shape := range [][]int{nil, {3}, {2, 0}, {4, 5, 6}} {
		for _, descr := range []string{"<f8", "<f4", "<i8", "|u1", "|b1", ">i4"} {
			var b bytes.Buffer
			if err := WriteHeader(&b, descr, shape); err != nil {
				t.Fatal(err)
			}
			if b.Len()%64 != 0 {
				t.Errorf("%s %v: elements begin at byte %d", descr, shape, b.Len())
			}
			size := b.Len()
			b.WriteString("elements")
			h, err := ReadHeader(&b)
			if err != nil {
				t.Fatal(err)
			}
			count := 1
			for _, n := range shape {
				count *= n
			}
			if h.Descr() != descr || !slices.Equal(h.Shape, shape) || h.Count != count || h.Length != size || b.String() != "elements" {
				t.Errorf("%s %v became %+v, %q is left", descr, shape, h, b.String())
			}
		}
	}
	// Headers of NumPy 1.x, NumPy 2.x and other programs.
	for _, text := range []string{
		"{'descr': '>u2', 'fortran_order': False, 'shape': (2, 3), }",
		`{"shape":(2L,3L),"fortran_order":False,"descr":">u2"}`,
	} {
		for version := range byte(3) {
			h, err := ReadHeader(bytes.NewReader(file(version+1, text)))
			if err != nil || h.Descr() != ">u2" || h.Count != 6 || h.Size != 2 {
				t.Errorf("version %d, %s: %+v, %v", version+1, text, h, err)
			}
		}
	}
}

func TestBadHeaders(t *testing.T) {
	with := func(descr, fortran, shape string) []byte {
		return file(1, "{'descr': '"+descr+"', 'fortran_order': "+fortran+", 'shape': ("+shape+"), }")
	}
	whole := with("<f8", "False", "2,")
	for word, b := range map[string][]byte{
		"not a .npy file":          []byte("hello, world"),
		"version 9":                file(9, ""),
		"truncated":                whole[:20],
		"lacks descr":              file(1, "{}"),
		`"|O"`:                     with("|O", "False", "2,"),
		`"<c16"`:                   with("<c16", "False", "2,"),
		"column-major order":       with("<f8", "True", "2, 2"),
		"is not a shape":           with("<f8", "False", "-1,"),
		"(1000000000000, 1000000":  with("<f8", "False", "1000000000000, 1000000000000"),
		"a header of 4294967295 b": append([]byte(magic), 2, 0, 255, 255, 255, 255),
	} {
		if _, err := ReadHeader(bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("error %v lacks %q", err, word)
		}
	}
	if err := WriteHeader(new(bytes.Buffer), "<f8", make([]int, 33)); err == nil {
		t.Error("33 dimensions were written")
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"))
	f.Add(file(2, "{'descr': '|u1', 'fortran_order': True, 'shape': (2,), }"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ReadHeader(bytes.NewReader(b))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WriteHeader(&again, h.Descr(), h.Shape); err != nil {
			t.Fatal(err)
		}
		g, err := ReadHeader(&again)
		if err != nil || g.Descr() != h.Descr() || !slices.Equal(g.Shape, h.Shape) || g.Count != h.Count {
			t.Errorf("%+v became %+v, %v", h, g, err)
		}
	})
}
