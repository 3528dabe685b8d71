package data

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/errtest"
)

// mapsDir is the folder of the index maps; make_maps.py says what is in them.
const mapsDir = "../../internal/indexmap/testdata"

// benchDir returns a directory with mnist/, which has 30 training and 20 test images, and FL-bench's files for it.
func benchDir(t testing.TB) string {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "mnist"), tinyFiles())
	for _, name := range []string{"partition.pkl", "val.pkl", "map.json", "all_stats.json"} {
		b, err := os.ReadFile(filepath.Join(mapsDir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, "bench"), map[string][]byte{name: b})
	}
	return dir
}

func TestFLBench(t *testing.T) {
	dir := benchDir(t)
	o := LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"set": "MNIST"}}
	base, err := Load(t.Context(), "mnist", o.without("set"))
	if err != nil {
		t.Fatal(err)
	}
	for name, val := range map[string]bool{"flbench:bench": false, "FL-bench:bench/val.pkl": true} {
		s, err := Load(t.Context(), name, o)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(s.UserNames, []string{"0", "1", "2", "3"}) || s.Mean[0] != base.Mean[0] || s.Hash() == base.Hash() {
			t.Errorf("%s: users %q, mean %v", name, s.UserNames, s.Mean)
		}
		// The images of client c are those whose index in both splits together is c modulo 4.
		var at [2]int
		for i := range 50 {
			place := i / 4 % 5
			if place == 1 && val {
				continue
			}
			k, split := 0, s.Train
			if place == 0 {
				k, split = 1, s.Test
			}
			from, j := base.Train, i
			if i >= 30 {
				from, j = base.Test, i-30
			}
			if !bytes.Equal(s.Image(split, at[k]), base.Image(from, j)) || split.Labels[at[k]] != byte(j%10) || split.Users[at[k]] != int32(i%4) {
				t.Errorf("%s: image %d of split %d is not image %d", name, at[k], k, i)
			}
			at[k]++
		}
		if s.Train.Len() != at[0] || s.Test.Len() != at[1] {
			t.Errorf("%s: %d + %d images, want %d", name, s.Train.Len(), s.Test.Len(), at)
		}
		if said := slices.Contains(s.Notes, "12 validation images are left out"); said != val {
			t.Errorf("%s: notes %q", name, s.Notes)
		}
	}
}

// without returns the options without one of Extra.
func (o LoadOptions) without(key string) LoadOptions {
	extra := map[string]string{}
	for k, v := range o.Extra {
		if k != key {
			extra[k] = v
		}
	}
	o.Extra = extra
	return o
}

func TestBadFLBench(t *testing.T) {
	dir := benchDir(t)
	o := LoadOptions{Dirs: []string{dir}, Extra: map[string]string{"set": "mnist"}}
	bench := filepath.Join(dir, "bench")
	stats, err := os.ReadFile(filepath.Join(bench, "all_stats.json"))
	if err != nil {
		t.Fatal(err)
	}
	fail := func(name string, o LoadOptions, words ...string) {
		t.Helper()
		_, err := Load(t.Context(), name, o)
		errtest.Want(t, err, words...)
	}
	fail("flbench:bench", o.without("set"), "--dataset-option set=NAME")
	fail("flbench:absent", o, "absent not found", "partition.pkl")
	fail("flbench:bench/map.json", o, "map.json", "no data_indices", "--partition-file")
	fail("flbench:bench", LoadOptions{Dirs: o.Dirs, Extra: map[string]string{"set": "minst"}}, "minst", "mnist")
	fail("flbench:bench", LoadOptions{Dirs: o.Dirs, Extra: map[string]string{"set": "cifar10"}}, "cifar10 not found")
	file := filepath.Join(bench, "x.json")
	for text, words := range map[string]string{
		`{"data_indices": [{"train": [1], "test": [2]}, {"train": [50]}]}`: `client "1": index 50 is out of range, because data set mnist has 50 images`,
		`{"data_indices": [{"train": [1], "test": [2]}, {"test": [2]}]}`:   `client "1": index 2 is used twice (also by client "0")`,
		`{"data_indices": [{"train": [1], "val": [2]}]}`:                   "1 training and 0 test images",
		`{"data_indices": [{"train": [1], "val": [2, 2]}]}`:                "index 2 is used twice",
		`{"data_indices": [{"train": [1], "test": [1]}]}`:                  "index 1 is used twice",
	} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		fail("flbench:bench/x.json", o, file, words)
	}
	for _, c := range [][3]string{
		{`"0": 3`, `"0": 4`, `client "0" has 3 images of label 0 in data set mnist, but all_stats.json says 4`},
		{`"y": {"0"`, `"y": {"9": 1, "0"`, `client "0" has images of 5 labels in data set mnist, but all_stats.json says 6`},
		{`}`, ``, "all_stats.json: not valid JSON"},
	} {
		changed := strings.Replace(string(stats), c[0], c[1], 1)
		write(t, bench, map[string][]byte{"all_stats.json": []byte(changed)})
		fail("flbench:bench", o, "partition.pkl", c[2])
	}
}
