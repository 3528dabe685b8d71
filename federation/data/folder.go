package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"feddag/internal/spelling"
)

// The set folder is any tree of image files, in folders or in zips: SPLIT/CLASS/FILE (the convention of ImageFolder),
// USER/CLASS/FILE (PACS and Office-Caltech-10, where a user is a domain), SPLIT/USER/CLASS/FILE or CLASS/FILE. Classes
// are numbered in alphabetical order. Without splits, a share of each user's images of each class is used for testing. If
// there are three splits, the validation images are left out.
func init() {
	options := maps.Clone(imageOptions)
	options["test"] = "share of the images of each user and class for testing if there is no test folder, above 0 and below 1 (default 0.2)"
	register(source{
		name: "folder", title: "image folder", aliases: []string{"imagefolder", "image-folder"},
		takesPath: true, options: options, cacheable: always,
		find: findFolder,
		read: func(ctx context.Context, files []string, q query) (*Set, error) {
			s, err := readTree(ctx, files, q)
			if err != nil {
				return nil, err
			}
			s.scaleByTraining()
			return s, nil
		},
	})
}

// findFolder returns the folder or zip that a path names, either by itself or in one of dirs. Without a path it
// returns the first of dirs.
func findFolder(q query) ([]string, error) {
	places := []string{q.path}
	for _, dir := range q.dirs {
		if q.path == "" {
			places = []string{dir} // only the first, because the others have other data sets
			break
		}
		if !filepath.IsAbs(q.path) {
			places = append(places, filepath.Join(dir, q.path))
		}
	}
	notFound := &NotFoundError{
		Name: q.name, Looked: places, Needs: "a folder or a .zip",
		Advice: "write folder:PATH, or folder alone and name the folder with --data-dir",
	}
	for i, place := range places {
		switch _, err := os.Stat(place); {
		case err == nil:
			return []string{place}, nil
		case !errors.Is(err, fs.ErrNotExist):
			notFound.Looked[i] += fmt.Sprintf(" (%v)", err)
		}
	}
	return nil, notFound
}

// testShare returns the option test: the share of the images that is used for testing.
func testShare(q query) (float64, error) {
	text, ok := q.extra["test"]
	if !ok {
		return 0.2, nil
	}
	share, err := strconv.ParseFloat(text, 64)
	if err != nil || !(share > 0 && share < 1) {
		return 0, fmt.Errorf("option test=%s: use a share above 0 and below 1", text)
	}
	return share, nil
}

// unusedShare returns a note if the option test is given for pictures that have splits.
func unusedShare(q query, pictures []picture) []string {
	text, given := q.extra["test"]
	if !given || slices.ContainsFunc(pictures, func(p picture) bool { return p.split == "" }) {
		return nil
	}
	return []string{fmt.Sprintf("option test=%s is not used, because the images already have splits", text)}
}

// readTree reads the images of a tree (see openTree) without setting their scale.
func readTree(ctx context.Context, roots []string, q query) (*Set, error) {
	o, err := parseImageOptions(q)
	if err != nil {
		return nil, err
	}
	share, err := testShare(q)
	if err != nil {
		return nil, err
	}
	t, err := openTree(roots...)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	pictures, err := parseLayout(t)
	if err != nil {
		return nil, err
	}
	train, test, notes := splits(pictures, share, "no test folder")
	switch {
	case len(train) == 0:
		return nil, fmt.Errorf("%s: no training images: a folder train/ is needed", roots[0])
	case len(test) == 0:
		return nil, fmt.Errorf("%s: no test images: a folder test/ or val/ is needed", roots[0])
	}
	s, err := setOf(ctx, roots[0], train, test, o)
	if err != nil {
		return nil, err
	}
	s.Notes = slices.Concat(notes, unusedShare(q, pictures), leftOut(t), sortedAsText(s.ClassNames), s.Notes)
	return s, nil
}

// setOf decodes pictures of a root and numbers their classes and users in alphabetical order.
func setOf(ctx context.Context, root string, train, test []picture, o decodeOptions) (*Set, error) {
	classes := map[string]bool{}
	for _, p := range slices.Concat(train, test) {
		classes[p.class] = true
	}
	return setOfNamed(ctx, root, train, test, sortedKeys(classes), o)
}

// setOfNamed is like setOf, with given class names by label.
func setOfNamed(ctx context.Context, root string, train, test []picture, classes []string, o decodeOptions) (*Set, error) {
	all := slices.Concat(train, test)
	users, trained := map[string]bool{}, map[string]bool{}
	for i, p := range all {
		if p.user != "" {
			users[p.user] = true
		}
		if i < len(train) {
			trained[p.class] = true
		} else if !trained[p.class] {
			return nil, fmt.Errorf("%s: class %s has no training images", p.place, spelling.Plain(p.class))
		}
	}
	s := &Set{Classes: len(classes), ClassNames: classes, UserNames: sortedKeys(users)}
	number, owner := positions(classes), positions(s.UserNames)
	if s.Classes > maxClasses {
		return nil, fmt.Errorf("%s: there are %d classes, but this program supports at most %d: leave some out", root, s.Classes, maxClasses)
	}
	d, err := decodeAll(ctx, all, o)
	if err != nil {
		return nil, err
	}
	s.Channels, s.Height, s.Width, s.Notes = d.channels, d.height, d.width, d.notes()
	size := s.ImageSize()
	s.Train.Pixels, s.Test.Pixels = d.pixels[:len(train)*size:len(train)*size], d.pixels[len(train)*size:]
	for i, p := range all {
		split := &s.Train
		if i >= len(train) {
			split = &s.Test
		}
		split.Labels = append(split.Labels, uint8(number[p.class]))
		if p.user != "" {
			split.Users = append(split.Users, int32(owner[p.user]))
		}
	}
	for _, split := range []Images{s.Train, s.Test} { // the users of the test images may be unknown, but only for all of them
		if split.Users != nil && len(split.Users) != split.Len() {
			return nil, fmt.Errorf("%s: %d images have no user, but the others have one", root, split.Len()-len(split.Users))
		}
	}
	return s, nil
}
