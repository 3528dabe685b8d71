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
	// readerVersion goes up when a reader's result changes, so that no copy of the old one is used.
	readerVersion = 3
)

// CacheDir returns the folder that decoded sets are kept in: cache/ below dataDir (the flag --data-dir, may be empty),
// $FEDDAG_DATA_DIR or ./data, the first of them that can be written to; "" if none can. Nothing is ever written
// elsewhere. A directory that is not there yet can be if its parent is; it is made with the first set.
func CacheDir(dataDir string) string {
	for _, dir := range writeDirs(dataDir) {
		if writable(dir) {
			return filepath.Join(dir, cacheFolder)
		}
	}
	return ""
}

// FetchDir returns the directory that files are fetched into: dataDir, $FEDDAG_DATA_DIR or ./data, the first of them that
// can be written to; "" if none can.
func FetchDir(dataDir string) string {
	if cache := CacheDir(dataDir); cache != "" {
		return filepath.Dir(cache)
	}
	return ""
}

// writeDirs are the directories that may be written to.
func writeDirs(dataDir string) []string {
	var dirs []string
	for _, dir := range []string{dataDir, os.Getenv(DataDirEnv), "data"} {
		if dir != "" {
			dirs = append(dirs, filepath.Clean(dir))
		}
	}
	return dirs
}

// writable says whether files can be made in a directory or, while it is not there, the directory itself. One that its
// owner has closed to writing is left alone by root too.
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
	f, err := os.CreateTemp(dir, ".probe-*.tmp")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}

// always and packed are for source.kept: packed is for files that have to be unpacked.
func always([]string) bool { return true }

func packed(files []string) bool {
	return slices.ContainsFunc(files, func(f string) bool {
		return slices.Contains([]string{".gz", ".tgz", ".tar", ".zip"}, filepath.Ext(f))
	})
}

// decodedName is the name of a decoded set's file: the set, and what throughCache adds to it.
var decodedName = regexp.MustCompile(`^(.+)-[0-9a-f]{12}$`)

// throughCache returns the set kept in a cache if it was made of these files as they are now, else the one that read
// returns, and keeps that.
func throughCache(cache string, q query, files []string, read func() (*Set, error)) (*Set, error) {
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
		s.Notes = append(s.Notes, fmt.Sprintf("decoded anew: %v", readErr))
	}
	if writeErr != nil {
		s.Notes = append(s.Notes, fmt.Sprintf("the decoded set could not be kept, it is decoded again next time: %v", writeErr))
	}
	return s, nil
}

// decodedPath returns where the set is kept: one file for each set, path and options, so that a change of the source
// replaces it and nothing piles up.
func decodedPath(cache string, q query, files []string) string {
	base, _, _ := strings.Cut(q.name, ":")
	return filepath.Join(cache, fmt.Sprintf("%s-%s%s", base, wish(q, files)[:12], setSuffix))
}

// wish identifies a set, its options and its place, whatever is there.
func wish(q query, files []string) string {
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

// fingerprint identifies what a set is decoded from and what decodes it: name, size and time of every file, and the
// versions of these readers and of Go, whose image decoders change.
func fingerprint(q query, files []string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%d %s %s\n", readerVersion, runtime.Version(), wish(q, files))
	for _, root := range files {
		if err := stamp(h, root, "", 0); err != nil {
			return "", err
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

// stamp writes name, size and time of every file at and below root/path, through links.
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
