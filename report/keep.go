package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Kept is a place for results without models, checkpoints and plots: a directory of run directories, or an archive if the
// name ends in .zip.
type Kept struct {
	path    string
	archive *archive // nil for a directory
	changed bool
	lock    *os.File
}

// OpenKept opens the place, which need not exist yet. Until it is closed, no other process can open the same archive.
func OpenKept(path string) (*Kept, error) {
	k := &Kept{path: path}
	if !strings.HasSuffix(path, ArchiveSuffix) {
		return k, nil
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, fmt.Errorf("making the folder of the archive %s: %w", path, cause(err))
	}
	// The lock is on the folder because every writer replaces the archive.
	lock, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("opening the folder of the archive %s: %w", path, cause(err))
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s for the archive %s: %w", folder, path, err), lock.Close())
	}
	k.lock = lock
	k.archive, err = readArchive(path)
	if errors.Is(err, fs.ErrNotExist) {
		k.archive, err = &archive{path: path, runs: map[string]map[string][]byte{}}, nil
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return k, nil
}

// Run returns the run with the given name, or nil if there is none.
func (k *Kept) Run(name string) *Dir {
	if k.archive != nil {
		return k.archive.dir(name)
	}
	if path := filepath.Join(k.path, name); IsRun(path) {
		return &Dir{path: path}
	}
	return nil
}

// Keep copies the kept files of a run. It replaces an earlier run with the same name.
func (k *Kept) Keep(name string, run *Dir) error {
	files, err := run.kept()
	if err != nil {
		return err
	}
	if k.archive != nil {
		k.archive.runs[name], k.changed = files, true
		return nil
	}
	dir, err := Make(filepath.Join(k.path, name))
	if err != nil {
		return err
	}
	for _, file := range keptFiles {
		if content, ok := files[file]; ok {
			if err := dir.writeBytes(file, content); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close writes the archive if anything changed, and releases its lock.
func (k *Kept) Close() (err error) {
	if k.archive == nil {
		return nil
	}
	if k.changed {
		err = k.archive.write()
	}
	return errors.Join(err, k.lock.Close())
}

// kept returns the files of a run that are kept, by name.
func (d *Dir) kept() (map[string][]byte, error) {
	files := map[string][]byte{}
	digest, err := d.ReadPartitionDigest()
	if err != nil {
		return nil, err
	}
	if files[DigestFile], err = formatJSON(digest); err != nil {
		return nil, err
	}
	for _, name := range []string{SummaryFile, MetricsFile, ClientsFile, ScenarioFile} {
		content, err := d.read(name)
		switch {
		case err == nil:
			files[name] = content
		case name != ScenarioFile || !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	config, err := d.readConfig()
	if err != nil {
		return nil, err
	}
	config = slices.DeleteFunc(config, func(p Pair) bool { return p.Key == "out" || p.Key == "data-dir" }) // paths on the machine of the run
	files[ConfigFile], err = formatConfig(config)
	return files, err
}
