package data

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"feddag/internal/archive"
	"feddag/internal/damage"
)

// Bounds of a tree of images. A larger tree is not a data set, or is malicious.
const (
	maxImageFile = 1 << 28 // largest number of bytes per image file
	maxTreeFiles = 1 << 24
	maxTreeDepth = 16
)

// node is a file of a tree, in a folder or in a zip.
type node struct {
	dirs  []string // the folders from the root to the file, without the root
	file  string   // the name of the file
	place string   // the path for messages: ROOT/train/cat/1.jpg, or ROOT/train.zip: train/cat/1.jpg
	entry *zip.File
	bytes []byte // content of the file if it is in memory
}

// read returns the bytes of the file.
func (n *node) read() ([]byte, error) {
	if n.bytes != nil {
		return n.bytes, nil
	}
	if n.entry != nil {
		return readEntry(n.entry, maxImageFile)
	}
	f, err := os.Open(n.place)
	if err != nil {
		return nil, errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxImageFile+1))
	if err == nil && len(b) > maxImageFile {
		err = fmt.Errorf("it has more than %d bytes", maxImageFile)
	}
	return b, err
}

// readEntry returns the bytes of a file in a zip, at most maxBytes. It allocates no more than about twice the unpacked size
// of the file, whatever the directory of the zip claims.
func readEntry(e *zip.File, maxBytes uint64) ([]byte, error) {
	if e.UncompressedSize64 > maxBytes {
		return nil, fmt.Errorf("it unpacks to more than %d bytes", maxBytes)
	}
	r, err := e.Open()
	if err != nil {
		return nil, damage.Describe(err)
	}
	defer r.Close()
	size := int(e.UncompressedSize64)
	b := make([]byte, 0, min(size+1, 1<<20))
	for {
		if len(b) == cap(b) {
			b = slices.Grow(b, len(b)+512)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return nil, damage.Describe(err)
		}
		if len(b) > size {
			return nil, errors.New("damaged: it unpacks to more bytes than its directory claims; fetch it again")
		}
	}
}

// tree has all files of a root and of the zips in it.
type tree struct {
	root    string // the first root
	nodes   []node
	empty   []node // empty folders
	closers []io.Closer
	seen    map[string]string // place of each real path and of each path in the tree
}

// openTree lists the files in a folder and in the zips in it, or in a zip. If there are several roots, each folder keeps
// its own name. Hidden files and folders, and those that macOS adds to a zip, are left out. The caller closes the tree after
// its files have been read.
func openTree(roots ...string) (t *tree, err error) {
	t = &tree{root: roots[0], seen: map[string]string{}}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	for _, root := range roots {
		info, err := os.Stat(root)
		if err != nil {
			return t, err
		}
		switch {
		case !info.IsDir():
			err = t.addZip(root, nil)
		case len(roots) == 1:
			err = t.addDir(root, nil)
		default:
			err = t.addDir(root, []string{filepath.Base(root)})
		}
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// Close closes the zips.
func (t *tree) Close() {
	for _, c := range t.closers {
		c.Close()
	}
	t.closers = nil
}

func (t *tree) add(n node) error {
	if len(t.nodes) >= maxTreeFiles {
		return fmt.Errorf("%s: there are more than %d files", n.place, maxTreeFiles)
	}
	// Two zips, or a zip and a folder, may contain the same file. The user must remove one of them.
	key := path.Join(path.Join(n.dirs...), n.file)
	if other, dup := t.seen[key]; dup {
		return fmt.Errorf("%s and %s are the same file of the set: remove one", other, n.place)
	}
	t.seen[key] = n.place
	t.nodes = append(t.nodes, n)
	return nil
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// addDir adds the files in a folder and in the folders below it.
func (t *tree) addDir(dir string, dirs []string) error {
	if len(dirs) > maxTreeDepth {
		return fmt.Errorf("%s: it is more than %d folders deep", dir, maxTreeDepth)
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil { // a link may lead to a folder above
		if other, dup := t.seen["\x00"+real]; dup {
			return fmt.Errorf("%s and %s are the same folder: remove one", other, dir)
		}
		t.seen["\x00"+real] = dir
	}
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return err
	}
	held := false
	for _, e := range entries {
		if hidden(e.Name()) {
			continue
		}
		place := filepath.Join(dir, e.Name())
		mode := e.Type()
		if mode&fs.ModeSymlink != 0 {
			info, err := os.Stat(place)
			if err != nil {
				return err
			}
			mode = info.Mode()
		}
		switch {
		case mode.IsDir():
			if len(dirs) == 0 && e.Name() == cacheFolder {
				continue
			}
			held = true
			err = t.addDir(place, append(slices.Clone(dirs), e.Name()))
		case mode.IsRegular() && strings.EqualFold(filepath.Ext(place), ".zip"):
			held = true
			err = t.addZip(place, dirs)
		case mode.IsRegular():
			held = true
			err = t.add(node{dirs: dirs, file: e.Name(), place: place})
		}
		if err != nil {
			return err
		}
	}
	if !held {
		t.empty = append(t.empty, node{dirs: dirs, place: dir})
	}
	return nil
}

// openZip opens a zip and checks its directory. Its errors do not name the file.
func openZip(file string) (*zip.ReadCloser, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	r, err := zip.OpenReader(file)
	if err != nil {
		return nil, describeArchive(err)
	}
	if err := archive.CheckZip(r.File, info.Size()); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// addZip adds the files in a zip that is in dirs. Nothing is unpacked to disk.
func (t *tree) addZip(file string, dirs []string) error {
	r, err := openZip(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	t.closers = append(t.closers, r)
	// The names train.zip and train-1.zip indicate a split, unless folders in the zip do.
	stem := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	word, _, _ := strings.Cut(stem, "-")
	if splitOf(word) != "" && !slices.ContainsFunc(r.File, func(e *zip.File) bool {
		return slices.ContainsFunc(strings.Split(e.Name, "/"), func(s string) bool { return splitOf(s) != "" })
	}) {
		dirs = append(slices.Clone(dirs), word)
	}
	held := map[string]bool{}
	var folders []node
	for _, e := range r.File {
		place := file + ": " + e.Name
		name := strings.TrimSuffix(e.Name, "/")
		parts := strings.Split(name, "/")
		if len(parts)+len(dirs) > maxTreeDepth+1 {
			return fmt.Errorf("%s: it is more than %d folders deep", place, maxTreeDepth)
		}
		if slices.ContainsFunc(parts, hidden) {
			continue
		}
		for k := 1; k < len(parts); k++ {
			held[strings.Join(parts[:k], "/")] = true
		}
		if strings.HasSuffix(e.Name, "/") {
			folders = append(folders, node{dirs: slices.Concat(dirs, parts), file: name, place: place})
			continue
		}
		last := len(parts) - 1
		if err := t.add(node{dirs: slices.Concat(dirs, parts[:last]), file: parts[last], place: place, entry: e}); err != nil {
			return err
		}
	}
	for _, f := range folders {
		if !held[f.file] {
			t.empty = append(t.empty, f)
		}
	}
	return nil
}

// splitOf returns the split that the name of a folder indicates: "train", "test", "val", or "" for none.
func splitOf(folder string) string {
	switch strings.ToLower(folder) {
	case "train", "training":
		return "train"
	case "test", "testing":
		return "test"
	case "val", "valid", "validation", "dev":
		return "val"
	}
	return ""
}

// imageEndings are the endings of the files that are read, for messages.
const imageEndings = ".jpg, .jpeg and .png"

// isImage reports whether a file has the name of a JPEG or PNG image.
func isImage(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".png":
		return true
	}
	return false
}
