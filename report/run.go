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
	PartitionFile      = "partition.json"              // who holds what
	ScenarioFile       = "scenario.json"               // what happens to the clients, if anything does
	InitialWeightsFile = "initial-weights.safetensors" // the weights that all clients started from, if a file had them
	MetricsFile        = "metrics.jsonl"               // one Round per line
	ClientsFile        = "clients.csv"                 // one Client per line
	SummaryFile        = "summary.json"                // one Summary
	HTMLFile           = "report.html"                 // one Page
	CheckpointFile     = "checkpoint/last.safetensors" // what --resume starts from
	LockFile           = ".lock"                       // the process that writes now; see package lockfile
)

// Dir is one run's directory.
type Dir struct {
	path  string
	files map[string][]byte // files of a run in an archive, which can only be read; nil for a directory
	lock  *lockfile.Lock    // nil if this process does not write
}

// Open opens the directory of an existing run. What makes a directory a run is
// its config.yaml, which a run writes first. Whoever writes calls Lock too.
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

// Look opens the directory of a run for reading alone; it may lie where nothing
// can be written, and another process may be writing there.
func Look(path string) (*Dir, error) {
	if !IsRun(path) {
		return nil, fmt.Errorf("%s is not a run directory: it has no %s", path, ConfigFile)
	}
	return &Dir{path: path}, nil
}

// LookAny opens the directory of a run or of a comparison for reading alone.
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

// Sub is a folder of the directory, for files of the names that the directory
// has itself.
func (d *Dir) Sub(name string) *Dir { return &Dir{path: d.Path(name)} }

// IsRun says whether path is the directory of a run.
func IsRun(path string) bool {
	st, err := os.Stat(filepath.Join(path, ConfigFile))
	return err == nil && st.Mode().IsRegular()
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
