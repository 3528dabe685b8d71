package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"feddag/internal/jsonscan"
)

// leaf: grey images in LEAF's format (Caldas et al., LEAF: A Benchmark for Federated Settings, 2018), such as FEMNIST:
// train/*.json and test/*.json, each of {"users": [...], "num_samples": [...], "user_data": {USER: {"x": [[...], ...], "y":
// [...]}}}, where an image is the list of its values, row by row. Files are read as streams, so that only pixels are in
// memory. A user of LEAF is a user here, and images are in the order of their users' names. Without train/ and test/,
// LEAF's all_data, a share of the images of each user and class is for testing.
func init() {
	register(source{
		name: "leaf", title: "images in LEAF's format", aliases: []string{"femnist"}, takesPath: true, cacheable: always,
		options: map[string]string{
			"scale": "unit: values from 0 to 1, as FEMNIST has them (default); inverted: 1 minus these; bytes: from 0 to 255; half: from -1 to 1",
			"size":  "WIDTHxHEIGHT of an image (default: a square)",
			"test":  "share of the images of each user and class for testing where there is no test folder, above 0, below 1 (default 0.2)",
		},
		find: func(q query) ([]string, error) {
			dir, err := findPath(q, []string{"/data", ""}, nil, "LEAF's folder with train/*.json and test/*.json")
			if err == nil && !isFolder(dir) {
				err = fmt.Errorf("%s: a file, must be LEAF's folder with train/*.json and test/*.json", dir)
			}
			return []string{dir}, err
		},
		read: readLEAF,
	})
}

// leafUser has the images of a user.
type leafUser struct {
	pixels []byte
	labels []uint8
}

// leafSplit has the users of a folder of files.
type leafSplit struct {
	users  map[string]*leafUser
	length int // values per image; 0 before the first
	scale  string
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
		notes = append(notes, fmt.Sprintf("option test=%s is not used, for the images have splits of their own", text))
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
	s.Notes = append(s.Notes, fmt.Sprintf("no train/ and test/: %d of %d images, evenly of each user and class, are for testing", s.Test.Len(), len(pictures)))
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
		return nil, nil, fmt.Errorf("%s: no .json file in it; LEAF's preprocess.sh writes them to train/ and test/", dir)
	}
	if len(others) > 0 {
		notes = append(notes, fmt.Sprintf("%s left out of %s, for only .json files are read: %s", counted(len(others), "file is", "files are"), dir, few(others)))
	}
	return files, notes, nil
}

// readFile reads the users of a file by its name.
func (l *leafSplit) readFile(ctx context.Context, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return errors.Unwrap(err) // the caller names the file
	}
	defer f.Close()
	return l.read(ctx, f)
}

// read reads the users of a file.
func (l *leafSplit) read(ctx context.Context, r io.Reader) error {
	s := jsonscan.New(r)
	var users []string
	var counts []float64
	read := map[string]int{} // the numbers of images of this file's users
	err := s.Object(func(key string) error {
		switch key {
		case "users":
			return s.List(func(int) error {
				user, err := s.String()
				users = append(users, user)
				return err
			})
		case "num_samples":
			return s.List(func(int) error {
				n, err := s.Number()
				counts = append(counts, n)
				return err
			})
		case "user_data":
			return s.Object(func(user string) error {
				if err := ctx.Err(); err != nil {
					return err
				}
				n, err := l.readUser(s, user)
				if err != nil {
					return fmt.Errorf("user %q: %w", user, err)
				}
				read[user] = n
				return nil
			})
		case "hierarchies":
			return s.Skip()
		}
		return fmt.Errorf("the key %q is not one of LEAF's: users, num_samples, user_data, hierarchies", key)
	})
	if err == nil {
		err = s.End()
	}
	if err != nil {
		return err
	}
	if len(users) != len(read) || len(counts) != len(users) {
		return fmt.Errorf("%d users and %d num_samples for the %d users of user_data", len(users), len(counts), len(read))
	}
	for i, user := range users {
		if n, ok := read[user]; !ok || float64(n) != counts[i] {
			return fmt.Errorf("user %q: %d images in user_data, num_samples says %v", user, n, counts[i])
		}
	}
	return nil
}

// readUser reads the images of a user, and returns their number.
func (l *leafSplit) readUser(s *jsonscan.Scanner, user string) (int, error) {
	if l.users[user] != nil {
		return 0, errors.New("is there twice, in this file or another one of its folder")
	}
	u := &leafUser{}
	seen := map[string]bool{}
	images := 0
	err := s.Object(func(key string) error {
		if seen[key] {
			return fmt.Errorf("the key %q is there twice", key)
		}
		seen[key] = true
		switch key {
		case "x":
			return s.List(func(i int) error {
				images++
				if err := l.readImage(s, u); err != nil {
					return fmt.Errorf("image %d: %w", i, err)
				}
				return nil
			})
		case "y":
			return s.List(func(i int) error {
				v, err := s.Number()
				if err == nil && (v != math.Trunc(v) || v < 0 || v >= maxClasses) {
					err = fmt.Errorf("label %v is no whole number from 0 to %d", v, maxClasses-1)
				}
				if err != nil {
					return fmt.Errorf("image %d: %w", i, err)
				}
				u.labels = append(u.labels, uint8(v))
				return nil
			})
		}
		return fmt.Errorf("the key %q is not one of LEAF's: x, y", key)
	})
	if err == nil && images != len(u.labels) {
		err = fmt.Errorf("%d images in x, %d labels in y", images, len(u.labels))
	}
	if err != nil {
		return 0, err
	}
	l.users[user] = u
	return images, nil
}

// readImage appends an image to those of a user.
func (l *leafSplit) readImage(s *jsonscan.Scanner, u *leafUser) error {
	kind, err := s.Kind()
	if err != nil {
		return err
	}
	if kind == '"' {
		return errors.New("x has text: only images as lists of numbers are read, such as those of FEMNIST; for CelebA write a list, see csv:PATH")
	}
	n := 0
	err = s.List(func(int) error {
		v, err := s.Number()
		if err != nil {
			return err
		}
		p, err := pixelOf(v, l.scale)
		if err != nil {
			return err
		}
		if n++; n > maxImagePixels {
			return fmt.Errorf("more than %d values", maxImagePixels)
		}
		u.pixels = append(u.pixels, p)
		return nil
	})
	switch {
	case err != nil:
		return err
	case n == 0:
		return errors.New("no values")
	case l.length == 0:
		l.length = n
	case n != l.length:
		return fmt.Errorf("%d values, the images before have %d", n, l.length)
	}
	return nil
}

// addLEAF appends the images of the users in the order of their names that keep, given their place in that order,
// reports; nil for all.
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

// shapeLEAF sets the shape of images of so many values.
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
			return fmt.Errorf("%s: images have %d values, the option size=%s says %d x %d", dir, length, text, w, h)
		}
		s.Width, s.Height = w, h
	} else {
		side := int(math.Round(math.Sqrt(float64(length))))
		if side*side != length {
			return fmt.Errorf("%s: images have %d values, which is no square: name their size with the option size=WIDTHxHEIGHT (of one channel)", dir, length)
		}
		s.Width, s.Height = side, side
	}
	s.scaleByTraining()
	return nil
}
