package data

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// Tiny ImageNet: 200 classes of ImageNet, 500 + 50 images each, 64 x 64, most of them in colour (Stanford CS231n,
// 2015). The classes are WordNet numbers in alphabetical order, as in ImageFolder, and are named by their first word. The
// validation images, whose labels are in val_annotations.txt, are used for testing. The published test images have no
// labels.
func init() {
	register(source{
		name: "tiny-imagenet", title: "Tiny ImageNet", aliases: []string{"tinyimagenet", "tiny_imagenet", "tiny-imagenet-200"},
		cacheable: always, options: maps.Clone(imageOptions), find: findTinyImageNet, read: readTinyImageNet,
		origin: origin{
			folder: "tiny-imagenet", images: [2]int{100000, 10000}, perClass: [2]int{500, 50},
			files: []download{{
				file: tinyImageNet + ".zip", size: 248100043, md5: "90528d7ca1a48142e341f4ef8d21d0de",
				mirrors: []string{"http://cs231n.stanford.edu", "https://zenodo.org/records/10720917/files"},
			}},
		},
	})
}

const tinyImageNet = "tiny-imagenet-200"

// findTinyImageNet returns the folder or the zip.
func findTinyImageNet(q query) ([]string, error) {
	notFound := &NotFoundError{
		Name: q.name, Needs: tinyImageNet + "/ with wnids.txt, train/ and val/, or " + tinyImageNet + ".zip, in tiny-imagenet/ or there",
		Advice: "feddag data fetch tiny-imagenet, or name its folder with --data-dir",
	}
	for _, root := range q.dirs {
		remark := ""
		for _, dir := range []string{filepath.Join(root, tinyImageNet), filepath.Join(root, "tiny-imagenet", tinyImageNet), filepath.Join(root, "tiny-imagenet"), root} {
			_, missing, err := filesIn(dir, []string{"wnids.txt"})
			switch {
			case err != nil:
				remark = fmt.Sprintf(" (%v)", err)
			case len(missing) > 0:
			case isFolder(filepath.Join(dir, "train")) && isFolder(filepath.Join(dir, "val")):
				return []string{dir}, nil
			default:
				remark = fmt.Sprintf(" (%s lacks train/ or val/)", dir)
			}
		}
		for _, dir := range []string{root, filepath.Join(root, "tiny-imagenet")} {
			if files, missing, _ := filesIn(dir, []string{tinyImageNet + ".zip"}); len(missing) == 0 {
				return files, nil
			}
		}
		notFound.Looked = append(notFound.Looked, root+remark)
	}
	return nil, notFound
}

func readTinyImageNet(ctx context.Context, files []string, q query) (*Set, error) {
	o, err := parseImageOptions(q)
	if err != nil {
		return nil, err
	}
	if o.channels == 0 {
		o.channels = 3
	}
	t, err := openTree(files[0])
	if err != nil {
		return nil, err
	}
	defer t.Close()
	x, err := newTinyTree(t)
	if err != nil {
		return nil, err
	}
	train, test, err := x.pictures()
	if err != nil {
		return nil, err
	}
	s, err := setOf(ctx, files[0], train, test, o)
	if err != nil {
		return nil, err
	}
	s.ClassNames = x.names(s.ClassNames)
	s.Mean, s.Std = make([]float32, s.Channels), make([]float32, s.Channels)
	for c := range s.Mean {
		s.Mean[c], s.Std[c] = .5, .5
	}
	return s, nil
}

// tinyTree is the tree of the set without the folder around it.
type tinyTree struct {
	root   string
	nodes  []node
	texts  map[string]*node // the lists: wnids.txt, words.txt, val/val_annotations.txt
	wnids  map[string]bool
	images map[string]bool // wnids with a training image
}

