package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The files of a run.
const (
	ConfigFile     = "config.yaml"                 // every flag, resolved
	EnvFile        = "env.json"                    // versions, device, BLAS, commit
	PartitionFile  = "partition.json"              // who holds what
	ScenarioFile   = "scenario.json"               // what happens to the clients, if anything does
	MetricsFile    = "metrics.jsonl"               // one Round per line
	ClientsFile    = "clients.csv"                 // one Client per line
	SummaryFile    = "summary.json"                // one Summary
	HTMLFile       = "report.html"                 // one Page
	CheckpointFile = "checkpoint/last.safetensors" // what --resume starts from
)

// Dir is one run's directory.
type Dir struct {
	path  string
	files map[string][]byte // of a run in an archive, which is read alone; nil for a directory
}

// Create makes the directory of a new run, and its parents. An existing
// directory is accepted only when it is empty: results are never written over.
func Create(path string) (*Dir, error) {
	if path == "" {
		return nil, errors.New("creating a run directory: the name is empty; give one with --out")
	}
	entries, err := os.ReadDir(path)
	switch {
	case err == nil && len(entries) > 0:
		if IsRun(path) {
			return nil, fmt.Errorf("run directory %s already holds a run: continue it with --resume %s, or choose another with --out", path, path)
		}
		return nil, fmt.Errorf("run directory %s exists and is not empty: choose another with --out", path)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		if st, serr := os.Stat(path); serr == nil && !st.IsDir() {
			return nil, fmt.Errorf("run directory %s: a file of that name exists; choose another with --out", path)
		}
		return nil, fmt.Errorf("creating run directory %s: %w; choose another with --out", path, cause(err))
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("creating run directory %s: %w; choose another with --out", path, cause(err))
	}
	if err := probe(path); err != nil {
		return nil, fmt.Errorf("run directory %s cannot be written: %w; choose another with --out", path, cause(err))
	}
	return &Dir{path: path}, nil
}

// Open takes up the directory of an existing run. What makes a directory a run
// is its config.yaml, which a run writes first.
func Open(path string) (*Dir, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("opening run directory %s: %w", path, cause(err))
	}
	if !st.IsDir() {
		return nil, fmt.Errorf("opening run directory %s: it is a file, not a directory", path)
	}
	if !IsRun(path) {
		return nil, fmt.Errorf("%s is not a run directory: it has no %s", path, ConfigFile)
	}
	if err := probe(path); err != nil {
		return nil, fmt.Errorf("run directory %s cannot be written: %w", path, cause(err))
	}
	return &Dir{path: path}, nil
}

// Look takes up the directory of a run to read it alone; it may lie where
// nothing can be written.
func Look(path string) (*Dir, error) {
	if !IsRun(path) {
		return nil, fmt.Errorf("%s is not a run directory: it has no %s", path, ConfigFile)
	}
	return &Dir{path: path}, nil
}

// Make takes up a directory that holds other things than one run, and makes it
// if it is not there.
func Make(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("making the directory %s: %w; choose another with --out", path, cause(err))
	}
	if err := probe(path); err != nil {
		return nil, fmt.Errorf("directory %s cannot be written: %w; choose another with --out", path, cause(err))
	}
	return &Dir{path: path}, nil
}

// read returns the content of a file of the directory.
func (d *Dir) read(name string) ([]byte, error) {
	if d.files != nil {
		content, ok := d.files[name]
		if !ok {
			return nil, fmt.Errorf("reading %s: %w", d.Path(name), fs.ErrNotExist)
		}
		return content, nil
	}
	raw, err := os.ReadFile(d.Path(name))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", d.Path(name), cause(err))
	}
	return raw, nil
}

// Path joins elem to the directory's path.
func (d *Dir) Path(elem ...string) string {
	return filepath.Join(append([]string{d.path}, elem...)...)
}

// Sub is a folder of the directory, for files of the names that the directory
// has itself.
func (d *Dir) Sub(name string) *Dir { return &Dir{path: d.Path(name)} }

// IsRun says whether path is the directory of a run.
func IsRun(path string) bool {
	st, err := os.Stat(filepath.Join(path, ConfigFile))
	return err == nil && st.Mode().IsRegular()
}

// probe creates and removes a file, because permission bits say nothing about
// read-only mounts, quotas or network file systems.
func probe(path string) error {
	f, err := os.CreateTemp(path, ".probe*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// cause drops the operation and path of a file system error, for messages that
// name the path already. errors.Is still sees the reason.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
