package data

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"feddag/internal/spelling"
)

// warnings returns warnings about a set for the user, one line each: about pixels without information, and about classes
// and users without images.
func (s *Set) warnings() []string {
	return slices.Concat(s.constantImages(), s.emptyClasses(), s.emptyUsers())
}

// addWarnings appends the warnings to the notes.
func (s *Set) addWarnings() { s.Notes = append(s.Notes, s.warnings()...) }

// constantImages returns a warning if a channel has one value in all training images, and one if images have no
// variation.
func (s *Set) constantImages() []string {
	plane := s.Height * s.Width
	var out []string
	var values []int // values of the channels that have one value
	for c := range s.Channels {
		same := s.Train.Len() > 0
		for i := 0; i < s.Train.Len() && same; i++ {
			same = allEqual(s.Image(s.Train, i)[c*plane:(c+1)*plane], s.Train.Pixels[c*plane])
		}
		if same {
			value := s.Train.Pixels[c*plane]
			values = append(values, int(value))
			out = append(out, fmt.Sprintf("channel %d of %d has the same value, %d, in all training images (a standard deviation of 0): nothing can be learned from it", c, s.Channels, value))
		}
	}
	if len(values) == s.Channels {
		out = []string{fmt.Sprintf("all %d training images are equal and have one value per channel, %d (a standard deviation of 0): nothing can be learned from them", s.Train.Len(), values)}
	}
	for k, split := range []Images{s.Train, s.Test} {
		n, first := 0, 0
		for i := range split.Len() {
			image := s.Image(split, i)
			constant := true
			for c := 0; c < s.Channels && constant; c++ {
				constant = allEqual(image[c*plane:(c+1)*plane], image[c*plane])
			}
			if !constant {
				continue
			}
			if n++; n == 1 {
				first = i
			}
		}
		if n > 0 && (k == 1 || len(values) < s.Channels) {
			out = append(out, fmt.Sprintf("%d of %s of one value per channel, without variation, the first of class %s",
				n, counted(split.Len(), splitNames[k]+" image is", splitNames[k]+" images are"), s.classText(int(split.Labels[first]))))
		}
	}
	return out
}

var splitNames = []string{"training", "test"}

// allEqual reports whether all bytes have a value.
func allEqual(b []byte, value byte) bool {
	return len(b) == 0 || b[0] == value && bytes.Equal(b[1:], b[:len(b)-1])
}

// emptyClasses returns warnings that name the classes without images, without training images and without test images.
func (s *Set) emptyClasses() []string {
	var none, untrained, untested []string
	train, test := s.ClassCounts(s.Train), s.ClassCounts(s.Test)
	for c := range s.Classes {
		switch {
		case train[c] == 0 && test[c] == 0:
			none = append(none, s.classText(c))
		case train[c] == 0:
			untrained = append(untrained, s.classText(c))
		case test[c] == 0:
			untested = append(untested, s.classText(c))
		}
	}
	return slices.Concat(
		without(none, s.Classes, "class", "classes", "an image"),
		without(untrained, s.Classes, "class", "classes", "a training image"),
		without(untested, s.Classes, "class", "classes", "a test image"))
}

// emptyUsers returns warnings that name the users without training images and without test images. There is no warning for
// a split whose users are unknown.
func (s *Set) emptyUsers() []string {
	var out []string
	for k, split := range []Images{s.Train, s.Test} {
		if split.Users == nil {
			continue
		}
		has := make([]bool, len(s.UserNames))
		for _, u := range split.Users {
			has[u] = true
		}
		var names []string
		for u, name := range s.UserNames {
			if !has[u] {
				names = append(names, name)
			}
		}
		out = append(out, without(names, len(s.UserNames), "user", "users", "a "+splitNames[k]+" image")...)
	}
	return out
}

// without returns a warning that some of all classes or users lack something, or nothing if names is empty.
func without(names []string, all int, one, more, what string) []string {
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of %s without %s: %s", len(names), counted(all, one+" is", more+" are"), what, few(names))}
}

// classText returns a label, with the name of its class if this is different.
func (s *Set) classText(c int) string {
	text := strconv.Itoa(c)
	if c < len(s.ClassNames) && s.ClassNames[c] != text {
		text += " (" + spelling.Plain(s.ClassNames[c]) + ")"
	}
	return text
}

// sortedAsText returns a note if class names are whole numbers that are not in the order of their values, because folders
// are numbered in alphabetical order, as in torchvision's ImageFolder. The classes of a list are in the order of their values.
func sortedAsText(names []string) []string {
	last := -1
	out := false
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil {
			return nil
		}
		out = out || n < last
		last = n
	}
	if !out {
		return nil
	}
	for label, name := range names {
		if n, _ := strconv.Atoi(name); n != label {
			return []string{fmt.Sprintf("the classes are numbered in alphabetical order, as in ImageFolder: folder %s is label %d", name, label)}
		}
	}
	return nil
}

// leftOut returns a note about the files whose names are not names of images, with the number of files with each ending. It
// returns nothing if there are no such files. Hidden files are not counted.
func leftOut(t *tree) []string {
	counts, first, total := map[string]int{}, map[string]string{}, 0
	for i := range t.nodes {
		n := &t.nodes[i]
		if isImage(n.file) {
			continue
		}
		ending := strings.ToLower(path.Ext(n.file))
		if ending == "" {
			ending = "without an ending"
		}
		if counts[ending]++; counts[ending] == 1 {
			first[ending] = n.place
		}
		total++
	}
	if total == 0 {
		return nil
	}
	endings := sortedKeys(counts)
	slices.SortStableFunc(endings, func(a, b string) int { return counts[b] - counts[a] })
	var parts []string
	for _, ending := range endings {
		parts = append(parts, fmt.Sprintf("%d %s (%s)", counts[ending], ending, first[ending]))
	}
	return []string{fmt.Sprintf("%s left out because of the ending of the name; only %s are read: %s", counted(total, "file is", "files are"), imageEndings, few(parts))}
}

// counted returns a number with the form of a word that fits it: "1 file is", "2 files are".
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// few returns the first few names as text.
func few(names []string) string {
	const most = 5
	shown := slices.Clone(names)
	for i := range min(most, len(names)) {
		shown[i] = spelling.Plain(names[i])
	}
	return spelling.Few(shown, most)
}
