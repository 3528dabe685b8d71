package report

import (
	"fmt"
	"io"
	"path/filepath"

	"feddag/internal/atomicfile"
)

// WriteFile replaces the file name, a path inside the run directory, by what
// write writes: whatever happens, it is the old one or the new one, whole
// (atomicfile). Missing folders on the way are made.
func (d *Dir) WriteFile(name string, write func(io.Writer) error) error {
	path, err := d.local(name)
	if err != nil {
		return err
	}
	return WriteFile(path, write)
}

// WriteFile is Dir.WriteFile for a path anywhere.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := atomicfile.Write(path, write); err != nil {
		return fmt.Errorf("writing %s: %w", path, cause(err))
	}
	return nil
}

// local is the path of name, which must not lead out of the run directory.
func (d *Dir) local(name string) (string, error) {
	if d.files != nil {
		return "", fmt.Errorf("writing %s: runs in an archive are only read", d.Path(name))
	}
	if !filepath.IsLocal(name) || filepath.Clean(name) == "." {
		return "", fmt.Errorf("writing %q: not a path inside the run directory %s", name, d.path)
	}
	return d.Path(name), nil
}
