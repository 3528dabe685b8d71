// Package atomicfile replaces files whole: whatever happens, a file is the old one or the new one.
package atomicfile

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// mode is that of every file written: os.CreateTemp's lets the owner alone read it, and results are no secret.
const mode = 0o644

// Write replaces the file at path by what write writes, making its folder if need be: the bytes go to a temporary file
// beside it, reach the disk, and only then take the name. Where write or the disk fails, the temporary file is removed
// and the old file stays. Programs that do so at the same time do not meet: each has a temporary file of its own, and
// the last one stays. What a killed one left behind an hour ago is cleared.
func Write(path string, write func(io.Writer) error) error {
	dir, base := filepath.Dir(path), filepath.Base(path)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	sweep(dir, "."+base+".")
	f, err := os.CreateTemp(dir, "."+base+".*.tmp")
	if err != nil {
		return err
	}
	defer func() { // also where write panics; after the rename both do nothing
		f.Close()
		os.Remove(f.Name())
	}()
	w := bufio.NewWriterSize(f, 1<<18)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return SyncDir(dir)
}

// sweep removes a folder's temporary files of a file that are an hour old.
func sweep(dir, prefix string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) || !strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Hour {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// SyncDir makes a rename, or a new file, in a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
