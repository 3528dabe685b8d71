package data

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// csvRow is a line of the list.
type csvRow struct {
	place             string // FILE: line N
	user, file, label string
	split             string // "train", "test", "val", or "" for unknown
}

// csvColumns are the names that each column may have.
var csvColumns = map[string][]string{
	"user":  {"user", "user_id", "client", "client_id", "domain"},
	"file":  {"file", "image", "image_id", "path", "filename"},
	"label": {"label", "class", "class_id", "landmark_id"},
	"split": {"split", "set"},
}

// readCSVFile reads a list. split is "train" or "test" if the whole list, except for its validation images, belongs to this
// split, and "" if the list has a column split. unread has the names of the columns that are not read.
func readCSVFile(name, split string) (rows []csvRow, unread []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	rows, unread, err = readCSVRows(f, name, split)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, unread, nil
}

func readCSVRows(r io.Reader, name, split string) (rows []csvRow, unread []string, err error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if err == io.EOF {
		return nil, nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, nil, err
	}
	at := map[string]int{}
	for column, known := range csvColumns {
		at[column] = slices.IndexFunc(head, func(h string) bool {
			return slices.Contains(known, strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))))
		})
	}
	for i, h := range head {
		if h = strings.TrimSpace(h); h != "" && !slices.Contains(slices.Collect(maps.Values(at)), i) {
			unread = append(unread, h)
		}
	}
	need := []string{"user", "file", "label"}
	if split == "test" {
		need = need[1:]
	}
	for _, column := range need {
		if at[column] < 0 {
			return nil, nil, fmt.Errorf("there is no column %s (or %s) in the first line, %q", column, strings.Join(csvColumns[column][1:], ", "), strings.Join(head, ","))
		}
	}
	for {
		record, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		line, _ := c.FieldPos(0)
		field := func(column string) string {
			if i := at[column]; i >= 0 && i < len(record) {
				return strings.Clone(strings.TrimSpace(record[i]))
			}
			return ""
		}
		row := csvRow{fmt.Sprintf("%s: line %d", name, line), field("user"), field("file"), field("label"), split}
		if at["split"] >= 0 {
			switch own := splitOf(field("split")); {
			case own == "" && split == "":
				return nil, nil, fmt.Errorf("line %d: the split is %q, but must be train, val or test", line, field("split"))
			case split == "" || own == "val":
				row.split = own
			case own != "" && own != split:
				return nil, nil, fmt.Errorf("line %d: it has the split %s in the list of the %s images: remove the line, or leave out the option test-file", line, own, split)
			}
		}
		switch {
		case row.file == "" || row.label == "":
			return nil, nil, fmt.Errorf("line %d: a file or a label is missing", line)
		case isMissing(row.label):
			return nil, nil, fmt.Errorf("line %d: the label is %s, so the image has none: write its label or remove the line", line, row.label)
		case row.user == "" && at["user"] >= 0:
			return nil, nil, fmt.Errorf("line %d: the user is missing", line)
		case isMissing(row.user):
			return nil, nil, fmt.Errorf("line %d: the user is %s, so the image has none: write its user or remove the line", line, row.user)
		case len(rows) >= maxTreeFiles:
			return nil, nil, fmt.Errorf("it has more than %d lines", maxTreeFiles)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, nil, errors.New("the file lists no images")
	}
	return rows, unread, nil
}

// findPictures finds the file of each row in a tree. A file is found by its path from the root or its absolute path, with
// or without an extension, or by its name if only one file has this name.
func findPictures(rows []csvRow, t *tree) ([]picture, error) {
	byPath, byName := map[string]*node{}, map[string][]*node{}
	for i := range t.nodes {
		n := &t.nodes[i]
		if !isImage(n.file) {
			continue
		}
		full := path.Join(path.Join(n.dirs...), n.file)
		byPath[full], byPath[strings.TrimSuffix(full, path.Ext(full))] = n, n
		for _, name := range []string{n.file, strings.TrimSuffix(n.file, path.Ext(n.file))} {
			byName[name] = append(byName[name], n)
		}
	}
	below := pathsBelow(t.root)
	taken := map[*node]string{}
	pictures := make([]picture, len(rows))
	for i, r := range rows {
		file := below(r.file)
		if !filepath.IsLocal(file) {
			return nil, fmt.Errorf("%s: the file %q is outside the folder of the images, %s (option images)", r.place, r.file, t.root)
		}
		n := byPath[path.Clean(file)]
		if same := byName[r.file]; n == nil && len(same) == 1 {
			n = same[0]
		} else if n == nil && len(same) > 1 {
			return nil, fmt.Errorf("%s: the file %q may be %s or %s; write its path", r.place, r.file, same[0].place, same[1].place)
		}
		if n == nil && t.has(path.Clean(file)) {
			return nil, fmt.Errorf("%s: the file %q has an unknown ending; images with %s are read: convert it", r.place, r.file, imageEndings)
		}
		if n == nil {
			return nil, fmt.Errorf("%s: there is no image %q below %s (option images)", r.place, r.file, t.root)
		}
		if other, twice := taken[n]; twice {
			return nil, fmt.Errorf("%s: the file %q is already listed: %s", r.place, r.file, other)
		}
		taken[n] = r.place
		pictures[i] = picture{node: n, split: r.split, class: r.label, user: r.user}
	}
	return pictures, nil
}

// has reports whether a file, by its path from the root, is in the tree.
func (t *tree) has(file string) bool {
	return slices.ContainsFunc(t.nodes, func(n node) bool { return path.Join(path.Join(n.dirs...), n.file) == file })
}

// pathsBelow returns a function that converts an absolute path, or a path with "..", to a path relative to root if it leads
// to a file below root, or below the folder to which root is a link. The function returns every other path unchanged.
func pathsBelow(root string) func(file string) string {
	var roots []string
	if abs, err := filepath.Abs(root); err == nil {
		roots = append(roots, abs)
		if real, err := filepath.EvalSymlinks(abs); err == nil && real != abs {
			roots = append(roots, real)
		}
	}
	return func(file string) string {
		if filepath.IsLocal(file) {
			return file
		}
		for _, r := range roots {
			full := file
			if !filepath.IsAbs(file) {
				full = filepath.Join(r, file)
			}
			if rel, err := filepath.Rel(r, full); err == nil && filepath.IsLocal(rel) {
				return filepath.ToSlash(rel)
			}
		}
		return file
	}
}
