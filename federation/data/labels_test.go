package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

// labelled loads a list of images of one user with the given labels, each of them once for training and once for testing.
func labelled(t *testing.T, labels []string, extra ...string) (*Set, error) {
	t.Helper()
	dir := t.TempDir()
	list := "user,file,label,split\n"
	for i, label := range labels {
		for k, split := range []string{"train", "test"} {
			plant(t, dir, map[string][]byte{fmt.Sprintf("%d.png", 2*i+k): pngOf(t, 4, 3, 2*i+k)})
			list += fmt.Sprintf("u,%d.png,%s,%s\n", 2*i+k, label, split)
		}
	}
	plant(t, dir, map[string][]byte{"train.csv": []byte(list)})
	return loadCSV(dir, extra...)
}

func TestLabels(t *testing.T) {
	for _, c := range []struct {
		labels, names []string
		want          []int // number of images of each label
	}{
		{[]string{"0.0", "2.0", "10.0", "1.0"}, strings.Fields("0 1 2 3 4 5 6 7 8 9 10"), []int{0, 2, 10, 1}},
		{[]string{"000", "002", "1"}, []string{"0", "1", "2"}, []int{0, 2, 1}},
		{[]string{"1", "01", "1.", "1e0"}, []string{"0", "1"}, []int{1, 1, 1, 1}},
		{[]string{"10.5", "2.5", "1"}, []string{"1", "2.5", "10.5"}, []int{2, 1, 0}},
		{[]string{"300", "cat", "2.0", "null"}, []string{"2.0", "300", "cat", "null"}, []int{1, 2, 0, 3}},
		{[]string{"none", "some"}, []string{"none", "some"}, []int{0, 1}},
	} {
		s, err := labelled(t, c.labels)
		if err != nil {
			t.Errorf("%q: %v", c.labels, err)
			continue
		}
		var got []int
		for i := range c.labels {
			at := slices.IndexFunc(firsts(s, s.Train), func(b byte) bool { return int(b) == 2*i })
			got = append(got, int(s.Train.Labels[at]))
		}
		if !slices.Equal(s.ClassNames, c.names) || !slices.Equal(got, c.want) {
			t.Errorf("%q: classes %q, labels %v, want %q, %v", c.labels, s.ClassNames, got, c.names, c.want)
		}
	}
	s, err := labelled(t, []string{"1000", "900", "900.0", "1000", "7"}, "classes=2")
	if err != nil || !slices.Equal(s.ClassNames, []string{"class 900", "class 1000"}) {
		t.Errorf("%v, %v", s, err)
	}
	s, err = labelled(t, []string{"1000", "900"}, "classes=2") // no class is left out, but the numbers are out of range
	if err != nil || !slices.Equal(s.ClassNames, []string{"class 900", "class 1000"}) || strings.Contains(strings.Join(s.Notes, ""), "left out") {
		t.Errorf("%v, %v", s, err)
	}
	for label, words := range map[string]string{
		"nan": "the label is nan, so the image has none", "NaN": "the label is NaN", "<NA>": "has none", "null": "the other labels are numbers", "-1.0": "label -1 is out of range",
	} {
		_, err := labelled(t, []string{"1", label})
		errtest.Want(t, err, "train.csv: line 4", words)
	}
}

