package report

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"feddag/internal/atomicfile"
	"feddag/internal/lockfile"
)

// Create makes the directory of a new run, and its parents, and locks it until Close. Results are never overwritten: an
// existing directory is accepted only if it is empty, or if it only has files of a process that was killed before it wrote
// config.yaml. Warnings of the lock are written to log.
func Create(ctx context.Context, path string, log io.Writer) (*Dir, error) {
	return createWith(path, func() (*lockfile.Lock, error) { return acquire(ctx, path, log) })
}

// CreateLocked is Create for a directory that exists and that the caller has
// locked.
func CreateLocked(path string, lock *lockfile.Lock) (*Dir, error) {
	return createWith(path, func() (*lockfile.Lock, error) { return lock, nil })
}

// CreateNew is Create with a unique name: if path exists, it uses path-suffix, unless the suffix is empty, or path-2, path-3
// and so on. Dir.Path returns the name.
func CreateNew(ctx context.Context, path, suffix string, log io.Writer) (*Dir, error) {
	path, err := makeNew(path, suffix)
	if err != nil {
		return nil, err
	}
	return Create(ctx, path, log)
}

// createWith is Create with a function that locks the directory.
func createWith(path string, lock func() (*lockfile.Lock, error)) (*Dir, error) {
	if path == "" {
		return nil, errors.New("creating a run directory: the name is empty; give one with --out")
	}
	entries, err := os.ReadDir(path)
	switch {
	case err == nil:
		// The lock file may belong to a running process, which the error should name.
		if err := mustBeEmpty(path, entries); err != nil && !hasLock(entries) {
			return nil, err
		}
	case !errors.Is(err, fs.ErrNotExist):
		if st, serr := os.Stat(path); serr == nil && !st.IsDir() {
			return nil, fmt.Errorf("run directory %s: a file of that name exists; choose another with --out", path)
		}
		return nil, fmt.Errorf("creating run directory %s: %w; choose another with --out", path, cause(err))
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("creating run directory %s: %w; choose another with --out", path, cause(err))
	}
	_, err = lockfile.Read(filepath.Join(path, LockFile))
	begun := err == nil
	d := &Dir{path: path}
	if d.lock, err = lock(); err != nil {
		return nil, fmt.Errorf("%w; choose another with --out", err)
	}
	if begun && !IsRun(path) {
		if err := removeStart(path); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	// Another process may have filled and left the directory before it was locked.
	if entries, err = os.ReadDir(path); err == nil {
		err = mustBeEmpty(path, entries)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// mustBeEmpty returns an error if a directory holds more than a lock.
func mustBeEmpty(path string, entries []os.DirEntry) error {
	switch {
	case len(entries) == 0, len(entries) == 1 && hasLock(entries):
		return nil
	case IsRun(path):
		return fmt.Errorf("run directory %s already holds a run: continue it with --resume %s, or choose another with --out", path, path)
	}
	return fmt.Errorf("run directory %s exists and is not empty: choose another with --out", path)
}

// removeStart removes the files that a run writes before its config.yaml, if
// the directory has no others.
func removeStart(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, cause(err))
	}
	var left []string
	for _, e := range entries {
		switch name := e.Name(); {
		case name == LockFile:
		case name == PartitionFile, name == ScenarioFile, name == InitialWeightsFile, name == EnvFile, strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp"):
			left = append(left, filepath.Join(path, name))
		default:
			return nil
		}
	}
	for _, file := range left {
		if err := os.Remove(file); err != nil {
			return fmt.Errorf("removing %s, which a run that was killed left: %w", file, cause(err))
		}
	}
	return nil
}

// Undo removes the files that were written to the directory of a new run before its config.yaml, so that the same command can
// make the run later.
func (d *Dir) Undo() error { return removeStart(d.path) }

func hasLock(entries []os.DirEntry) bool {
	for _, e := range entries {
		if e.Name() == LockFile {
			return true
		}
	}
	return false
}

// Make opens a directory that is not the directory of a single run. It makes the directory if it does not exist.
func Make(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("making the directory %s: %w; choose another with --out", path, cause(err))
	}
	if err := atomicfile.Probe(path); err != nil {
		return nil, fmt.Errorf("directory %s cannot be written: %w; choose another with --out", path, cause(err))
	}
	return &Dir{path: path}, nil
}

// MakeNew is Make with a unique name, which it chooses like CreateNew.
func MakeNew(path, suffix string) (*Dir, error) {
	path, err := makeNew(path, suffix)
	if err != nil {
		return nil, err
	}
	return Make(path)
}

// makeNew makes a directory that did not exist. If several processes make the same directory, mkdir(2) succeeds for only one
// of them, also on NFS.
func makeNew(path, suffix string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", fmt.Errorf("making the directory %s: %w; choose another with --out", filepath.Dir(path), cause(err))
	}
	const most = 10000
	for i := range most {
		name := path
		switch {
		case i == 1 && suffix != "":
			name += "-" + suffix
		case i == 1:
			continue
		case i > 1:
			name += fmt.Sprintf("-%d", i)
		}
		err := os.Mkdir(name, 0o777)
		if err == nil {
			return name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("making the directory %s: %w; choose another with --out", name, cause(err))
		}
	}
	return "", fmt.Errorf("making the directory %s: it exists, and so do %s-2 to %s-%d; choose another with --out", path, path, path, most-1)
}
