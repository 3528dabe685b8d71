package report

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// WriteFile replaces the file name, a path inside the run directory, by what
// write writes. The bytes go to a temporary file beside it, reach the disk,
// and only then take the name: whatever happens, the file is either the old
// one or the new one, whole. When write or the disk fails the temporary file
// is removed and the old file stays. Missing folders on the way are made.
func (d *Dir) WriteFile(name string, write func(io.Writer) error) error {
	path, err := d.local(name)
	if err != nil {
		return err
	}
	return WriteFile(path, write)
}

// WriteFile is Dir.WriteFile for a path anywhere.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("writing %s: %w", path, cause(err))
	}
	if err := replace(path, write); err != nil {
		return fmt.Errorf("writing %s: %w", path, cause(err))
	}
	return nil
}

// local is the path of name, which must not lead out of the run directory.
func (d *Dir) local(name string) (string, error) {
	if !filepath.IsLocal(name) || filepath.Clean(name) == "." {
		return "", fmt.Errorf("writing %q: not a path inside the run directory %s", name, d.path)
	}
	return d.Path(name), nil
}

func replace(path string, write func(io.Writer) error) (err error) {
	dir, base := filepath.Split(path)
	// One fixed name, so that what a killed run left behind is cleared by the
	// next write instead of piling up.
	tmp := filepath.Join(dir, "."+base+".tmp")
	if err := os.Remove(tmp); err != nil && !os.IsNotExist(err) {
		return err
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		// Also on a panic in write: closing twice is harmless.
		if !renamed {
			f.Close()
			os.Remove(tmp)
		}
	}()
	buf := bufio.NewWriterSize(f, 1<<16)
	if err := write(buf); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	renamed = true
	return syncDir(dir)
}

// syncDir makes a rename or a new file in dir durable.
func syncDir(dir string) error {
	if dir == "" {
		dir = "."
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
