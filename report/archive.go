package report

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// ArchiveSuffix ends the name of an archive of runs.
const ArchiveSuffix = ".zip"

// maxArchive bounds the bytes that an archive may hold when unpacked.
const maxArchive = 1 << 30

// keptFiles are the files of a run from which the tables and curves of a comparison are made. The last one, config.yaml,
// makes a directory a run.
var keptFiles = []string{DigestFile, SummaryFile, MetricsFile, ClientsFile, ScenarioFile, ConfigFile}

// archive is a ZIP file of runs: RUN/FILE for each of their kept files. The
// same runs give the same bytes.
type archive struct {
	path string
	runs map[string]map[string][]byte // content by run and file
}

// readArchive reads an archive and checks all of it.
func readArchive(name string) (*archive, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("reading the archive %s: %w", name, cause(err))
	}
	a := &archive{path: name, runs: map[string]map[string][]byte{}}
	if err := a.unpack(raw); err != nil {
		return nil, fmt.Errorf("reading the archive of runs %s: %w", name, err)
	}
	return a, nil
}

func (a *archive) unpack(raw []byte) error {
	z, err := zip.NewReader(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		return fmt.Errorf("not a ZIP file, or damaged: %w", err)
	}
	left := int64(maxArchive)
	for _, f := range z.File {
		if strings.HasSuffix(f.Name, "/") { // entry of a folder, which other programs write
			continue
		}
		run, file := path.Split(f.Name)
		run = strings.TrimSuffix(run, "/")
		if !validRunName(run) || !slices.Contains(keptFiles, file) {
			return fmt.Errorf("it holds %.100q: an archive of runs holds only files such as RUN/%s", f.Name, ConfigFile)
		}
		if _, ok := a.runs[run][file]; ok {
			return fmt.Errorf("it holds %s twice", f.Name)
		}
		content, err := readEntry(f, left)
		if err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		left -= int64(len(content))
		a.put(run, file, content)
	}
	if len(a.runs) == 0 {
		return errors.New("it holds no run")
	}
	for run, files := range a.runs {
		if files[ConfigFile] == nil {
			return fmt.Errorf("%s is not a run: it has no %s", run, ConfigFile)
		}
	}
	return nil
}

func validRunName(run string) bool {
	return run != "" && !strings.ContainsAny(run, `/\`) && run != "." && run != ".."
}

// readEntry unpacks an entry of at most limit bytes.
func readEntry(f *zip.File, limit int64) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("the archive unpacks to more than %d bytes", int64(maxArchive))
	}
	return content, err
}

func (a *archive) put(run, file string, content []byte) {
	if a.runs[run] == nil {
		a.runs[run] = map[string][]byte{}
	}
	a.runs[run][file] = content
}

// write replaces the archive on the disk. Entries are sorted and have no times,
// so that the same runs give the same bytes.
func (a *archive) write() error {
	return WriteFile(a.path, func(w io.Writer) error {
		z := zip.NewWriter(w)
		z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
			return flate.NewWriter(w, flate.BestCompression)
		})
		for _, run := range slices.Sorted(maps.Keys(a.runs)) {
			for _, file := range slices.Sorted(maps.Keys(a.runs[run])) {
				f, err := z.CreateHeader(&zip.FileHeader{Name: run + "/" + file, Method: zip.Deflate})
				if err != nil {
					return err
				}
				if _, err := f.Write(a.runs[run][file]); err != nil {
					return err
				}
			}
		}
		return z.Close()
	})
}

// dir returns the run with the given name in the archive, or nil if there is none.
func (a *archive) dir(run string) *Dir {
	if a.runs[run] == nil {
		return nil
	}
	return &Dir{path: filepath.Join(a.path, run), files: a.runs[run]}
}

// isArchive reports whether path is a file with the name of an archive.
func isArchive(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular() && strings.HasSuffix(path, ArchiveSuffix)
}

// Runs returns the runs at a path, for reading: the run itself for a run directory, all runs of an archive or the one named
// by ARCHIVE/RUN, and for another directory the runs in it and in its archives.
func Runs(path string) ([]*Dir, error) {
	if IsRun(path) {
		return []*Dir{{path: path}}, nil
	}
	if isArchive(path) {
		return archivedRuns(path)
	}
	if parent, run := filepath.Split(filepath.Clean(path)); isArchive(filepath.Clean(parent)) {
		a, err := readArchive(filepath.Clean(parent))
		if err != nil {
			return nil, err
		}
		if d := a.dir(run); d != nil {
			return []*Dir{d}, nil
		}
		return nil, fmt.Errorf("the archive %s has no run %s; it has %s", a.path, run, strings.Join(slices.Sorted(maps.Keys(a.runs)), ", "))
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no directory and no archive %s", path)
	}
	if err != nil {
		return nil, err // an *fs.PathError names the directory
	}
	var dirs []*Dir
	for _, e := range entries {
		sub := filepath.Join(path, e.Name())
		switch {
		case IsRun(sub):
			dirs = append(dirs, &Dir{path: sub})
		case isArchive(sub):
			runs, err := archivedRuns(sub)
			if err != nil {
				return nil, err
			}
			dirs = append(dirs, runs...)
		}
	}
	if dirs == nil {
		return nil, fmt.Errorf("%s is neither a run directory nor an archive of runs, and holds none: a run has a %s", path, ConfigFile)
	}
	return dirs, nil
}

func archivedRuns(path string) ([]*Dir, error) {
	a, err := readArchive(path)
	if err != nil {
		return nil, err
	}
	var dirs []*Dir
	for _, run := range slices.Sorted(maps.Keys(a.runs)) {
		dirs = append(dirs, a.dir(run))
	}
	return dirs, nil
}
