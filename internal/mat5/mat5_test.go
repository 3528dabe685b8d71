package mat5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

func openMAT(t testing.TB, name string, arrays ...string) (map[string]*Array, error) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return Read(f, 1<<20, arrays...)
}

func TestRead(t *testing.T) {
	for _, kind := range []string{"int8", "int16", "int32", "int64", "float32", "float64", "uint8", "uint16", "uint32", "uint64"} {
		arrays, err := openMAT(t, "types.mat", kind)
		if err != nil {
			t.Fatal(err)
		}
		want := []int64{1, 4, -2, 5, 3, 6} // column-major order
		if kind[0] == 'u' {
			want[2] = 2
		}
		got, err := arrays[kind].Ints(-2, 6)
		if err != nil || !slices.Equal(got, want) || !slices.Equal(arrays[kind].Dims, []int{2, 3}) {
			t.Errorf("%s: %v of %v, %v", kind, got, arrays[kind].Dims, err)
		}
		_, err = arrays[kind].Ints(0, 5)
		errtest.Want(t, err, "must be 0 to 5")
	}
	arrays, err := openMAT(t, "types.mat", "half")
	if err != nil {
		t.Fatal(err)
	}
	_, err = arrays["half"].Ints(-9, 9)
	errtest.Want(t, err, "element 0 is 0.5")
	for name, word := range map[string]string{"imaginary": "not an array of real numbers", "structure": "not an array of real numbers", "absent": "the arrays absent"} {
		_, err = openMAT(t, "types.mat", name)
		errtest.Want(t, err, word)
	}
	arrays, err = openMAT(t, "plain.mat", "X", "y")
	if err != nil {
		t.Fatal(err)
	}
	if y, err := arrays["y"].Ints(1, 10); err != nil || !slices.Equal(y, []int64{8, 9}) || !slices.Equal(arrays["X"].Dims, []int{4, 4, 3, 2}) {
		t.Errorf("y %v, %v, X of %v", y, err, arrays["X"].Dims)
	}
}

// matFile returns a MATLAB file with the given byte order that has one array "X" of bytes, whose parts may be inconsistent.
func matFile(order binary.AppendByteOrder, compress bool, dims []uint32, size uint32, data []byte) []byte {
	element := func(b []byte, kind, size uint32, data []byte) []byte {
		b = order.AppendUint32(order.AppendUint32(b, kind), size)
		b = append(b, data...)
		return append(b, make([]byte, padding(int64(len(data))))...)
	}
	var shape []byte
	for _, d := range dims {
		shape = order.AppendUint32(shape, d)
	}
	body := element(nil, typeUint32, 8, order.AppendUint32(order.AppendUint32(nil, 9), 0))
	body = element(body, typeInt32, uint32(len(shape)), shape)
	body = append(body, order.AppendUint32(nil, 1<<16|typeInt8)...) // the small form
	body = append(body, 'X', 0, 0, 0)
	body = element(body, typeUint8, size, data)
	body = element(nil, typeMatrix, uint32(len(body)), body)
	if compress {
		var z bytes.Buffer
		w := zlib.NewWriter(&z)
		_, _ = w.Write(body) // to memory
		_ = w.Close()
		body = append(order.AppendUint32(order.AppendUint32(nil, typeCompressed), uint32(z.Len())), z.Bytes()...)
	}
	head := append([]byte("MATLAB 5.0 MAT-file"), bytes.Repeat([]byte{' '}, 128-19)...)
	copy(head[124:], order.AppendUint16(order.AppendUint16(nil, 0x0100), 0x4d49))
	return append(head, body...)
}

func TestOrdersAndDamage(t *testing.T) {
	data := []byte{1, 2, 3, 4, 5, 6}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		for _, compress := range []bool{false, true} {
			arrays, err := Read(bytes.NewReader(matFile(order, compress, []uint32{2, 3}, 6, data)), 1<<20, "X")
			if err != nil {
				t.Fatalf("%v, compressed %v: %v", order, compress, err)
			}
			if !bytes.Equal(arrays["X"].Raw, data) || !slices.Equal(arrays["X"].Dims, []int{2, 3}) {
				t.Errorf("%v: %v of %v", order, arrays["X"].Raw, arrays["X"].Dims)
			}
		}
	}
	good := matFile(binary.LittleEndian, false, []uint32{2, 3}, 6, data)
	packed := matFile(binary.LittleEndian, true, []uint32{2, 3}, 6, data)
	broken := bytes.Clone(packed)
	broken[len(broken)-1] ^= 0xff
	for _, c := range []struct {
		name  string
		bytes []byte
		word  string
	}{
		{"empty", nil, "truncated"},
		{"another file", bytes.Repeat([]byte("<html>"), 40), "not a MATLAB file"},
		{"version 7.3", append([]byte("MATLAB 7.3 MAT-file"), make([]byte, 200)...), "version 7.3 (HDF5)"},
		{"header alone", good[:128], "the arrays X"},
		{"cut off", good[:len(good)-9], "truncated"},
		{"compressed, cut off", packed[:len(packed)-9], "truncated"},
		{"compressed, checksum", broken, "checksum"},
		{"a size beyond the end", matFile(binary.LittleEndian, false, []uint32{2, 3}, 1<<19, data), "truncated"},
		{"a size beyond all bounds", matFile(binary.LittleEndian, true, []uint32{2, 3}, 1<<31, data), "damaged"},
		{"a shape beyond all bounds", matFile(binary.LittleEndian, false, []uint32{1 << 30, 1 << 30, 1 << 30}, 6, data), "more than the"},
		{"a shape below zero", matFile(binary.LittleEndian, false, []uint32{2, 1 << 31}, 6, data), "more than the"},
		{"another shape", matFile(binary.LittleEndian, false, []uint32{2, 4}, 6, data), "6 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(bytes.NewReader(c.bytes), 1<<20, "X")
			errtest.Want(t, err, c.word)
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"types.mat", "plain.mat", "test_32x32.mat"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(matFile(binary.BigEndian, false, []uint32{1 << 30}, 1<<30, nil))
	f.Add(matFile(binary.LittleEndian, true, []uint32{1 << 30}, 1<<30, []byte{1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		arrays, err := Read(bytes.NewReader(b), 1<<26, "X", "y")
		runtime.ReadMemStats(&after)
		// zlib may unpack to a thousand times as many bytes.
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(4<<20+3000*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		for _, a := range arrays {
			if _, err := a.Ints(-1<<60, 1<<60); err != nil && strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %v", err)
			}
		}
		if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
			t.Errorf("error of several lines: %v", err)
		}
	})
}
