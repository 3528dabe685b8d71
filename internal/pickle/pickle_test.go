package pickle

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
	"feddag/internal/npy"
)

func text(s string) Text            { return Text(s) }
func list(items ...any) *List       { return &List{items} }
func pickled(text ...string) []byte { return []byte(strings.Join(text, "")) }

func TestRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.pkl")
	if err != nil || len(files) != 7 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		d, ok := object.(*Dict)
		if !ok {
			t.Fatalf("%s holds a %T", file, object)
		}
		want := map[string]any{
			"labels": list(int64(0), int64(1), int64(255), int64(256), int64(65536), int64(-1), int64(-70000), int64(1<<40), int64(-1<<40),
				2.5, nil, true, false),
			"tuple":   list(int64(1), text("två"), text("\x00\xff'\n")),
			"nested":  &Dict{map[string]any{"empty": &List{}, "none": &List{}}},
			"escaped": text("a\\u00e4\nЖ"),
		}
		if strings.Contains(file, "python2") {
			want["tuple"], want["escaped"] = list(int64(1), text("two"), text("\x00\xff'\n")), text("-")
		}
		for key, w := range want {
			if got := d.Items[key]; !equalObjects(got, w) {
				t.Errorf("%s: %s is %v, want %v", file, key, got, w)
			}
		}
		a, ok := d.Items["data"].(*npy.Array)
		if !ok || !slices.Equal(a.Shape, []int{2, 40}) || a.Data.([]uint8)[0] != 5 || a.Data.([]uint8)[41] != 17 {
			t.Errorf("%s: data %+v", file, a)
		}
		for key, w := range map[string][]int{"big-endian": {1, -2, 3}, "ints": {0, 1, 2, 3, 4, 5}} {
			a, ok := d.Items[key].(*npy.Array)
			if !ok {
				t.Errorf("%s: %s is a %T", file, key, d.Items[key])
				continue
			}
			if got, err := a.Ints(-9, 9); err != nil || !slices.Equal(got, w) {
				t.Errorf("%s: %s is %v, %v, want %v", file, key, got, err, w)
			}
		}
	}
}

