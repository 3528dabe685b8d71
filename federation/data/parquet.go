package data

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"feddag/internal/spelling"
)

// The set parquet is an image set of Hugging Face: one .parquet file or a folder of them, with a column of images (a structure
// of bytes and path) and a column of labels (whole numbers or names). The names of the classes are those that the library
// datasets writes into the file (ClassLabel). The split of a file is in its name (train-00000-of-00001.parquet) or in the name
// of its folder. Users are the values of the column that the option user names, or the files (users=files), such as the
// partitions of flwr-datasets.
func init() {
	options := maps.Clone(imageOptions)
	options["image"] = "column of the images (default: the only one)"
	options["label"] = "column of the labels (default: the only column of classes, or the column label)"
	options["user"] = "column of the users, such as writer_id (default: no users)"
	options["users"] = "files: each file is a user, named by its path without the split and the ending"
	options["test"] = "share of the images of each user and class for testing if no file belongs to a split, above 0 and below 1 (default 0.2)"
	options["exif"] = "apply the EXIF orientation, as the library datasets does (default), or ignore it"
	register(source{
		name: "parquet", title: "images in parquet files", aliases: []string{"huggingface", "hf"}, takesPath: true,
		endings: []string{".parquet"},
		options: options, cacheable: always,
		find: func(q query) ([]string, error) {
			path, err := findPath(q, []string{"", ".parquet"}, nil, "a .parquet file or a folder of them")
			return []string{path}, err
		},
		read: readParquet,
	})
}

// maxEncoded bounds the bytes of all encoded images, which are in memory until they are decoded.
const maxEncoded = 1 << 34

func readParquet(ctx context.Context, files []string, q query) (*Set, error) {
	o, err := parseImageOptions(q)
	if err != nil {
		return nil, err
	}
	if o.upright, err = exifOption(q, true); err != nil {
		return nil, err
	}
	share, err := testShare(q)
	if err != nil {
		return nil, err
	}
	if text, given := q.extra["users"]; given && text != "files" {
		return nil, spelling.Unknown("option users", text, []string{"files"})
	}
	places, notes, err := parquetFiles(files[0])
	if err != nil {
		return nil, err
	}
	var rows []tableRow
	var classes []string
	encoded := 0
	for i, place := range places {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		t, err := readTable(files[0], place, q)
		if err == nil && i > 0 && !slices.Equal(t.classes, classes) {
			err = fmt.Errorf("it has the classes %s, but earlier files have %s", few(t.classes), few(classes))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		classes, rows = t.classes, append(rows, t.rows...)
		if encoded += t.encoded; encoded > maxEncoded {
			return nil, fmt.Errorf("%s: up to this file the images have more than %d GB, which this program cannot hold", place, maxEncoded>>30)
		}
		if i == 0 {
			notes = append(notes, t.unread()...)
		}
	}
	if classes == nil { // labels are plain numbers or names
		lines := make([]csvRow, len(rows))
		for i, r := range rows {
			lines[i] = csvRow{place: r.place, label: r.class}
		}
		if err := simplifyLabels(lines); err != nil {
			return nil, err
		}
		if classes, err = labelNames(lines); err != nil {
			return nil, err
		}
		for i := range rows {
			rows[i].class = lines[i].label
		}
	}
	pictures := make([]picture, len(rows))
	for i, r := range rows {
		pictures[i] = picture{node: &node{place: r.place, bytes: r.image}, split: r.split, class: r.class, user: r.user}
	}
	train, test, divided := splits(pictures, share, "no file belongs to a split")
	if len(train) == 0 || len(test) == 0 {
		return nil, fmt.Errorf("%s: %d training and %d test images, both are needed: the name of a file, such as train-0.parquet, or of its folder says its split", files[0], len(train), len(test))
	}
	s, err := setOfNamed(ctx, files[0], train, test, classes, o)
	if err != nil {
		return nil, err
	}
	s.sortUsers()
	s.Notes = slices.Concat(divided, unusedShare(q, pictures), notes, s.Notes)
	s.scaleByTraining()
	return s, nil
}

// sortUsers sorts the users by their names, as numbers if all names are numbers: partition 2 comes before 10.
func (s *Set) sortUsers() {
	names := slices.Clone(s.UserNames)
	sortLabels(names)
	place := positions(names)
	for _, users := range [][]int32{s.Train.Users, s.Test.Users} {
		for i, u := range users {
			users[i] = int32(place[s.UserNames[u]])
		}
	}
	s.UserNames = names
}

// parquetFiles returns root if it is a file. If it is a folder, parquetFiles returns the .parquet files in it and in the folders
// below it, sorted. A note names other files.
func parquetFiles(root string) (files, notes []string, err error) {
	if !isFolder(root) {
		return []string{root}, nil, nil
	}
	t := &tree{root: root, seen: map[string]string{}}
	if err := t.addDir(root, nil); err != nil {
		return nil, nil, err
	}
	defer t.Close()
	var others []string
	for _, n := range t.nodes {
		if strings.HasSuffix(n.file, ".parquet") && n.entry == nil {
			files = append(files, n.place)
		} else {
			others = append(others, n.place)
		}
	}
	switch {
	case len(files) > 0:
	case slices.ContainsFunc(others, func(name string) bool { return strings.HasSuffix(name, ".arrow") }):
		return nil, nil, fmt.Errorf("%s: it contains no .parquet file, but .arrow files of save_to_disk: write them with to_parquet", root)
	default:
		return nil, nil, fmt.Errorf("%s: it contains no .parquet file", root)
	}
	if len(others) > 0 {
		notes = append(notes, fmt.Sprintf("%s left out, because only .parquet files are read: %s", counted(len(others), "file is", "files are"), few(others)))
	}
	slices.Sort(files)
	return files, notes, nil
}
