package data

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func text(s string) pyText          { return pyText(s) }
func list(items ...any) *pyList     { return &pyList{items} }
func pickled(text ...string) []byte { return []byte(strings.Join(text, "")) }

func TestReadPickle(t *testing.T) {
	files, err := filepath.Glob("testdata/pickles/*.pkl")
	if err != nil || len(files) != 7 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		object, err := readPickle(b)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		d, ok := object.(*pyDict)
		if !ok {
			t.Fatalf("%s holds a %T", file, object)
		}
		want := map[string]any{
			"labels": list(int64(0), int64(1), int64(255), int64(256), int64(65536), int64(-1), int64(-70000), int64(1<<40), int64(-1<<40),
				2.5, nil, true, false),
			"tuple":   list(int64(1), text("två"), text("\x00\xff'\n")),
			"nested":  &pyDict{map[string]any{"empty": &pyList{}, "none": &pyList{}}},
			"escaped": text("a\\u00e4\nЖ"),
		}
		if strings.Contains(file, "python2") {
			want["tuple"], want["escaped"] = list(int64(1), text("two"), text("\x00\xff'\n")), text("-")
		}
		for key, w := range want {
			if got := d.items[key]; !equalObjects(got, w) {
				t.Errorf("%s: %s is %v, want %v", file, key, got, w)
			}
		}
		a, ok := d.items["data"].(*npyArray)
		if !ok || !slices.Equal(a.shape, []int{2, 40}) || a.raw[0] != 5 || a.raw[41] != 17 {
			t.Errorf("%s: data %+v", file, a)
		}
		for key, w := range map[string][]int64{"big-endian": {1, -2, 3}, "ints": {0, 1, 2, 3, 4, 5}} {
			a, ok := d.items[key].(*npyArray)
			if !ok {
				t.Errorf("%s: %s is a %T", file, key, d.items[key])
				continue
			}
			if got, err := a.ints(-9, 9); err != nil || !slices.Equal(got, w) {
				t.Errorf("%s: %s is %v, %v, want %v", file, key, got, err, w)
			}
		}
	}
}

// equalObjects compares without regard for how empty lists are held.
func equalObjects(a, b any) bool {
	x, ok := a.(*pyList)
	y, also := b.(*pyList)
	if ok && also {
		return slices.EqualFunc(x.items, y.items, equalObjects)
	}
	if d, ok := a.(*pyDict); ok {
		e, also := b.(*pyDict)
		if !also || len(d.items) != len(e.items) {
			return false
		}
		for k := range d.items {
			if !equalObjects(d.items[k], e.items[k]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(a, b)
}

func TestBadPickles(t *testing.T) {
	array := "cnumpy.core.multiarray\n_reconstruct\n)R"
	dtype := "cnumpy\ndtype\n(U\x02u1tR"
	for _, c := range []struct {
		name   string
		pickle []byte
		word   string
	}{
		{"empty", nil, "truncated"},
		{"text", []byte("<html>"), "no pickle"},
		{"nothing left", []byte("."), "not there"},
		{"a mark left", []byte("(."), "not there"},
		{"cut off", []byte("\x80\x02}U\x05ab"), "truncated"},
		{"a length beyond the end", []byte("T\xff\xff\xff\x7fa."), "truncated"},
		{"a length below zero", []byte("\x8e\xff\xff\xff\xff\xff\xff\xff\xffa."), "truncated"},
		{"a command", []byte("cos\nsystem\n(S'rm -rf /'\ntR."), `"system" of module "os"`},
		{"another command", []byte("\x8c\x08builtins\x8c\x04eval\x93."), `"eval" of module "builtins"`},
		{"an object array", pickled("cnumpy\ndtype\n(U\x02O8tR."), `type "O8"`},
		{"a memo that is not there", []byte("h\x05."), "not there"},
		{"a list as a key", []byte("}]Ns."), "no string"},
		{"an array without state", pickled(array, "."), ""},
		{"an array of another size", pickled(array, "(K\x01(K\x02K\x03t", dtype, "\x89U\x05abcdetb."), "5 bytes for an array"},
		{"a huge shape", pickled(array, "(K\x01(J\xff\xff\xff\x7fJ\xff\xff\xff\x7ft", dtype, "\x89U\x05abcdetb."), "another shape"},
		{"Fortran order", pickled(array, "(K\x01(K\x01K\x05t", dtype, "\x88U\x05abcdetb."), "Fortran"},
		{"a long number", []byte("\x8a\x09123456789."), "64 bits"},
		{"no number", []byte("Iabc\n."), "no number"},
		{"no string", []byte("S'abc\n."), "no string"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := readPickle(c.pickle)
			if c.word == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantError(t, err, "pickle, byte", c.word)
		})
	}
}

func FuzzReadPickle(f *testing.F) {
	files, err := filepath.Glob("testdata/pickles/*.pkl")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
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
		_, err := readPickle(b)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > uint64(1<<20+1000*len(b)) {
			t.Errorf("%d bytes made it allocate %d", len(b), n)
		}
		if err != nil && bytes.ContainsAny([]byte(err.Error()), "\n\r") {
			t.Errorf("error of several lines: %v", err)
		}
	})
}
