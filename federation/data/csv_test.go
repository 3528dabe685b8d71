package data

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

// landmarks writes images of three users in folders a/ and b/.
func landmarks(t testing.TB) (files map[string][]byte, list string) {
	files = map[string][]byte{}
	rows := "user_id,image_id,class\n"
	for i := range 30 {
		name := fmt.Sprintf("%c/%c%02d", 'a'+i%2, 'p'+i%3, i)
		files["images/"+name+".png"] = pngOf(t, 4, 3, i)
		rows += fmt.Sprintf("u%d,%s,%d\n", i%3, name, i/3%4)
	}
	return files, rows
}

func loadCSV(dir string, extra ...string) (*Set, error) {
	m := map[string]string{}
	for _, kv := range extra {
		k, v, _ := strings.Cut(kv, "=")
		m[k] = v
	}
	return Load(context.Background(), "csv:"+filepath.Join(dir, "train.csv"), LoadOptions{Extra: m})
}

func TestCSV(t *testing.T) {
	images, rows := landmarks(t)
	check := func(s *Set) {
		t.Helper()
		if !slices.Equal(s.UserNames, []string{"u0", "u1", "u2"}) || s.Classes != 4 || s.Train.Len()+s.Test.Len() != 30 {
			t.Errorf("users %q, %d classes, %d + %d images", s.UserNames, s.Classes, s.Train.Len(), s.Test.Len())
		}
		for _, split := range []Images{s.Train, s.Test} {
			for i := range split.Len() {
				k := int(s.Image(split, i)[0])
				if int(split.Labels[i]) != k/3%4 || int(split.Users[i]) != k%3 {
					t.Errorf("image %d has label %d and user %d", k, split.Labels[i], split.Users[i])
				}
			}
		}
	}
	for _, c := range []struct {
		name  string
		files map[string][]byte
		extra []string
	}{
		{"in a folder", images, []string{"images=images"}},
		{"in a zip", map[string][]byte{"all.zip": zipOf(t, only(images, "images/a")), "images/b.zip": nil}, nil},
		{"by name alone", images, []string{"images=images"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			list := rows
			switch c.name {
			case "in a zip":
				c.files = map[string][]byte{"all.zip": zipOf(t, images)}
				c.extra = []string{"images=all.zip"}
				list = strings.ReplaceAll(strings.ReplaceAll(list, ",a/", ",images/a/"), ",b/", ",images/b/")
			case "by name alone":
				list = strings.ReplaceAll(strings.ReplaceAll(list, ",a/", ","), ",b/", ",")
			}
			plant(t, dir, c.files)
			plant(t, dir, map[string][]byte{"train.csv": []byte(list)})
			s, err := loadCSV(dir, c.extra...)
			if err != nil {
				t.Fatal(err)
			}
			check(s)
			if s.Test.Len() != 6 || !strings.Contains(strings.Join(s.Notes, ""), "6 of 30") {
				t.Errorf("%d test images, notes %q", s.Test.Len(), s.Notes)
			}
			tested := [3]int{}
			for _, u := range s.Test.Users {
				tested[u]++
			}
			if tested != [3]int{2, 2, 2} {
				t.Errorf("test images by user: %v", tested)
			}
		})
	}
	t.Run("a split column", func(t *testing.T) {
		dir := t.TempDir()
		plant(t, dir, images)
		var b strings.Builder
		b.WriteString("split,label,file,user\n")
		for i, line := range strings.Split(strings.TrimSpace(rows), "\n")[1:] {
			f := strings.Split(line, ",")
			fmt.Fprintf(&b, "%s,class %s,images/%s.png,%s\n", []string{"train", "train", "val"}[i%3], f[2], f[1], f[0])
		}
		plant(t, dir, map[string][]byte{"train.csv": []byte(b.String())})
		s, err := loadCSV(dir)
		if err != nil {
			t.Fatal(err)
		}
		check(s)
		if s.Test.Len() != 10 || s.ClassNames[2] != "class 2" || !slices.Contains(s.Notes, "there are no test images: the 10 validation images are used for testing") {
			t.Errorf("%d test images, classes %q, notes %q", s.Test.Len(), s.ClassNames, s.Notes)
		}
	})
	t.Run("the largest classes", func(t *testing.T) {
		dir := t.TempDir()
		plant(t, dir, images)
		plant(t, dir, map[string][]byte{"train.csv": []byte(strings.ReplaceAll(rows, ",3\n", ",2027\n"))})
		_, err := loadCSV(dir, "images=images")
		errtest.Want(t, err, "label 2027 is out of range", "option classes")
		s, err := loadCSV(dir, "images=images", "classes=2") // 9 images each of classes 0 and 1, 6 each of 2 and 2027
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.ClassNames, []string{"class 0", "class 1"}) || s.Train.Len()+s.Test.Len() != 18 || !strings.Contains(strings.Join(s.Notes, ""), "12 images of the 2 smallest classes of 4") {
			t.Errorf("classes %q, %d images, notes %q", s.ClassNames, s.Train.Len()+s.Test.Len(), s.Notes)
		}
		_, err = loadCSV(dir, "images=images", "classes=257")
		errtest.Want(t, err, "use 1 to 256")
	})
	t.Run("test images without users", func(t *testing.T) {
		dir, cache := t.TempDir(), t.TempDir()
		plant(t, dir, images)
		lines := strings.SplitAfter(rows, "\n")
		test := "image_id,class\n"
		for _, line := range lines[25:31] {
			_, rest, _ := strings.Cut(line, ",")
			test += rest
		}
		plant(t, dir, map[string][]byte{"train.csv": []byte(strings.Join(lines[:25], "")), "test.csv": []byte(test)})
		for range 2 {
			s, err := Load(t.Context(), "csv:"+filepath.Join(dir, "train.csv"), LoadOptions{Cache: cache,
				Extra: map[string]string{"images": "images", "test-file": "test.csv"}})
			if err != nil {
				t.Fatal(err)
			}
			if s.Train.Len() != 24 || s.Test.Len() != 6 || len(s.Train.Users) != 24 || s.Test.Users != nil {
				t.Errorf("%d + %d images, %d + %d users", s.Train.Len(), s.Test.Len(), len(s.Train.Users), len(s.Test.Users))
			}
		}
	})
}

