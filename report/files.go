package report

import (
	"fmt"
	"io"
	"path/filepath"

	"feddag/internal/atomicfile"
)

// WriteFile replaces a file by what write writes. name is a path inside the run directory. The file always has either its
// complete old content or its complete new content (see package atomicfile). Missing folders are made.
func (d *Dir) WriteFile(name string, write func(io.Writer) error) error {
	path, err := d.local(name)
	if err != nil {
		return err
	}
	return WriteFile(path, write)
}

// WriteFile is Dir.WriteFile for any path.
func WriteFile(path string, write func(io.Writer) error) error {
	if err := atomicfile.Write(path, write); err != nil {
		return fmt.Errorf("writing %s: %w", path, cause(err))
	}
	return nil
}

// local returns the path of name, which must not lead out of the run directory.
func (d *Dir) local(name string) (string, error) {
	if d.files != nil {
		return "", fmt.Errorf("writing %s: runs in an archive are only read", d.Path(name))
	}
	if !filepath.IsLocal(name) || filepath.Clean(name) == "." {
		return "", fmt.Errorf("writing %q: not a path inside the run directory %s", name, d.path)
	}
	return d.Path(name), nil
}
