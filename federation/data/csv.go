package data

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// The set csv has images that a CSV file lists with the columns user, file, label and, optionally, split, for natural
// partitions such as Google Landmarks, whose column names (user_id, image_id, class) work as well. The images are below
// the folder of the CSV file or below images=PATH, a folder or a zip. The extension of a file may be left out. Labels are
// numbers from 0, or names that are numbered in alphabetical order. Without splits, a share of the images of each user and
// class is used for testing. Validation images are left out if there are test images.
func init() {
	options := maps.Clone(imageOptions)
	options["images"] = "folder or zip of the images, relative to the CSV's folder (default: that folder)"
	options["test-file"] = "a second CSV with the test images, in the same folder (its user column may be missing)"
	options["classes"] = "keep only this number of classes, those with the most images (at most 256)"
	options["test"] = "share of the images of each user and class for testing if the list does not say which are, above 0 and below 1 (default 0.2)"
	register(source{
		name: "csv", title: "images of a CSV file", takesPath: true, endings: []string{".csv"}, options: options, cacheable: always,
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
		return nil, fmt.Errorf("%s: it is a folder, but a CSV file is needed", list[0])
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
	var notes []string
	for i, list := range lists {
		split := ""
		if len(lists) > 1 {
			split = []string{"train", "test"}[i]
		}
		more, unread, err := readCSVFile(list, split)
		if err != nil {
			return nil, err
		}
		rows = append(rows, more...)
		if len(unread) > 0 {
			notes = append(notes, fmt.Sprintf("%s not read in %s: %s", counted(len(unread), "column is", "columns are"), filepath.Base(list), few(unread)))
		}
	}
	if err := simplifyLabels(rows); err != nil {
		return nil, err
	}
	var names, dropped []string
	if text, ok := q.extra["classes"]; ok {
		most, err := strconv.Atoi(text)
		if err != nil || most < 1 || most > maxClasses {
			return nil, fmt.Errorf("option classes=%s: use 1 to %d", text, maxClasses)
		}
		rows, names, dropped = mostFrequent(rows, most)
	} else if names, err = labelNames(rows); err != nil {
		return nil, fmt.Errorf("%w (option classes keeps the largest)", err)
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
	sortPictures(pictures)
	train, test, divided := splits(pictures, share, "there are no test images")
	divided = append(divided, unusedShare(q, pictures)...)
	if len(train) == 0 || len(test) == 0 {
		return nil, fmt.Errorf("%s: %d training and %d test images, both are needed: see the column split and the options test-file and test", lists[0], len(train), len(test))
	}
	s, err := setOfNamed(ctx, lists[0], train, test, names, o)
	if err != nil {
		return nil, err
	}
	s.Notes = slices.Concat(divided, dropped, notes, s.Notes)
	s.scaleByTraining()
	return s, nil
}

// mostFrequent keeps the rows of the classes with the most images; among equally frequent classes it keeps the first by
// name. It returns the class names by label and a note about the rows that it drops. Class numbers are treated as names if
// rows are dropped, or if a number would be out of range.
func mostFrequent(rows []csvRow, most int) (kept []csvRow, classes, notes []string) {
	counts := map[string]int{}
	for _, r := range rows {
		counts[r.label]++
	}
	names := sortedKeys(counts)
	if len(names) <= most {
		if classes, err := labelNames(rows); err == nil {
			return rows, classes, nil
		}
	}
	slices.SortStableFunc(names, func(a, b string) int { return counts[b] - counts[a] })
	largest := names[:min(most, len(names))]
	sortLabels(largest)
	keep := map[string]string{}
	for _, name := range largest {
		keep[name] = "class " + name
		classes = append(classes, keep[name])
	}
	for _, r := range rows {
		if name, ok := keep[r.label]; ok {
			r.label = name
			kept = append(kept, r)
		}
	}
	if dropped := len(names) - len(largest); dropped > 0 {
		notes = append(notes, fmt.Sprintf("%d images of the %d smallest classes of %d are left out", len(rows)-len(kept), dropped, len(names)))
	}
	return kept, classes, notes
}
