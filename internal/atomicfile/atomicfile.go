// Package atomicfile replaces files atomically: whatever happens, a file has either its old or its new content.
//
// The package is our own because the libraries for Go do less. github.com/google/renameio v2.0.2 and
// github.com/natefinch/atomic v1.0.1 sync the file but not its directory, so that a crash can undo a replacement that was
// reported as done, and neither removes the temporary files of a program that was killed.
package atomicfile

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// mode is the mode of every file. Files of os.CreateTemp can be read only by their owner, but results are not secret.
const mode = 0o644

// Write replaces the file at path with what write writes, and creates the folder if needed. The bytes go to a temporary
// file in the same folder, are synced to the disk, and only then get the name. If write or the disk fails, the temporary
// file is removed and the old file stays. Several programs may replace a file at the same time: each has a temporary file
// of its own, and the last rename wins. A folder, a device or a pipe is not replaced: that is an error. Temporary files that
// are an hour old, which a killed program left behind, are removed.
func Write(path string, write func(io.Writer) error) error {
	dir, base := filepath.Dir(path), filepath.Base(path)
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		why := errors.New("is a device or a pipe, which this program does not replace")
		if info.IsDir() {
			why = syscall.EISDIR
		}
		return &fs.PathError{Op: "write", Path: path, Err: why}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	sweep(dir, "."+base+".")
	f, err := os.CreateTemp(dir, "."+base+".*.tmp")
	if err != nil {
		return err
	}
	defer func() { // also if write panics; after the rename both do nothing
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

// sweep removes the temporary files in a folder that have the prefix and are an hour old.
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

// temporary matches the names that Write gives to temporary files.
var temporary = regexp.MustCompile(`^\..+\.[0-9]+\.tmp$`)

// RemoveTemporaries removes the temporary files in a folder and the folders in it. The caller makes sure that no other
// program writes there.
func RemoveTemporaries(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !temporary.MatchString(e.Name()) {
			return err
		}
		return os.Remove(path)
	})
}

// Probe creates a temporary file in a folder and removes it, because permission bits say nothing about read-only mounts, quotas
// or network file systems.
func Probe(dir string) error {
	f, err := os.CreateTemp(dir, ".probe.*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// SyncDir syncs a folder to the disk, which makes a rename or a new file in it durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
