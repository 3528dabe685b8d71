package parquet

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/archive"
	"feddag/internal/errtest"
)

func open(t testing.TB, file string) *File {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(file, err)
	}
	return f
}

func TestRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		f := open(t, filepath.Base(file))
		if f.Rows != 1000 || len(f.Columns) != 4 || f.Meta["about"] != "a test" {
			t.Errorf("%s: %d rows, %d columns, %q", file, f.Rows, len(f.Columns), f.Meta["about"])
		}
		for name, want := range map[string]func(i int) Value{
			"image.bytes": func(i int) Value {
				if i%13 == 6 || i%11 == 5 {
					return Value{Null: true}
				}
				return Value{Bytes: []byte(strings.Repeat(fmt.Sprintf("row %d ", i), i%5))}
			},
			"image.path": func(i int) Value {
				if i%13 == 6 {
					return Value{Null: true}
				}
				return Value{Bytes: []byte(fmt.Sprintf("%d.png", i))}
			},
			"n": func(i int) Value {
				if i%7 == 3 {
					return Value{Null: true}
				}
				return Value{Int: int64(3*i - 1)}
			},
			"small": func(i int) Value { return Value{Int: int64(i % 4)} },
		} {
			c := f.Column(strings.Split(name, ".")...)
			if c == nil || c.Name() != name {
				t.Fatalf("%s: no column %s", file, name)
			}
			rows := 0
			err := f.Read(c, func(row int, v Value) error {
				if w := want(row); row != rows || v.Null != w.Null || v.Int != w.Int || !bytes.Equal(v.Bytes, w.Bytes) {
					return fmt.Errorf("row %d is %+v, want %+v", row, v, w)
				}
				rows++
				return nil
			})
			if err != nil || rows != 1000 {
				t.Errorf("%s: %s: %d rows, %v", file, name, rows, err)
			}
		}
	}
}

func TestUnread(t *testing.T) {
	nothing := func(int, Value) error { return nil }
	for _, c := range []struct{ file, column, words string }{
		{"zstd.unread", "n", "column n, row group 0: compressed with zstd"},
		{"delta.unread", "n", "the values have encoding 5"},
		{"types.unread", "list.list.element", "column list.list.element is a list"},
		{"types.unread", "real", "column real has the type 5"},
	} {
		f := open(t, c.file)
		column := f.Column(strings.Split(c.column, ".")...)
		if column == nil {
			t.Fatalf("%s: no column %s", c.file, c.column)
		}
		errtest.Want(t, f.Read(column, nothing), c.words)
	}
	if c := open(t, "types.unread").Column("absent"); c != nil {
		t.Error(c)
	}
	whole, err := os.ReadFile("testdata/gzip.parquet")
	if err != nil {
		t.Fatal(err)
	}
	for words, b := range map[string][]byte{
		"too short": []byte("PAR1"), "it ends in": whole[:len(whole)-1], "claims to have 4294967295 of its 16 bytes": []byte("PAR1....\xff\xff\xff\xffPAR1"),
		"no schema": []byte("PAR1\x00\x01\x00\x00\x00PAR1"), "its directory": []byte("PAR1\x15\x01\x00\x00\x00PAR1"),
	} {
		_, err := Open(bytes.NewReader(b), int64(len(b)))
		errtest.Want(t, err, words)
	}
	old := archive.BombBytes
	t.Cleanup(func() { archive.BombBytes = old })
	archive.BombBytes = 0
	f := open(t, "gzip.parquet")
	f.size = 1
	if err := f.Read(f.Column("small"), nothing); err == nil {
		t.Error("a bomb was read")
	}
}

// TestDamage checks that a file with any byte changed, or cut off at any place, gives values or an error.
func TestDamage(t *testing.T) {
	for _, file := range []string{"zstd.unread", "delta.unread"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		for k := range b {
			changed := bytes.Clone(b)
			changed[k] ^= 0x55
			readAll(t, changed)
			readAll(t, b[:k])
		}
	}
}

// readAll reads all columns.
func readAll(t *testing.T, b []byte) {
	f, err := Open(bytes.NewReader(b), int64(len(b)))
	for i := 0; err == nil && i < len(f.Columns); i++ {
		n := 0
		err = f.Read(f.Columns[i], func(row int, v Value) error {
			if n++; row != n-1 || row >= f.Rows {
				t.Errorf("row %d of %d", row, f.Rows)
			}
			return nil
		})
	}
	if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("error of several lines: %q", err)
	}
}

func FuzzParquet(f *testing.F) {
	files, err := filepath.Glob("testdata/*.*")
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
	f.Fuzz(func(t *testing.T, b []byte) {
		alloctest.Within(t, 4<<20+20000*len(b), func() { readAll(t, b) })
	})
}

func TestUnsnappy(t *testing.T) {
	for text, want := range map[string]string{
		"\x05\x10hello": "hello", "\x0a\x00a\x22\x01\x00": "aaaaaaaaaa", "\x08\x0cabcd\x01\x04": "abcdabcd", "\x00": "", "\x03\xf0\x02abc": "abc",
		"": "!", "\x05\x10hell": "!", "\x04\x10hello": "!", "\x06\x10hello": "!", "\x04\x00a\x0a\x02\x00": "!", "\xff\xff\xff\x7f\x00a": "!", "\x02\xfc\xff\xff\xff\xff": "!",
	} {
		got, err := unsnappy([]byte(text))
		if (err != nil) != (want == "!") || err == nil && string(got) != want {
			t.Errorf("%q: %q, %v, want %q", text, got, err, want)
		}
	}
}

// Column returns the column with the given path, or nil if there is none.
func (f *File) Column(path ...string) *Column {
	for _, c := range f.Columns {
		if slices.Equal(c.Path, path) {
			return c
		}
	}
	return nil
}
