package data

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// picture is an image of a tree with the information from the names of its folders.
type picture struct {
	*node
	split       string // "train", "test", "val", or "" for unknown
	class, user string // user is "" for unknown
}

// parseLayout finds which folders of each image name its split, its class and the domain or person from which it comes.
// Folders that contain all images are ignored. The folder of the split (train, test, val) may be at any depth, which must be
// the same for all images. The other folders are CLASS or USER/CLASS.
func parseLayout(t *tree) ([]picture, error) {
	var pictures []picture
	shallow := maxTreeDepth + 1
	for i := range t.nodes {
		if n := &t.nodes[i]; isImage(n.file) {
			pictures = append(pictures, picture{node: n})
			shallow = min(shallow, len(n.dirs))
		}
	}
	if len(pictures) == 0 {
		return nil, fmt.Errorf("%s: it contains no .jpg, .jpeg or .png file", t.root)
	}
	first := pictures[0]

	// Count the folders that contain all images, except the last folder and folders of a split.
	around := 0
	for ; around+1 < shallow; around++ {
		name := first.dirs[around]
		if splitOf(name) != "" || slices.ContainsFunc(pictures, func(p picture) bool { return p.dirs[around] != name }) {
			break
		}
	}
	// The depth of the split is the first at which the folder of every image names a split.
	split := -1
	for k := around; k < shallow && split < 0; k++ {
		if !slices.ContainsFunc(pictures, func(p picture) bool { return splitOf(p.dirs[k]) == "" }) {
			split = k
		}
	}
	depth := len(first.dirs)
	for i := range pictures {
		p := &pictures[i]
		if split < 0 && slices.ContainsFunc(p.dirs[around:], func(s string) bool { return splitOf(s) != "" }) &&
			!slices.ContainsFunc(first.dirs[around:], func(s string) bool { return splitOf(s) != "" }) {
			return nil, fmt.Errorf("%s is in the folder of a split, but %s is not: use train/ and test/ for all images or for none", p.place, first.place)
		}
		if len(p.dirs) != depth {
			return nil, fmt.Errorf("%s is in %d folders, but %s is in %d: use SPLIT/CLASS/FILE, USER/CLASS/FILE or SPLIT/USER/CLASS/FILE for all",
				first.place, depth-around, p.place, len(p.dirs)-around)
		}
		rest := p.dirs[around:]
		if split >= 0 {
			p.split = splitOf(p.dirs[split])
			rest = slices.Concat(p.dirs[around:split], p.dirs[split+1:])
		}
		switch len(rest) {
		case 1:
			p.class = rest[0]
		case 2:
			p.user, p.class = rest[0], rest[1]
		default:
			return nil, fmt.Errorf("%s: it is in %s, but its class, or its domain and class, are needed: use SPLIT/CLASS/FILE, USER/CLASS/FILE or SPLIT/USER/CLASS/FILE",
				p.place, folders(rest))
		}
	}
	for _, p := range pictures {
		if isMissing(p.class) {
			return nil, fmt.Errorf("%s: its class folder is named %s, so the image has no label: rename or remove the folder", p.place, p.class)
		}
	}
	for _, e := range t.empty {
		if len(e.dirs) == depth {
			return nil, fmt.Errorf("%s: this class folder contains no images; remove it, or restore its images", e.place)
		}
	}
	if err := withoutImage(t, depth); err != nil {
		return nil, err
	}
	sortPictures(pictures)
	return pictures, nil
}

// sortPictures sorts pictures by class, user and name, which is their order in a set. Their order on disk does not
// matter.
func sortPictures(pictures []picture) {
	slices.SortFunc(pictures, func(a, b picture) int {
		return cmp.Or(strings.Compare(a.class, b.class), strings.Compare(a.user, b.user), strings.Compare(a.file, b.file),
			strings.Compare(a.split, b.split))
	})
}

func folders(names []string) string {
	if len(names) == 0 {
		return "no folder"
	}
	return "the folders " + strings.Join(names, "/")
}

// withoutImage returns an error for a class folder that contains files but no image.
func withoutImage(t *tree, depth int) error {
	images := map[string]bool{}
	for i := range t.nodes {
		if n := &t.nodes[i]; len(n.dirs) == depth && isImage(n.file) {
			images[strings.Join(n.dirs, "/")] = true
		}
	}
	for i := range t.nodes {
		if n := &t.nodes[i]; len(n.dirs) == depth && !images[strings.Join(n.dirs, "/")] {
			return fmt.Errorf("%s: its class folder contains no images (.jpg, .jpeg, .png); remove it, or restore its images", n.place)
		}
	}
	return nil
}

// positions returns the position of each name.
func positions(names []string) map[string]int {
	number := map[string]int{}
	for i, name := range names {
		number[name] = i
	}
	return number
}
