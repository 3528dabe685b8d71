package data

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// csv: images that a CSV file lists with the columns user, file, label and, optionally, split, for natural partitions
// such as Google Landmarks, whose column names (user_id, image_id, class) work as well. The images lie below the
// folder of the CSV file or below images=PATH, a folder or a zip. The extension of a file may be left out. Labels are
// numbers from 0, or names that are numbered in alphabetical order. Without splits, a share of the images of each user
// and class is used for testing. Validation images are left out if there are test images.
func init() {
	options := maps.Clone(imageOptions)
	options["images"] = "folder or zip of the images, from the CSV's folder (default: that folder)"
	options["test-file"] = "a second CSV, of the test images, in the same folder (its user column may be missing)"
	options["classes"] = "keep only so many classes, those of the most images (at most 256 can be held)"
	options["test"] = "share of the images of each user and class for testing where nothing says which, above 0, below 1 (default 0.2)"
	register(source{
		name: "csv", title: "images of a CSV file", takesPath: true, options: options, cacheable: always,
		find: findCSV, read: readCSV,
	})
}

// findCSV returns the CSV files and the folder or zip of the images.
func findCSV(q query) ([]string, error) {
	if q.path == "" {
		return nil, fmt.Errorf("data set csv: write csv:PATH, the path of the CSV file")
	}
	list, err := findFolder(q)
	if err != nil {
		return nil, err
	}
	if isFolder(list[0]) {
		return nil, fmt.Errorf("%s: a folder, must be a CSV file", list[0])
	}
	dir := filepath.Dir(list[0])
	files := list
	if name, ok := q.extra["test-file"]; ok {
		files = append(files, filepath.Join(dir, name))
	}
	images := dir
	if name, ok := q.extra["images"]; ok {
		if images = name; !filepath.IsAbs(name) {
			images = filepath.Join(dir, name)
		}
	}
	files = append(files, images)
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// csvRow is a line of the list.
type csvRow struct {
	place             string // FILE: line N
	user, file, label string
	split             string // "train", "test", "val", or "" for unknown
}

func readCSV(ctx context.Context, files []string, q query) (*Set, error) {
	o, err := parseImageOptions(q)
	if err != nil {
		return nil, err
	}
	share, err := testShare(q)
	if err != nil {
		return nil, err
	}
	lists, images := files[:len(files)-1], files[len(files)-1]
	var rows []csvRow
	for i, list := range lists {
		split := ""
		if len(lists) > 1 {
			split = []string{"train", "test"}[i]
		}
		more, err := readCSVFile(list, split)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
	}
	dropped := ""
	if text, ok := q.extra["classes"]; ok {
		most, err := strconv.Atoi(text)
		if err != nil || most < 1 || most > maxClasses {
			return nil, fmt.Errorf("option classes=%s: use 1 to %d", text, maxClasses)
		}
		rows, dropped = mostFrequent(rows, most)
	}
	t, err := openTree(images)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	pictures, err := findPictures(rows, t)
	if err != nil {
		return nil, err
	}
	names, err := labelNames(rows)
	if err != nil {
		return nil, fmt.Errorf("%w (option classes keeps the largest)", err)
	}
	sortPictures(pictures)
	train, test, notes := splits(pictures, share, "no test images given")
	if len(train) == 0 || len(test) == 0 {
		return nil, fmt.Errorf("%s: %d training and %d test images, both are needed: see the column split and the options test-file and test", lists[0], len(train), len(test))
	}
	s, err := setOfNamed(ctx, lists[0], train, test, names, o)
	if err != nil {
		return nil, err
	}
	if dropped != "" {
		notes = append(notes, dropped)
	}
	s.Notes = slices.Concat(notes, unusedShare(q, pictures), s.Notes)
	s.scaleByTraining()
	return s, nil
}

// mostFrequent keeps the rows of the classes with the most images, of equal classes the first by name, and returns a
// note about the rows that it drops. Numbers of classes become names, because the numbers would be out of range.
func mostFrequent(rows []csvRow, most int) (kept []csvRow, note string) {
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.label]++
	}
	names := sortedKeys(counts)
	if len(names) <= most {
		return rows, ""
	}
	slices.SortStableFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	keep := map[string]bool{}
	for _, name := range names[:most] {
		keep[name] = true
	}
	for _, r := range rows {
		if keep[r.label] {
			r.label = "class " + r.label
			kept = append(kept, r)
		}
	}
	return kept, fmt.Sprintf("%d images of the %d smallest classes of %d are left out", len(rows)-len(kept), len(names)-most, len(names))
}

