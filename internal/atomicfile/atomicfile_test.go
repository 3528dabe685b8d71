package atomicfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "below [1]")
	path := filepath.Join(dir, "a.set")
	put := func(text string, fail error) error {
		return Write(path, func(w io.Writer) error {
			if _, err := io.WriteString(w, text); err != nil {
				return err
			}
			return fail
		})
	}
	if err := put("one", nil); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != mode {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	full := errors.New("disk full")
	if err := put("two", full); !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = Write(path, func(io.Writer) error { panic("writer") })
	}()
	if b, err := os.ReadFile(path); err != nil || string(b) != "one" {
		t.Errorf("holds %q, %v", b, err)
	}
	for name, age := range map[string]time.Duration{".a.set.1.tmp": 2 * time.Hour, ".a.set.2.tmp": 0, ".b.set.1.tmp": 2 * time.Hour} {
		left := filepath.Join(dir, name)
		if err := os.WriteFile(left, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(left, time.Time{}, time.Now().Add(-age)); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("three", nil); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 { // recent files, and temporary files of other files, stay
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestWriteReplacesOnlyFiles checks that a folder or a pipe, or a device such as /dev/null, is never replaced, even by root.
func TestWriteReplacesOnlyFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o666); err != nil {
		t.Skip(err)
	}
	for _, path := range []string{pipe, t.TempDir()} {
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		var wrong *fs.PathError
		if err := Write(path, func(io.Writer) error { return nil }); !errors.As(err, &wrong) || wrong.Path != path {
			t.Errorf("error %v", err)
		}
		if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s was replaced", path)
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%d entries, %v", len(entries), err)
	}
}

// TestWriteTogether checks that the file is complete, whichever writer is last.
func TestWriteTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	var all sync.WaitGroup
	for k := range 8 {
		all.Go(func() {
			text := make([]byte, 1<<19)
			for i := range text {
				text[i] = byte(k)
			}
			if err := Write(path, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	b, err := os.ReadFile(path)
	if err != nil || len(b) != 1<<19 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for _, x := range b {
		if x != b[0] {
			t.Fatalf("bytes of writers %d and %d", b[0], x)
		}
	}
}

// TestRemoveTemporaries checks that temporary files are removed, also in folders, and that files with other names stay.
func TestRemoveTemporaries(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".a.12.tmp", "b.12.tmp", ".lock", "c/.d.bin.7.tmp", "c/.tmp"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := RemoveTemporaries(dir); err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, pattern := range []string{"*", "c/*"} {
		names, err := fs.Glob(os.DirFS(dir), pattern)
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, names...)
	}
	if want := []string{".lock", "a", "b.12.tmp", "c", "c/.tmp"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}