func TestCSVBadInput(t *testing.T) {
	images, rows := landmarks(t)
	first := "user_id,image_id,class\n"
	for _, c := range []struct {
		name, list string
		words      []string
	}{
		{"empty", "", []string{"train.csv: the file is empty"}},
		{"no image", first, []string{"lists no image"}},
		{"no label column", "user,file\na,b\n", []string{"no column label", "class"}},
		{"a quote left open", first + "u,\"a/p00,1\n", []string{"train.csv"}},
		{"too few fields", first + "u,a/p00\n", []string{"train.csv", "line 2"}},
		{"no such file", rows + "u1,a/zzz,0\n", []string{"train.csv: line 32", `no image "a/zzz"`, "option images"}},
		{"a file twice", rows + "u1,a/p00,0\n", []string{"train.csv: line 32", "already listed", "line 2"}},
		{"up and out", rows + "u1,../../../etc/passwd,0\n", []string{"is outside"}},
		{"absolute", rows + "u1,/etc/passwd,0\n", []string{"is outside"}},
		{"label below zero", rows[:len(rows)-2] + "-1\n", []string{"label -1 is out of range"}},
		{"label above 255", rows[:len(rows)-2] + "256\n", []string{"label 256 is out of range", "0 to 255"}},
		{"no user", rows[:len(first)] + ",a/p00,1\n", []string{"line 2: the user is missing"}},
		{"no label", rows[:len(first)] + "u,a/p00,\n", []string{"line 2: a file or a label is missing"}},
		{"an unknown split", "user,file,label,split\nu,a/p00,1,training\nu,b/q01,1,other\n", []string{"line 3", `split is "other"`}},
		{"one split", "user,file,label,split\nu,a/p00,1,train\n", []string{"1 training and 0 test images"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			plant(t, dir, images)
			plant(t, dir, map[string][]byte{"train.csv": []byte(c.list)})
			_, err := loadCSV(dir, "images=images")
			errtest.Want(t, err, append(c.words, dir)...)
		})
	}
	_, err := Load(t.Context(), "csv", LoadOptions{Dirs: []string{t.TempDir()}})
	errtest.Want(t, err, "csv:PATH")
	_, err = Load(t.Context(), "csv:nothing.csv", LoadOptions{Dirs: []string{t.TempDir()}})
	errtest.Want(t, err, "csv:nothing.csv not found")
	dir := t.TempDir()
	plant(t, dir, map[string][]byte{"train.csv": []byte(rows)})
	_, err = loadCSV(dir, "images=absent")
	errtest.Want(t, err, filepath.Join(dir, "absent"))
	_, err = Load(t.Context(), "csv:"+dir, LoadOptions{})
	errtest.Want(t, err, dir, "a CSV file is needed")
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("user,file,label\na,b.png,1\n"))
	f.Add([]byte("user,file,label,split\na,\"b\nc\",x,train\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var rows []csvRow
		var err error
		alloctest.Within(t, 1<<20+1000*len(b), func() { rows, _, err = readCSVRows(strings.NewReader(string(b)), "list.csv", "") })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		if names, err := labelNames(rows); err == nil && (len(names) == 0 || len(names) > max(maxClasses, len(rows))) {
			t.Errorf("%d classes", len(names))
		}
	})
}
