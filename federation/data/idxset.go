package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// idxSet is a data set of four IDX files in the layout of MNIST: grey images of 28 x 28 in ten classes. MNIST and the sets
// made after it use the same file names, so they are distinguished by the name of the folder and the checksums of the
// published files.
type idxSet struct {
	name       string
	title      string
	aliases    []string
	folders    []string // possible names of its folder in a directory of data sets; the files are in it or in its raw/ (torchvision)
	classNames []string
	mean, std  float32
	unpacked   [4]string // MD5 of the published files without gzip, in the order of idxFiles; see identify
	advice     string    // how to get the files
	origin     origin
}

// idxSets are the registered sets of this layout, by name.
var idxSets = map[string]*idxSet{}

func registerIDX(x *idxSet) {
	idxSets[x.name] = x
	register(source{name: x.name, title: x.title, aliases: x.aliases, origin: x.origin, find: x.find, read: x.read, published: x.published})
}

// idxFiles are the four files, in the order of find and read. dotted returns the name that some mirrors use.
var idxFiles = [4]string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}

// idxDownloads completes the descriptions of the four files as they are published, with gzip.
func idxDownloads(mirrors []string, files [4]download) []download {
	for i := range files {
		files[i].file, files[i].mirrors = idxFiles[i]+".gz", mirrors
	}
	return files[:]
}

func dotted(file string) string { return strings.Replace(file, "-idx", ".idx", 1) }

// find returns the four files of the first complete copy, the plain file before the compressed one.
func (x *idxSet) find(q query) ([]string, error) {
	notFound := &NotFoundError{
		Name:   x.name,
		Needs:  strings.Join(idxFiles[:], ", ") + " (plain or .gz) in " + strings.Join(x.folders, "/, ") + "/, their raw/, or there",
		Advice: x.advice,
	}
	for _, root := range q.dirs {
		remark := ""
		for _, dir := range x.places(root) {
			files, missing, err := idxFilesIn(dir)
			switch {
			case err != nil:
				remark = fmt.Sprintf(" (%v)", err)
			case len(missing) == 0:
				return files, nil
			case len(missing) < len(idxFiles):
				remark = fmt.Sprintf(" (%s lacks %s)", dir, strings.Join(missing, ", "))
			}
		}
		notFound.Looked = append(notFound.Looked, root+remark)
	}
	return nil, notFound
}

// places returns the folders where the set may be: folders in a directory of data sets, and the directory itself. The
// directory itself is left out if it has the name of another set, because the files could not distinguish the two.
func (x *idxSet) places(root string) []string {
	var places []string
	for _, folder := range x.folders {
		places = append(places, filepath.Join(root, folder), filepath.Join(root, folder, "raw"))
	}
	if owner := folderOwner(root); owner == "" || owner == x.name {
		places = append(places, root, filepath.Join(root, "raw"))
	}
	return places
}

// folderOwner returns the set after which a folder is named, or "".
func folderOwner(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	base := filepath.Base(dir)
	if base == "raw" {
		base = filepath.Base(filepath.Dir(dir))
	}
	for _, name := range sortedKeys(idxSets) {
		x := idxSets[name]
		if slices.Contains(x.folders, base) || slices.Contains(x.aliases, strings.ToLower(base)) {
			return name
		}
	}
	return ""
}

// idxFilesIn returns the four files in a folder and the names of those that are missing. It returns an error for a folder
// that may have the files but cannot be read.
func idxFilesIn(dir string) (files, missing []string, err error) {
	for _, file := range idxFiles {
		found := ""
		for _, name := range []string{file, dotted(file), file + ".gz", dotted(file) + ".gz"} {
			path := filepath.Join(dir, name)
			info, statErr := os.Stat(path)
			if statErr == nil && info.Mode().IsRegular() {
				found = path
				break
			}
			if errors.Is(statErr, fs.ErrPermission) {
				err = statErr
			}
		}
		if found == "" {
			missing = append(missing, file)
		} else {
			files = append(files, found)
		}
	}
	return files, missing, err
}

// read reads the four files.
func (x *idxSet) read(_ context.Context, files []string, _ query) (*Set, error) {
	if len(files) != len(idxFiles) {
		return nil, fmt.Errorf("data set %s: there are %d files, but it needs the four files %s", x.name, len(files), strings.Join(idxFiles[:], ", "))
	}
	s := &Set{
		Channels: 1, Height: 28, Width: 28,
		Classes: len(x.classNames), ClassNames: slices.Clone(x.classNames),
		Mean: []float32{x.mean}, Std: []float32{x.std},
	}
	for i, split := range []*Images{&s.Train, &s.Test} {
		images, labels := files[2*i], files[2*i+1]
		nImages, pixels, err := readIDXFile(images, 3, []int{s.Height, s.Width})
		if err != nil {
			return nil, err
		}
		nLabels, l, err := readIDXFile(labels, 1, nil)
		if err != nil {
			return nil, err
		}
		if nImages != nLabels {
			return nil, fmt.Errorf("%s: there are %d labels for the %d images of %s; fetch both again", labels, nLabels, nImages, images)
		}
		for j, label := range l {
			if int(label) >= s.Classes {
				return nil, fmt.Errorf("%s: label %d of image %d is out of range: it must be below %d", labels, label, j, s.Classes)
			}
		}
		split.Pixels, split.Labels = pixels, l
	}
	if err := x.identify(s, files); err != nil {
		return nil, err
	}
	return s, nil
}
