package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"feddag/internal/atomicfile"
	"feddag/internal/lockfile"
)

// The files of a run.
const (
	ConfigFile         = "config.yaml"                 // every flag, resolved
	EnvFile            = "env.json"                    // versions, device, BLAS, commit
	PartitionFile      = "partition.json"              // assignment of images to clients
	ScenarioFile       = "scenario.json"               // events of the clients, if there are any
	InitialWeightsFile = "initial-weights.safetensors" // initial weights of all clients, if they came from a file
	MetricsFile        = "metrics.jsonl"               // one Round per line
	ClientsFile        = "clients.csv"                 // one Client per line
	SummaryFile        = "summary.json"                // one Summary
	HTMLFile           = "report.html"                 // one Page
	CheckpointFile     = "checkpoint/last.safetensors" // checkpoint from which --resume continues
	LockFile           = ".lock"                       // process that is writing; see package lockfile
)

// Dir is the directory of a run.
type Dir struct {
	path  string
	files map[string][]byte // files of a run in an archive, which can only be read; nil for a directory
	lock  *lockfile.Lock    // nil if this process does not write
}

// Open opens the directory of an existing run. A directory is a run if it has a config.yaml. A caller that writes must also
// call Lock.
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
	if err := atomicfile.Probe(path); err != nil {
		return nil, fmt.Errorf("run directory %s cannot be written: %w", path, cause(err))
	}
	return &Dir{path: path}, nil
}

// Look opens the directory of a run for reading only. The directory may be read-only, and another process may be writing to
// it.
func Look(path string) (*Dir, error) {
	if !IsRun(path) {
		return nil, fmt.Errorf("%s is not a run directory: it has no %s", path, ConfigFile)
	}
	return &Dir{path: path}, nil
}

// LookAny opens the directory of a run or of a comparison for reading only.
func LookAny(path string) (*Dir, error) {
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, cause(err))
	} else if !info.IsDir() {
		return nil, fmt.Errorf("opening %s: it is a file, not a directory", path)
	}
	if _, err := os.Stat(filepath.Join(path, CompareHTML)); err == nil {
		return &Dir{path: path}, nil
	}
	d, err := Look(path)
	if err != nil {
		return nil, fmt.Errorf("%w, and no %s of a comparison", err, CompareHTML)
	}
	return d, nil
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

// Sub returns a folder in the directory, for files with the same names as in the directory itself.
func (d *Dir) Sub(name string) *Dir { return &Dir{path: d.Path(name)} }

// IsRun reports whether path is the directory of a run.
func IsRun(path string) bool {
	st, err := os.Stat(filepath.Join(path, ConfigFile))
	return err == nil && st.Mode().IsRegular()
}

// cause removes the operation and path from a file system error, for messages that already name the path. The result still
// works with errors.Is.
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