func newTinyTree(t *tree) (*tinyTree, error) {
	x := &tinyTree{root: t.root, texts: map[string]*node{}, wnids: map[string]bool{}, images: map[string]bool{}}
	for _, n := range t.nodes {
		if len(n.dirs) > 0 && n.dirs[0] == tinyImageNet {
			n.dirs = n.dirs[1:]
		}
		x.nodes = append(x.nodes, n)
	}
	for i := range x.nodes {
		n := &x.nodes[i]
		if name := strings.Join(append(slices.Clone(n.dirs), n.file), "/"); strings.HasSuffix(name, ".txt") && len(n.dirs) < 2 {
			x.texts[name] = n
		}
	}
	rows, err := x.lines("wnids.txt", 1)
	if err != nil {
		return nil, err
	}
	for _, fields := range rows {
		x.wnids[fields[0]] = true
	}
	return x, nil
}

// lines returns the lines of a list, each split at tabs into at least the given number of fields.
func (x *tinyTree) lines(name string, fields int) ([][]string, error) {
	n := x.texts[name]
	if n == nil {
		return nil, fmt.Errorf("%s: %s is missing; fetch it again", x.root, name)
	}
	b, err := n.read()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.place, err)
	}
	var rows [][]string
	for i, line := range strings.Split(string(b), "\n") {
		line = strings.TrimRight(line, "\r")
		if line == "" {
			continue
		}
		row := strings.Split(line, "\t")
		if len(row) < fields {
			return nil, fmt.Errorf("%s: line %d has %d fields, but must have %d", n.place, i+1, len(row), fields)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s: it is empty; fetch it again", n.place)
	}
	return rows, nil
}

// pictures returns the training images, train/WNID/images/*.JPEG, and the validation images, val/images/*.JPEG, both
// sorted by class and name. Validation images in val/WNID/ are read too.
func (x *tinyTree) pictures() (train, test []picture, err error) {
	annotated, place := map[string]string{}, ""
	if rows, err := x.lines("val/val_annotations.txt", 2); err == nil {
		place = x.texts["val/val_annotations.txt"].place
		for _, row := range rows {
			annotated[row[0]] = row[1]
		}
	} else if slices.ContainsFunc(x.nodes, func(n node) bool { return slices.Equal(n.dirs, []string{"val", "images"}) }) {
		return nil, nil, err
	}
	seen := 0
	for i := range x.nodes {
		n := &x.nodes[i]
		if !isImage(n.file) || len(n.dirs) < 2 {
			continue
		}
		p := picture{node: n, class: n.dirs[1]}
		switch {
		case n.dirs[0] == "train":
			x.images[p.class] = true
			train = append(train, p)
		case n.dirs[0] == "val" && n.dirs[1] == "images":
			if p.class = annotated[n.file]; p.class == "" {
				return nil, nil, fmt.Errorf("%s: it has no label in %s", n.place, place)
			}
			seen++
			test = append(test, p)
		case n.dirs[0] == "val":
			test = append(test, p)
		default:
			continue
		}
		if !x.wnids[p.class] {
			return nil, nil, fmt.Errorf("%s: its class %s is not in wnids.txt", n.place, p.class)
		}
	}
	if seen > 0 && seen != len(annotated) {
		return nil, nil, fmt.Errorf("%s: it labels %d images, but there are %d; fetch it again", place, len(annotated), seen)
	}
	for _, wnid := range sortedKeys(x.wnids) {
		if !x.images[wnid] {
			return nil, nil, fmt.Errorf("%s: there is no image in train/%s/; fetch it again", x.root, wnid)
		}
	}
	if len(test) == 0 {
		return nil, nil, fmt.Errorf("%s: there is no image in val/; fetch it again", x.root)
	}
	sortPictures(train)
	sortPictures(test)
	return train, test, nil
}

// names returns the first word of each class, or the number of the class if words.txt is missing or two classes would have
// the same name.
func (x *tinyTree) names(wnids []string) []string {
	words := map[string]string{}
	if rows, err := x.lines("words.txt", 2); err == nil {
		for _, row := range rows {
			if x.wnids[row[0]] {
				words[row[0]], _, _ = strings.Cut(row[1], ",")
			}
		}
	}
	times := map[string]int{}
	for _, w := range words {
		times[w]++
	}
	names := slices.Clone(wnids)
	for i, wnid := range wnids {
		if w := words[wnid]; w != "" && times[w] == 1 {
			names[i] = w
		} else if w != "" {
			names[i] = w + " " + wnid
		}
	}
	return names
}
