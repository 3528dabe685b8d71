package data

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/indexmap"
)

// seed adds files to the corpus.
func seed(f *testing.F, pattern string, add func(b []byte)) {
	f.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		f.Fatal(pattern, files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		add(b)
	}
}

// oneLine fails the test if an error has several lines.
func oneLine(t *testing.T, err error) {
	t.Helper()
	if err != nil && strings.ContainsAny(err.Error(), "\n\r") {
		t.Errorf("error of several lines: %q", err)
	}
}

// sound fails the test if a set that was read is inconsistent, unless it has no pixels, which Load reports.
func sound(t *testing.T, s *Set, err error) {
	t.Helper()
	oneLine(t, err)
	if err != nil || s.Height == 0 || s.Width == 0 {
		return
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	s.warnings()
	s.scaleByTraining()
}

func FuzzMedMNIST(f *testing.F) {
	seed(f, "testdata/medmnist/*.npz", func(b []byte) { f.Add(b) })
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *Set
		var err error
		alloctest.Within(t, 16<<20+10000*len(b), func() { s, err = decodeMedMNIST(bytes.NewReader(b), int64(len(b))) })
		sound(t, s, err)
	})
}

func FuzzLEAF(f *testing.F) {
	seed(f, "testdata/leaf/*/*.json", func(b []byte) { f.Add(b) })
	f.Add([]byte(leafText))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := &leafSplit{users: map[string]*leafUser{}, scale: "unit"}
		var err error
		alloctest.Within(t, 2<<20+1000*len(b), func() { err = l.read(t.Context(), bytes.NewReader(b)) })
		oneLine(t, err)
		if err != nil {
			return
		}
		s := &Set{UserNames: sortedKeys(l.users)}
		s.addLEAF(&s.Train, l, nil)
		s.addLEAF(&s.Test, l, nil)
		sound(t, s, s.shapeLEAF("leaf", l.length, query{}))
	})
}

func FuzzPFLlib(f *testing.F) {
	for _, file := range []string{"grey/train/0.npz", "unit/train/1.npz", "unit/test/1.npz"} {
		z, err := openZip(filepath.Join(pflFixtures, file))
		if err != nil {
			f.Fatal(err)
		}
		b, err := readEntry(z.File[0], 1<<20)
		if err != nil {
			f.Fatal(err)
		}
		z.Close()
		f.Add(b, strings.HasPrefix(file, "unit"))
	}
	f.Fuzz(func(t *testing.T, b []byte, unit bool) {
		scale := "half"
		if unit {
			scale = "unit"
		}
		s := &Set{UserNames: []string{"0"}}
		var err error
		alloctest.Within(t, 2<<20+2000*len(b), func() {
			d, e := decodePFLData(b)
			if err = e; err == nil {
				err = s.addPFLClient(&s.Train, d, scale, 0, map[int]int{})
			}
		})
		if err == nil && s.Train.Len() == 0 {
			return
		}
		sound(t, s, err)
	})
}

func FuzzFLBench(f *testing.F) {
	base := &Set{
		Name: "tiny", Channels: 1, Height: 1, Width: 2, Classes: 10, Mean: []float32{0.5}, Std: []float32{0.5},
		Train: Images{Pixels: make([]byte, 60), Labels: labelsOf(30)}, Test: Images{Pixels: make([]byte, 40), Labels: labelsOf(20)},
	}
	stats, err := os.ReadFile(filepath.Join(mapsDir, "all_stats.json"))
	if err != nil {
		f.Fatal(err)
	}
	seed(f, mapsDir+"/*.pkl", func(b []byte) { f.Add(b, stats) })
	seed(f, mapsDir+"/*.json", func(b []byte) { f.Add(b, stats) })
	f.Fuzz(func(t *testing.T, b, stats []byte) {
		m, err := indexmap.Read(b)
		oneLine(t, err)
		if err != nil {
			return
		}
		var s *Set
		alloctest.Within(t, 2<<20+1000*(len(b)+len(stats)), func() {
			if s, err = divide(base, m); err == nil {
				err = compareLabels(stats, base, m)
			}
		})
		sound(t, s, err)
	})
}

// The input has the paths of a folder or a zip, one per line.
func FuzzLayout(f *testing.F) {
	f.Add("train/cat/1.jpg\ntest/cat/2.jpg\ntrain/dog/1.png")
	f.Add("photo/cat/1.jpg\nart/cat/2.jpg\nart/dog/readme.txt")
	f.Add("data/a/train/x/1.jpg\ndata/b/test/x/1.jpg\ndata/b/test/y/")
	f.Fuzz(func(t *testing.T, text string) {
		tr := &tree{root: "root", seen: map[string]string{}}
		for _, line := range strings.Split(text, "\n") {
			parts := strings.Split(line, "/")
			n := node{dirs: parts[:len(parts)-1], file: parts[len(parts)-1], place: line}
			if n.file == "" {
				tr.empty = append(tr.empty, n)
			} else if len(parts) <= maxTreeDepth {
				if err := tr.add(n); err != nil {
					return
				}
			}
		}
		var pictures []picture
		var err error
		alloctest.Within(t, 2<<20+1000*len(text), func() { pictures, err = parseLayout(tr) })
		if err != nil {
			return
		}
		train, test, _ := splits(pictures, 0.2, "no test folder")
		for _, p := range slices.Concat(train, test) {
			if p.class == "" && !slices.Contains(p.dirs, "") {
				t.Errorf("%s has no class", p.place)
			}
		}
	})
}
