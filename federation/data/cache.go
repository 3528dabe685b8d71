package data

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"feddag/internal/atomicfile"
)

const (
	// cacheFolder is the folder of decoded sets below a directory of data sets.
	cacheFolder = "cache"
	// readerVersion is raised when the result of a reader changes, so that older decoded copies are not used.
	readerVersion = 4
)

// CacheDir returns the folder for decoded sets: cache/ in the first of dataDir (the flag --data-dir, may be empty),
// $FEDDAG_DATA_DIR and ./data that can be written to; "" if none can. Nothing is ever written elsewhere. A directory
// that does not exist can be written to if its parent can. It is created for the first set.
func CacheDir(dataDir string) string {
	for _, dir := range writeDirs(dataDir) {
		if writable(dir) {
			return filepath.Join(dir, cacheFolder)
		}
	}
	return ""
}

// FetchDir returns the directory for downloaded files: the first of dataDir, $FEDDAG_DATA_DIR and ./data that can be
// written to; "" if none can.
func FetchDir(dataDir string) string {
	if cache := CacheDir(dataDir); cache != "" {
		return filepath.Dir(cache)
	}
	return ""
}

// writeDirs returns the directories that may be written to, in order of preference.
func writeDirs(dataDir string) []string {
	var dirs []string
	for _, dir := range []string{dataDir, os.Getenv(DataDirEnv), "data"} {
		if dir != "" {
			dirs = append(dirs, filepath.Clean(dir))
		}
	}
	return dirs
}

// writable reports whether files can be created in a directory or, if it does not exist, whether the directory can be
// created. A directory without write permission for its owner is not writable for root either.
func writable(dir string) bool {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if parent := filepath.Dir(dir); parent != dir {
			return writable(parent)
		}
	}
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o222 == 0 {
		return false
	}
	return atomicfile.Probe(dir) == nil
}

// always and packed are values of source.cacheable. packed returns true for files that have to be unpacked.
func always([]string) bool { return true }

func packed(files []string) bool {
	return slices.ContainsFunc(files, func(f string) bool {
		return slices.Contains([]string{".gz", ".tgz", ".tar", ".zip"}, filepath.Ext(f))
	})
}

// decodedName matches the name of the file of a decoded set: the name of the set and the suffix that loadCached appends.
var decodedName = regexp.MustCompile(`^(.+)-[0-9a-f]{12}$`)

// loadCached returns the decoded copy in a cache if it was made from the present content of these files. Otherwise it
// returns the set that read returns, and keeps a copy of it.
func loadCached(cache string, q query, files []string, read func() (*Set, error)) (*Set, error) {
	made, err := fingerprint(q, files)
	if err != nil {
		return nil, err
	}
	path := decodedPath(cache, q, files)
	kept, of, readErr := openSetFile(path)
	if readErr == nil && of == made {
		return kept, nil
	}
	s, err := read()
	if err != nil {
		return nil, err
	}
	writeErr := atomicfile.Write(path, func(w io.Writer) error { return writeSet(w, s, made) })
	if readErr != nil && !errors.Is(readErr, fs.ErrNotExist) {
		s.Notes = append(s.Notes, fmt.Sprintf("decoded again: %v", readErr))
	}
	if writeErr != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("the decoded set could not be kept, so it will be decoded again next time: %v", writeErr))
	}
	return s, nil
}

// decodedPath returns the file of a decoded set. There is one file for each set, path and options, so that a copy of
// changed files replaces the old copy.
func decodedPath(cache string, q query, files []string) string {
	base, _, _ := strings.Cut(q.name, ":")
	return filepath.Join(cache, fmt.Sprintf("%s-%s%s", base, cacheKey(q, files)[:12], setSuffix))
}

// cacheKey identifies a set, its path and its options, independently of the state of the files.
func cacheKey(q query, files []string) string {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", q.name)
	for _, key := range sortedKeys(q.extra) {
		fmt.Fprintf(h, "%q=%q\n", key, q.extra[key])
	}
	for _, f := range files {
		if abs, err := filepath.Abs(f); err == nil {
			f = abs
		}
		fmt.Fprintf(h, "%q\n", f)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// fingerprint identifies the files from which a set is decoded and the code that decodes it: the name, size and time of
// every file, and the versions of these readers and of Go, whose image decoders change.
func fingerprint(q query, files []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %s\n", readerVersion, runtime.Version(), cacheKey(q, files))
	for _, root := range files {
		if err := stamp(h, root, "", 0); err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// stamp writes name, size and modification time of every file at and below root/path. It follows links.
func stamp(w io.Writer, root, path string, depth int) error {
	full := filepath.Join(root, path)
	info, err := os.Stat(full)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		fmt.Fprintf(w, "%q %d %d\n", path, info.Size(), info.ModTime().UnixNano())
		return nil
	}
	fmt.Fprintf(w, "%q\n", path)
	if depth > maxTreeDepth {
		return fmt.Errorf("%s: more than %d folders deep", full, maxTreeDepth)
	}
	entries, err := os.ReadDir(full)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if hidden(e.Name()) || path == "" && e.Name() == cacheFolder {
			continue
		}
		if err := stamp(w, root, filepath.Join(path, e.Name()), depth+1); err != nil {
			return err
		}
	}
	return nil
}
