package data

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

const pflFixtures = "testdata/pfllib"

func TestPFLlib(t *testing.T) {
	for name, c := range map[string]struct {
		shape [3]int
		extra map[string]string
	}{"grey": {[3]int{1, 3, 4}, nil}, "unit": {[3]int{3, 2, 2}, map[string]string{"scale": "unit"}}} {
		s, err := Load(t.Context(), "pfllib:"+name, LoadOptions{Dirs: []string{pflFixtures}, Extra: c.extra})
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]int{s.Channels, s.Height, s.Width}; got != c.shape || s.Classes != 4 || len(s.UserNames) != 11 || s.UserNames[10] != "10" {
			t.Fatalf("%s: %v, %d classes, users %q", name, got, s.Classes, s.UserNames)
		}
		var at [2]int
		for client := range 11 {
			trained := client%3 + 2
			for i := range trained + 2 {
				k, split := 0, s.Train
				if i >= trained {
					k, split = 1, s.Test
				}
				if split.Users[at[k]] != int32(client) || split.Labels[at[k]] != byte((client+i)%4) {
					t.Errorf("%s: image %d of client %d is of user %d and label %d", name, i, client, split.Users[at[k]], split.Labels[at[k]])
				}
				for p, got := range s.Image(split, at[k]) {
					if want := byte(90*client + 17*i + p); got != want {
						t.Fatalf("%s: pixel %d of image %d of client %d is %d, want %d", name, p, i, client, got, want)
					}
				}
				at[k]++
			}
		}
		if s.Train.Len() != at[0] || s.Test.Len() != at[1] {
			t.Errorf("%s: %d + %d images, want %d", name, s.Train.Len(), s.Test.Len(), at)
		}
	}
}

func TestBadPFLlib(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		extra  string
		words  []string
	}{
		"another scale":    {nil, "unit", []string{"train/0.npz: x: element 0: the value -1 is not a pixel on the scale unit (option scale)"}},
		"an unknown scale": {nil, "halve", []string{"halve", "half"}},
		"a file lacks":     {func(dir string) error { return os.Remove(filepath.Join(dir, "test/7.npz")) }, "", []string{"test/7.npz: the file is missing", "11 clients"}},
		"no test folder":   {func(dir string) error { return os.RemoveAll(filepath.Join(dir, "test")) }, "", []string{"test"}},
		"another file": {func(dir string) error {
			return os.Rename(filepath.Join(dir, "train/3.npz"), filepath.Join(dir, "train/03.npz"))
		}, "", []string{"train/3.npz"}},
		"a file cut":        {func(dir string) error { return os.Truncate(filepath.Join(dir, "train/2.npz"), 300) }, "", []string{"train/2.npz: not a zip file"}},
		"other counts":      {replace("config.json", "[[0, 1], [1, 1], [2, 1], [3, 1]]", "[[0, 1], [1, 2], [2, 1], [3, 1]]"), "", []string{"config.json: client 0 has 2 images of label 1, but its files have 1"}},
		"a label uncounted": {replace("config.json", "[[0, 1], [1, 1], [2, 1], [3, 1]]", "[[0, 1], [1, 1], [2, 1]]"), "", []string{"config.json: client 0 has labels"}},
		"fewer clients":     {replace("config.json", `"num_clients": 11`, `"num_clients": 10`), "", []string{"11 files in train/", "10 clients"}},
		"fewer classes":     {replace("config.json", `"num_classes": 4`, `"num_classes": 3`), "", []string{"num_classes is 3, but there is a label 3"}},
		"no JSON":           {replace("config.json", "{", "["), "", []string{"config.json: "}},
		"a partition":       {copyOver("../../internal/indexmap/testdata/map.pkl", "train/1.npz"), "", []string{"train/1.npz: not a zip file"}},
		"MedMNIST":          {copyOver("testdata/medmnist/wide.npz", "train/1.npz"), "", []string{"train/1.npz: it must have one array, data"}},
		"another shape":     {copyOver(pflFixtures+"/unit/train/1.npz", "train/1.npz"), "", []string{"train/1.npz: the images are 3 x 2 x 2, but those of earlier clients are 1 x 3 x 4"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "grey")
			if err := os.CopyFS(dir, os.DirFS(pflFixtures+"/grey")); err != nil {
				t.Fatal(err)
			}
			if c.change != nil {
				if err := c.change(dir); err != nil {
					t.Fatal(err)
				}
			}
			o := LoadOptions{}
			if c.extra != "" {
				o.Extra = map[string]string{"scale": c.extra}
			}
			_, err := Load(t.Context(), "pfllib:"+dir, o)
			errtest.Want(t, err, c.words...)
		})
	}
	_, err := Load(t.Context(), "pfllib:"+pflFixtures+"/grey/config.json", LoadOptions{})
	errtest.Want(t, err, "it is a file, but a folder of PFLlib is needed")
}

// replace returns a function that replaces a text in a file of a folder, once.
func replace(file, old, with string) func(dir string) error {
	return func(dir string) error {
		path := filepath.Join(dir, file)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if !strings.Contains(string(b), old) {
			return os.ErrNotExist
		}
		return os.WriteFile(path, []byte(strings.Replace(string(b), old, with, 1)), 0o666)
	}
}

// copyOver returns a function that replaces a file of a folder with another.
func copyOver(from, file string) func(dir string) error {
	return func(dir string) error {
		b, err := os.ReadFile(from)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, file), b, 0o666)
	}
}

// A set without config.json has a client for each pair of files.
func TestPFLlibWithoutConfig(t *testing.T) {
	dir := t.TempDir()
	for _, split := range []string{"train", "test"} {
		if err := os.Mkdir(filepath.Join(dir, split), 0o777); err != nil {
			t.Fatal(err)
		}
		for c := range 2 {
			file := filepath.Join(split, strconv.Itoa(c)+".npz")
			if err := copyOver(filepath.Join(pflFixtures, "grey", file), file)(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
	write(t, filepath.Join(dir, "train"), map[string][]byte{"notes.txt": nil})
	s, err := Load(t.Context(), "pfllib:"+dir, LoadOptions{})
	if err != nil || len(s.UserNames) != 2 || s.Train.Len() != 5 || !strings.Contains(strings.Join(s.Notes, "\n"), "1 file is left out") {
		t.Fatalf("%+v, %v", s, err)
	}
}