func TestCSVValidation(t *testing.T) {
	images, _ := landmarks(t)
	dir := t.TempDir()
	plant(t, dir, images)
	names := sortedKeys(images)
	for _, word := range []string{"val", "valid", "Validation", "dev"} {
		var b strings.Builder
		b.WriteString("user,file,label,split\n")
		for i, name := range names {
			fmt.Fprintf(&b, "u,%s,%d,%s\n", name, i/3%4, []string{"train", word, "test"}[i%3])
		}
		plant(t, dir, map[string][]byte{"train.csv": []byte(b.String())})
		s, err := loadCSV(dir)
		if err != nil {
			t.Fatal(err)
		}
		if s.Train.Len() != 10 || s.Test.Len() != 10 || !slices.Contains(s.Notes, "10 validation images are left out") {
			t.Errorf("%s: %d + %d images, notes %q", word, s.Train.Len(), s.Test.Len(), s.Notes)
		}
	}
	s, err := loadCSV(dir, "test=0.5")
	if err != nil || !slices.Contains(s.Notes, "option test=0.5 is not used, because the images already have splits") {
		t.Errorf("notes %q, %v", s.Notes, err)
	}
	// A column of splits is also read with test-file.
	list := func(from, to int, splits ...string) []byte {
		b := "user,file,label,split\n"
		for i, name := range names[from:to] {
			b += fmt.Sprintf("u,%s,0,%s\n", name, splits[i%len(splits)])
		}
		return []byte(b)
	}
	plant(t, dir, map[string][]byte{"train.csv": list(0, 12, "train", "val", "A"), "test.csv": list(12, 30, "test", "dev")})
	s, err = loadCSV(dir, "test-file=test.csv")
	if err != nil {
		t.Fatal(err)
	}
	if s.Train.Len() != 8 || s.Test.Len() != 9 || !slices.Contains(s.Notes, "13 validation images are left out") {
		t.Errorf("%d + %d images, notes %q", s.Train.Len(), s.Test.Len(), s.Notes)
	}
	plant(t, dir, map[string][]byte{"train.csv": list(0, 12, "train", "test")})
	_, err = loadCSV(dir, "test-file=test.csv")
	errtest.Want(t, err, "train.csv: line 3", "split test in the list of the train images")
	plant(t, dir, map[string][]byte{"train.csv": []byte("fold,user,file,label,image,\n1,u," + names[0] + ",1,x,\n2,u," + names[1] + ",1,y,\n")})
	s, err = loadCSV(dir)
	if err != nil || !slices.Contains(s.Notes, "2 columns are not read in train.csv: fold, image") {
		t.Errorf("%v, notes %q", err, s.Notes)
	}
	plant(t, dir, map[string][]byte{"train.csv": []byte("user,file,label\nnan," + names[0] + ",1\n")})
	_, err = loadCSV(dir)
	errtest.Want(t, err, "line 2: the user is nan")
}

func TestCSVPaths(t *testing.T) {
	dir := t.TempDir()
	images, _ := landmarks(t)
	plant(t, dir, images)
	plant(t, dir, map[string][]byte{"images/a/x.bmp": nil})
	link := filepath.Join(t.TempDir(), "a link")
	if err := os.Symlink(filepath.Join(dir, "images"), link); err != nil {
		t.Skip(err)
	}
	list := func(root string) {
		t.Helper()
		b := "user,file,label\n"
		for name := range images {
			b += "u," + filepath.Join(root, strings.TrimPrefix(name, "images/")) + ",1\n"
		}
		plant(t, dir, map[string][]byte{"train.csv": []byte(b)})
	}
	for _, root := range []string{link, filepath.Join(dir, "images")} { // the paths are below the link or below its target
		list(root)
		s, err := loadCSV(dir, "images="+link)
		if err != nil {
			t.Fatal(err)
		}
		if s.Train.Len()+s.Test.Len() != 30 {
			t.Errorf("%d + %d images", s.Train.Len(), s.Test.Len())
		}
	}
	list("../../" + filepath.Base(dir) + "/images")
	if _, err := loadCSV(dir, "images=images"); err != nil {
		t.Error(err)
	}
	list(filepath.Join(dir, "other"))
	_, err := loadCSV(dir, "images="+link)
	errtest.Want(t, err, "train.csv: line 2", "is outside the folder of the images, "+link)
	plant(t, dir, map[string][]byte{"train.csv": []byte("user,file,label\nu,a/x.bmp,1\n")})
	_, err = loadCSV(dir, "images=images")
	errtest.Want(t, err, "train.csv: line 2", `"a/x.bmp" has an unknown ending`)
}

func TestFolderWithoutLabel(t *testing.T) {
	files := animals(t)
	files["train/nan/1.png"] = files["train/cat/0.png"]
	dir := t.TempDir()
	plant(t, dir, files)
	_, err := Load(t.Context(), "folder:"+dir, LoadOptions{})
	errtest.Want(t, err, filepath.Join(dir, "train/nan/1.png"), "no label")
}
