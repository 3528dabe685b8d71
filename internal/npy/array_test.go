package npy

import (
	"bytes"
	"math"
	"runtime"
	"slices"
	"testing"

	"feddag/internal/errtest"
)

func TestWriteAndRead(t *testing.T) {
	for _, a := range []*Array{
		{[]int{2, 3}, []float64{1, -2, math.Pi, 0, math.Inf(1), 5}},
		{[]int{3}, []float32{1, 2, 3}},
		{nil, []int64{-7}},
		{[]int{0, 4}, []int32{}},
		{[]int{2, 1, 2}, []uint8{1, 2, 3, 255}},
		{[]int{3}, []bool{true, false, true}},
		{[]int{2}, []int8{-128, 127}},
		{[]int{2}, []int16{-1 << 15, 1<<15 - 1}},
		{[]int{2}, []uint16{0, 1<<16 - 1}},
		{[]int{2}, []uint32{0, 1<<32 - 1}},
		{[]int{2}, []uint64{0, 1 << 63}},
	} {
		var file bytes.Buffer
		if err := Write(&file, a); err != nil {
			t.Fatal(err)
		}
		if at := bytes.IndexByte(file.Bytes(), '\n') + 1; at%64 != 0 {
			t.Errorf("the data starts at byte %d", at)
		}
		b, err := Read(bytes.NewReader(file.Bytes()), 1<<10)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Shape, b.Shape) || !slices.Equal(a.Float64s(), b.Float64s()) {
			t.Errorf("%v came back as %v", a, b)
		}
		m, err := b.Matrix()
		if (err == nil) != (len(a.Shape) == 2 && a.Shape[0] > 0) {
			t.Errorf("shape %v as a matrix: %v", a.Shape, err)
		}
		if err == nil {
			var again bytes.Buffer
			if err := WriteMatrix(&again, m); err != nil {
				t.Fatal(err)
			}
			if c, err := Read(&again, 1<<10); err != nil || !slices.Equal(c.Shape, a.Shape) || !slices.Equal(c.Float64s(), a.Float64s()) {
				t.Errorf("the matrix of %v came back as %v (%v)", a, c, err)
			}
		}
		for cut := range file.Len() {
			if _, err := Read(bytes.NewReader(file.Bytes()[:cut]), 1<<10); err == nil {
				t.Errorf("no error for the first %d of %d bytes", cut, file.Len())
			}
		}
	}
}

func TestInts(t *testing.T) {
	for _, c := range []struct {
		data any
		want []int
		word string
	}{
		{[]bool{true, false}, []int{1, 0}, ""},
		{[]int8{-3, 5}, []int{-3, 5}, ""},
		{[]uint64{0, 5}, []int{0, 5}, ""},
		{[]uint64{0, 1<<64 - 1}, nil, "element 1 is 18446744073709551615, must be -3 to 5"},
		{[]int16{-4}, nil, "element 0 is -4, must be -3 to 5"},
		{[]uint8{6}, nil, "element 0 is 6"},
		{[]float32{1}, nil, "must be whole numbers"},
	} {
		a := &Array{Data: c.data}
		got, err := a.Ints(-3, 5)
		if c.word != "" {
			errtest.Want(t, err, c.word)
		} else if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v became %v, %v", c.data, got, err)
		}
	}
}

// TestRead checks that big-endian elements are read, and that a file with more elements than the caller expects is refused
// before they are read.
func TestRead(t *testing.T) {
	b := append(file(1, "{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }"), 0, 1, 255, 254)
	a, err := Read(bytes.NewReader(b), 2)
	if err != nil || !slices.Equal(a.Data.([]int16), []int16{1, -2}) {
		t.Errorf("read %v, %v", a, err)
	}
	_, err = Read(bytes.NewReader(b), 1)
	errtest.Want(t, err, "2 elements", "at most 1")
	_, err = Read(bytes.NewReader(b[:len(b)-1]), 2)
	errtest.Want(t, err, "truncated: 3 of 4 bytes", ">i2", "[2]")
	_, err = Read(bytes.NewReader(file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 1000000), }")), math.MaxInt)
	errtest.Want(t, err, "0 of 8000000000000 bytes")
	errtest.Want(t, Write(new(bytes.Buffer), &Array{[]int{2, 2}, []float64{1}}), "needs 4")
	errtest.Want(t, Write(new(bytes.Buffer), &Array{[]int{1}, []string{"x"}}), "cannot be written")
	errtest.Want(t, Write(new(bytes.Buffer), &Array{[]int{-1}, []float64{1}}), "not a shape")
}

func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	_ = Write(&b, &Array{[]int{2, 2}, []float32{1, 2, 3, 4}})
	f.Add(b.Bytes())
	f.Add(append(file(1, "{'descr': '>i8', 'fortran_order': False, 'shape': (2, 3), }"), make([]byte, 48)...))
	f.Add(file(1, "{'descr': '<u8', 'fortran_order': False, 'shape': (1000000000,), }"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a, err := Read(bytes.NewReader(b), 1<<30)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(3<<20+64*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err != nil {
			return
		}
		if v, err := a.Ints(-5, 5); err == nil && len(v) != a.Len() {
			t.Errorf("%d numbers of %d", len(v), a.Len())
		}
		if v := a.Float64s(); len(v) != a.Len() {
			t.Errorf("%d numbers of %d", len(v), a.Len())
		}
		_, _ = a.Matrix()
		var again bytes.Buffer
		if err := Write(&again, a); err != nil {
			t.Fatal(err)
		}
		if c, err := Read(&again, 1<<30); err != nil || !slices.Equal(c.Shape, a.Shape) || c.Len() != a.Len() {
			t.Errorf("%v came back as %v (%v)", a, c, err)
		}
	})
}