// equalObjects compares two objects and ignores how empty lists are represented.
func equalObjects(a, b any) bool {
	x, ok := a.(*List)
	y, also := b.(*List)
	if ok && also {
		return slices.EqualFunc(x.Items, y.Items, equalObjects)
	}
	if d, ok := a.(*Dict); ok {
		e, also := b.(*Dict)
		if !also || len(d.Items) != len(e.Items) {
			return false
		}
		for k := range d.Items {
			if !equalObjects(d.Items[k], e.Items[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

// TestReadMore checks that NumPy's numbers are read as numbers, that an array of objects has a list, and that numeric keys
// are written in decimal.
func TestReadMore(t *testing.T) {
	files, err := filepath.Glob("testdata/more/*.pkl")
	if err != nil || len(files) != 6 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object, err := Read(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		d := object.(*Dict)
		if got, want := d.Items["scalars"], list(int64(-5), int64(200), 0.5, true, int64(7)); !equalObjects(got, want) {
			t.Errorf("%s: scalars %v", file, got)
		}
		keys := d.Items["keys"].(*Dict)
		if !equalObjects(keys.Items["0"], list(int64(1), int64(2))) {
			t.Errorf("%s: keys %v", file, keys)
		}
		if a, ok := keys.Items["10"].(*npy.Array); !ok || !slices.Equal(a.Data.([]int32), []int32{3, 4}) {
			t.Errorf("%s: keys %v", file, keys)
		}
		for name, shape := range map[string][]int{"single": {}, "objects": {2, 1}} {
			a, ok := d.Items[name].(*npy.Array)
			if !ok || !slices.Equal(a.Shape, shape) {
				t.Fatalf("%s: %s is %+v", file, name, d.Items[name])
			}
			items := a.Data.(*List).Items
			image, ok := items[0].(*Dict)
			if !ok || !slices.Equal(image.Items["x"].(*npy.Array).Data.([]float32), []float32{0, 1, 2, 3, 4, 5}) {
				t.Errorf("%s: %s holds %v", file, name, items)
			}
			if name == "objects" && !equalObjects(items[1], text("two")) {
				t.Errorf("%s: objects holds %v", file, items[1])
			}
		}
	}
}

func TestBadPickles(t *testing.T) {
	array := "cnumpy.core.multiarray\n_reconstruct\n)R"
	dtype, objects := "cnumpy\ndtype\n(U\x02u1tR", "cnumpy\ndtype\n(U\x02O8tR"
	for _, c := range []struct {
		name   string
		pickle []byte
		word   string
	}{
		{"empty", nil, "truncated"},
		{"text", []byte("<html>"), "not a pickle"},
		{"nothing left", []byte("."), "are missing"},
		{"a mark left", []byte("(."), "are missing"},
		{"cut off", []byte("\x80\x02}U\x05ab"), "truncated"},
		{"a length beyond the end", []byte("T\xff\xff\xff\x7fa."), "truncated"},
		{"a length below zero", []byte("\x8e\xff\xff\xff\xff\xff\xff\xff\xffa."), "truncated"},
		{"a command", []byte("cos\nsystem\n(S'rm -rf /'\ntR."), `"system" of module "os"`},
		{"another command", []byte("\x8c\x08builtins\x8c\x04eval\x93."), `"eval" of module "builtins"`},
		{"an array of times", pickled("cnumpy\ndtype\n(U\x02M8tR."), `type "M8"`},
		{"objects as bytes", pickled(array, "(K\x01(K\x01t", objects, "\x89U\x05abcdetb."), "without bytes"},
		{"too few objects", pickled(array, "(K\x01(K\x02K\x03t", objects, "\x89]NatbN."), "1 objects for an array"},
		{"a huge shape of objects", pickled(array, "(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", objects, "\x89]tb."), "0 objects for an array"},
		{"objects in Fortran order", pickled(array, "(K\x01(K\x01K\x01t", objects, "\x88]Natb."), "Fortran"},
		{"numbers as objects", pickled(array, "(K\x01(K\x01t", dtype, "\x89]Natb."), "without bytes"},
		{"a number of no bytes", pickled("cnumpy.core.multiarray\nscalar\n(", dtype, "U\x00tR."), "damaged"},
		{"a number of objects", pickled("cnumpy.core.multiarray\nscalar\n(", objects, "]tR."), "0 objects for an array"},
		{"a number without bytes", pickled("cnumpy.core.multiarray\nscalar\n(", dtype, "tR."), "are missing"},
		{"a memo that is not there", []byte("h\x05."), "are missing"},
		{"a list as a key", []byte("}]Ns."), "neither a string"},
		{"an array without state", pickled(array, "."), ""},
		{"an array of another size", pickled(array, "(K\x01(K\x02K\x03t", dtype, "\x89U\x05abcdetb."), "5 bytes for an array"},
		{"a huge shape", pickled(array, "(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", dtype, "\x89U\x05abcdetb."), "5 bytes for an array"},
		{"a shape whose size is zero", pickled(array, "(K\x01(K\x00J\xff\xff\xff\x7ft", dtype, "\x89U\x00tb."), ""},
		{"Fortran order", pickled(array, "(K\x01(K\x01K\x05t", dtype, "\x88U\x05abcdetb."), "Fortran"},
		{"a long number", []byte("\x8a\x09123456789."), "64 bits"},
		{"no number", []byte("Iabc\n."), "not a number"},
		{"no string", []byte("S'abc\n."), "not a string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read(c.pickle)
			if c.word == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			errtest.Want(t, err, "pickle, byte", c.word)
		})
	}
}

func FuzzRead(f *testing.F) {
	files, err := filepath.Glob("testdata/*.pkl")
	more, moreErr := filepath.Glob("testdata/more/*.pkl")
	if err := errors.Join(err, moreErr); err != nil {
		f.Fatal(err)
	}
	for _, file := range slices.Concat(files, more) {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(append(binary.LittleEndian.AppendUint64([]byte{0x8e}, 1<<40), '.'))
	f.Add([]byte(strings.Repeat("]", 100) + strings.Repeat("a", 99) + "."))
	f.Fuzz(func(t *testing.T, b []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+1000*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err != nil && bytes.ContainsAny([]byte(err.Error()), "\n\r") {
			t.Errorf("error of several lines: %v", err)
		}
	})
}
