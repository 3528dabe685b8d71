package data

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
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

	"feddag/internal/archive"
	"feddag/internal/damage"
)

// publication is a form in which a set is published: files in a folder, or in an archive of this folder.
type publication struct {
	folder  string   // "cifar-10-batches-bin"
	archive string   // "cifar-10-binary.tar.gz"; "" for none
	files   []string // files in the folder
}

// findPublished finds a set in one of the forms in which it is published. It looks for the folder or the archive, in a
// directory or in one of the given folders of the directory, and for the files there without their folder. It returns the
// files, or only the archive.
func findPublished(q query, folders []string, forms []publication, advice string) ([]string, error) {
	var needs []string
	for _, p := range forms {
		need := p.folder + "/ with " + strings.Join(p.files, ", ")
		if len(p.files) > 3 {
			need = fmt.Sprintf("%s/ with %s, ... (%d files)", p.folder, p.files[0], len(p.files))
		}
		if p.archive != "" {
			need += " or " + p.archive
		}
		needs = append(needs, need)
	}
	notFound := &NotFoundError{Name: q.name, Advice: advice,
		Needs: strings.Join(needs, ", or ") + ", in " + strings.Join(folders, "/, ") + "/ or there"}
	for _, root := range q.dirs {
		remark := ""
		for _, p := range forms {
			for _, dir := range append(subfolders(root, folders), root) {
				for _, place := range []string{filepath.Join(dir, p.folder), dir} {
					files, missing, err := filesIn(place, p.files)
					switch {
					case err != nil:
						remark = fmt.Sprintf(" (%v)", err)
					case len(missing) == 0:
						return files, nil
					case len(missing) < len(p.files):
						remark = fmt.Sprintf(" (%s lacks %s)", place, strings.Join(missing, ", "))
					}
				}
				if p.archive == "" {
					continue
				}
				if archives, missing, _ := filesIn(dir, []string{p.archive}); len(missing) == 0 {
					return archives, nil
				}
			}
		}
		notFound.Looked = append(notFound.Looked, root+remark)
	}
	return nil, notFound
}

// subfolders returns the paths of folders in a directory.
func subfolders(root string, folders []string) []string {
	var dirs []string
	for _, f := range folders {
		dirs = append(dirs, filepath.Join(root, f))
	}
	return dirs
}

// filesIn returns the existing files of a folder and the names of the missing ones. It returns an error for a folder that
// may have the files but cannot be read.
func filesIn(dir string, names []string) (files, missing []string, err error) {
	for _, name := range names {
		file := filepath.Join(dir, name)
		info, statErr := os.Stat(file)
		if statErr == nil && info.Mode().IsRegular() {
			files = append(files, file)
			continue
		}
		if errors.Is(statErr, fs.ErrPermission) {
			err = statErr
		}
		missing = append(missing, name)
	}
	return files, missing, err
}

// member is a file of a publication, in memory.
type member struct {
	place string // the path for messages: DIR/test.bin, or ARCHIVE.tar.gz: cifar-100-binary/test.bin
	bytes []byte
}

// readPublished returns the form of the files that findPublished found, and the files in the order of that form. No
// file may be larger than maxBytes.
func readPublished(found []string, forms []publication, maxBytes int64) (publication, []member, error) {
	for _, p := range forms {
		if len(found) == 1 && filepath.Base(found[0]) == p.archive {
			members, err := tarMembers(found[0], p, maxBytes)
			return p, members, err
		}
		if len(found) != len(p.files) || slices.ContainsFunc(found, func(f string) bool { return !slices.Contains(p.files, filepath.Base(f)) }) {
			continue
		}
		var members []member
		for _, f := range found {
			b, err := readFile(f, maxBytes)
			if err != nil {
				return p, nil, err
			}
			members = append(members, member{f, b})
		}
		return p, members, nil
	}
	return publication{}, nil, fmt.Errorf("%s: there is no file of this set", strings.Join(found, ", "))
}

// readFile reads a file of at most maxBytes bytes.
func readFile(name string, maxBytes int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBytes {
		return nil, fmt.Errorf("%s: it has %d bytes, but such a file may have at most %d", name, info.Size(), maxBytes)
	}
	b, err := damage.Read(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// tarMembers reads the files of a publication from its archive, .tar or .tar.gz.
func tarMembers(file string, p publication, maxBytes int64) ([]member, error) {
	found := map[string]member{}
	err := eachInTar(file, func(h *tar.Header, r io.Reader) error {
		dir, name := path.Split(path.Clean(h.Name))
		if path.Base(dir) != p.folder || !slices.Contains(p.files, name) {
			return nil
		}
		if _, dup := found[name]; dup {
			return errors.New("it occurs twice")
		}
		if h.Size > maxBytes {
			return fmt.Errorf("it has %d bytes, but such a file may have at most %d", h.Size, maxBytes)
		}
		b, err := damage.Read(r, h.Size)
		found[name] = member{file + ": " + h.Name, b}
		return err
	})
	if err != nil {
		return nil, err
	}
	var members []member
	for _, name := range p.files {
		m, ok := found[name]
		if !ok {
			return nil, fmt.Errorf("%s: it lacks %s/%s, but has %s; fetch it again", file, p.folder, name, strings.Join(slices.Sorted(maps.Keys(found)), ", "))
		}
		members = append(members, m)
	}
	return members, nil
}

// eachInTar calls visit with each regular file of a .tar or .tar.gz. Its errors name the archive and the file in it.
func eachInTar(file string, visit func(h *tar.Header, r io.Reader) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := eachInTarOf(f, visit); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// eachInTarOf is like eachInTar, but reads the archive from r.
func eachInTarOf(r io.Reader, visit func(h *tar.Header, r io.Reader) error) error {
	body, packed := r, &archive.Counter{R: r}
	br := bufio.NewReaderSize(packed, 1<<16)
	head, _ := br.Peek(2)
	if s, ok := r.(io.Seeker); bytes.Equal(head, []byte{0x1f, 0x8b}) {
		zr, err := gzip.NewReader(br)
		if err != nil {
			return damage.Describe(err)
		}
		defer zr.Close()
		body = archive.Limit(zr, packed)
	} else if !ok {
		body = br
	} else if _, err := s.Seek(0, io.SeekStart); err != nil { // so that tar.Reader can seek past files
		return damage.Describe(err)
	}
	t := archive.NewTar(body)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return describeArchive(err)
		}
		if err := visit(h, t); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
	// Reading to the end also makes gzip compare the checksum.
	if _, err := io.Copy(io.Discard, body); err != nil {
		return describeArchive(err)
	}
	return nil
}

// describeArchive returns a clearer error for an archive that cannot be read or is rejected.
func describeArchive(err error) error {
	switch {
	case errors.Is(err, archive.ErrHarm):
		return err
	case errors.Is(err, zip.ErrFormat):
		return errors.New("not a zip file, or truncated; fetch it again")
	}
	return damage.Describe(err)
}
