package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The set leaf has grey images in LEAF's format (Caldas et al., LEAF: A Benchmark for Federated Settings, 2018), such as
// FEMNIST. The files train/*.json and test/*.json have the form {"users": [...], "num_samples": [...], "user_data": {USER:
// {"x": [[...], ...], "y": [...]}}}, where an image is the list of its values, row by row. Files are read as streams, so only
// pixels are in memory. A user of LEAF is a user here, and images are in the order of their users' names. Without train/ and
// test/, as in LEAF's all_data, a share of the images of each user and class is used for testing.
func init() {
	register(source{
		name: "leaf", title: "images in LEAF's format", aliases: []string{"femnist"}, takesPath: true, cacheable: always,
		options: map[string]string{
			"scale": "unit: values from 0 to 1, as FEMNIST has them (default); inverted: 1 minus these; bytes: from 0 to 255; half: from -1 to 1",
			"size":  "WIDTHxHEIGHT of an image (default: a square)",
			"test":  "share of the images of each user and class for testing if there is no test folder, above 0 and below 1 (default 0.2)",
		},
		find: func(q query) ([]string, error) {
			dir, err := findPath(q, []string{"/data", ""}, nil, "LEAF's folder with train/*.json and test/*.json")
			if err == nil && !isFolder(dir) {
				err = fmt.Errorf("%s: it is a file, but a folder of LEAF is needed, with train/*.json and test/*.json", dir)
			}
			return []string{dir}, err
		},
		read: readLEAF,
	})
}

func readLEAF(ctx context.Context, files []string, q query) (*Set, error) {
	dir := files[0]
	scale, err := scaleOption(q, "unit")
	if err != nil {
		return nil, err
	}
	share, err := testShare(q)
	if err != nil {
		return nil, err
	}
	var splits [2]*leafSplit
	train, notes, err := jsonFiles(filepath.Join(dir, "train"))
	if errors.Is(err, fs.ErrNotExist) {
		return readLEAFWhole(ctx, dir, scale, share, q)
	}
	if err != nil {
		return nil, err
	}
	test, more, err := jsonFiles(filepath.Join(dir, "test"))
	if err != nil {
		return nil, err
	}
	if text, given := q.extra["test"]; given {
		notes = append(notes, fmt.Sprintf("option test=%s is not used, because the images already have splits", text))
	}
	length, done := 0, 0
	for k, list := range [][]string{train, test} {
		splits[k] = &leafSplit{users: map[string]*leafUser{}, scale: scale, length: length}
		for _, file := range list {
			if err := splits[k].readFile(ctx, file); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if done++; q.progress != nil {
				q.progress(done, len(train)+len(test))
			}
		}
		length = splits[k].length
	}
	s := &Set{Notes: slices.Concat(notes, more)}
	names := map[string]bool{}
	for _, split := range splits {
		for name := range split.users {
			names[name] = true
		}
	}
	s.UserNames = sortedKeys(names)
	for k, split := range splits {
		s.addLEAF([]*Images{&s.Train, &s.Test}[k], split, nil)
	}
	return s, s.shapeLEAF(dir, length, q)
}

// readLEAFWhole reads a folder of files without splits.
func readLEAFWhole(ctx context.Context, dir, scale string, share float64, q query) (*Set, error) {
	list, notes, err := jsonFiles(dir)
	if err != nil {
		return nil, err
	}
	split := &leafSplit{users: map[string]*leafUser{}, scale: scale}
	for i, file := range list {
		if err := split.readFile(ctx, file); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if q.progress != nil {
			q.progress(i+1, len(list))
		}
	}
	s := &Set{UserNames: sortedKeys(split.users), Notes: notes}
	var pictures []picture
	for _, name := range s.UserNames {
		for _, l := range split.users[name].labels {
			pictures = append(pictures, picture{user: name, class: fmt.Sprintf("%03d", l)})
		}
	}
	held := heldOut(pictures, share)
	s.addLEAF(&s.Train, split, func(i int) bool { return !held[i] })
	s.addLEAF(&s.Test, split, func(i int) bool { return held[i] })
	s.Notes = append(s.Notes, fmt.Sprintf("there are no train/ and test/: %d of %d images, evenly from each user and class, are used for testing", s.Test.Len(), len(pictures)))
	return s, s.shapeLEAF(dir, split.length, q)
}

// jsonFiles returns the .json files of a folder, sorted. A note names the other files.
func jsonFiles(dir string) (files, notes []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	var others []string
	for _, e := range entries {
		switch name := e.Name(); {
		case hidden(name):
		case strings.HasSuffix(name, ".json") && !e.IsDir():
			files = append(files, filepath.Join(dir, name))
		default:
			others = append(others, name)
		}
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("%s: it contains no .json file; LEAF's preprocess.sh writes them to train/ and test/", dir)
	}
	if len(others) > 0 {
		notes = append(notes, fmt.Sprintf("%s left out of %s, because only .json files are read: %s", counted(len(others), "file is", "files are"), dir, few(others)))
	}
	return files, notes, nil
}

// addLEAF appends the images of the users in the order of their names. keep reports for each image, given its position in
// that order, whether to append it; nil appends all.
func (s *Set) addLEAF(to *Images, l *leafSplit, keep func(i int) bool) {
	at, size := 0, 0
	for _, u := range l.users {
		size += len(u.pixels)
	}
	to.Pixels, to.Users = make([]byte, 0, size), []int32{}
	for k, name := range s.UserNames {
		u := l.users[name]
		if u == nil {
			continue
		}
		for i, label := range u.labels {
			if keep == nil || keep(at) {
				to.Pixels = append(to.Pixels, u.pixels[i*l.length:(i+1)*l.length]...)
				to.Labels, to.Users = append(to.Labels, label), append(to.Users, int32(k))
				s.Classes = max(s.Classes, int(label)+1)
			}
			at++
		}
	}
}

// shapeLEAF sets the shape of images with the given number of values.
func (s *Set) shapeLEAF(dir string, length int, q query) error {
	if s.Train.Len() == 0 || s.Test.Len() == 0 {
		return fmt.Errorf("%s: %d training and %d test images, both are needed", dir, s.Train.Len(), s.Test.Len())
	}
	s.Channels = 1
	if text, ok := q.extra["size"]; ok {
		w, h, err := parseSize(text)
		if err != nil {
			return err
		}
		if w*h != length {
			return fmt.Errorf("%s: images have %d values, but the option size=%s says %d x %d", dir, length, text, w, h)
		}
		s.Width, s.Height = w, h
	} else {
		side := int(math.Round(math.Sqrt(float64(length))))
		if side*side != length {
			return fmt.Errorf("%s: images have %d values, which is not a square: name their size with the option size=WIDTHxHEIGHT (of one channel)", dir, length)
		}
		s.Width, s.Height = side, side
	}
	s.scaleByTraining()
	return nil
}