// csvColumns are the names that each column may have.
var csvColumns = map[string][]string{
	"user":  {"user", "user_id", "client", "client_id", "domain"},
	"file":  {"file", "image", "image_id", "path", "filename"},
	"label": {"label", "class", "class_id", "landmark_id"},
	"split": {"split", "set"},
}

// readCSVFile reads a list. split is the split of all its images, or "".
func readCSVFile(name, split string) ([]csvRow, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := readCSVRows(f, name, split)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return rows, nil
}

func readCSVRows(r io.Reader, name, split string) ([]csvRow, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if err == io.EOF {
		return nil, errors.New("the file is empty")
	}
	if err != nil {
		return nil, err
	}
	at := map[string]int{}
	for column, known := range csvColumns {
		at[column] = slices.IndexFunc(head, func(h string) bool {
			return slices.Contains(known, strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))))
		})
	}
	need := []string{"user", "file", "label"}
	if split == "test" {
		need = need[1:]
	}
	for _, column := range need {
		if at[column] < 0 {
			return nil, fmt.Errorf("no column %s (or %s) in the first line, %q", column, strings.Join(csvColumns[column][1:], ", "), strings.Join(head, ","))
		}
	}
	var rows []csvRow
	for {
		record, err := c.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		line, _ := c.FieldPos(0)
		field := func(column string) string {
			if i := at[column]; i >= 0 && i < len(record) {
				return strings.Clone(strings.TrimSpace(record[i]))
			}
			return ""
		}
		row := csvRow{fmt.Sprintf("%s: line %d", name, line), field("user"), field("file"), field("label"), split}
		if at["split"] >= 0 && split == "" {
			if row.split = splitOf(field("split")); row.split == "" {
				return nil, fmt.Errorf("line %d: split %q, must be train, val or test", line, field("split"))
			}
		}
		switch {
		case row.file == "" || row.label == "":
			return nil, fmt.Errorf("line %d: a file or a label is missing", line)
		case row.user == "" && at["user"] >= 0:
			return nil, fmt.Errorf("line %d: the user is missing", line)
		case len(rows) >= maxTreeFiles:
			return nil, fmt.Errorf("more than %d lines", maxTreeFiles)
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		return nil, errors.New("the file lists no image")
	}
	return rows, nil
}

// findPictures finds the file of each row below a root: by its path, with or without an extension, or else by a name
// that only one file has.
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
	taken := map[*node]string{}
	pictures := make([]picture, len(rows))
	for i, r := range rows {
		if !filepath.IsLocal(r.file) {
			return nil, fmt.Errorf("%s: the file %q leads out of the images' folder", r.place, r.file)
		}
		n := byPath[path.Clean(r.file)]
		if same := byName[r.file]; n == nil && len(same) == 1 {
			n = same[0]
		} else if n == nil && len(same) > 1 {
			return nil, fmt.Errorf("%s: file %q may be %s or %s; write its path", r.place, r.file, same[0].place, same[1].place)
		}
		if n == nil {
			return nil, fmt.Errorf("%s: no image %q below %s (option images)", r.place, r.file, t.root)
		}
		if other, twice := taken[n]; twice {
			return nil, fmt.Errorf("%s: the file %q is listed already: %s", r.place, r.file, other)
		}
		taken[n] = r.place
		pictures[i] = picture{node: n, split: r.split, class: r.label, user: r.user}
	}
	return pictures, nil
}

// labelNames returns the class names by label. Whole numbers are labels as they are: class 3 has label 3 even if no
// image is of class 2.
func labelNames(rows []csvRow) ([]string, error) {
	names, top := map[string]bool{}, -1
	for _, r := range rows {
		names[r.label] = true
	}
	for _, r := range rows {
		n, err := strconv.Atoi(r.label)
		if err != nil {
			return sortedKeys(names), nil
		}
		if n < 0 || n >= maxClasses || strconv.Itoa(n) != r.label {
			return nil, fmt.Errorf("%s: label %s is out of range, must be 0 to %d, or a name", r.place, r.label, maxClasses-1)
		}
		top = max(top, n)
	}
	numbers := make([]string, top+1)
	for i := range numbers {
		numbers[i] = strconv.Itoa(i)
	}
	return numbers, nil
}
