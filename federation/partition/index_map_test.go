package partition

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

// This test reads a map of clients to indices, as JSON or as a pickle, and FL-bench's file if its splits are those of the set.
func TestReadIndexMap(t *testing.T) {
	s := labelSet(even(10, 3), even(10, 2)) // 30 + 20 images
	for _, file := range []string{"map.json", "map.pkl"} {
		p, err := Read(filepath.Join("../../internal/indexmap/testdata", file), s)
		if err != nil {
			t.Fatal(err)
		}
		if p.Kind != importedKind || len(p.Shards) != 12 {
			t.Fatalf("%s: kind %s, %d clients", file, p.Kind, len(p.Shards))
		}
		for c, sh := range p.Shards {
			var want []int32
			for i := c; i < 30; i += 12 {
				want = append(want, int32(i))
			}
			held := map[uint8]bool{}
			for _, i := range sh.Train {
				held[s.Train.Labels[i]] = true
			}
			if !slices.Equal(sh.Train, want) || len(sh.Test) != 2*len(held) {
				t.Errorf("%s: client %d has %v, tests on %v", file, c, sh.Train, sh.Test)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "p.json")
	for text, want := range map[string][]Shard{
		`{"data_indices": [{"train": [3, 1], "test": [49, 30]}, {"train": [0], "val": [], "test": [31]}]}`: {
			{Train: []int32{1, 3}, Test: []int32{0, 19}}, {Train: []int32{0}, Test: []int32{1}}},
		`{"10": {"train": [2], "test": [5, 4]}, "9": [7]}`: {{Train: []int32{7}, Test: nil}, {Train: []int32{2}, Test: []int32{4, 5}}},
	} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		p, err := Read(file, s)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		for c, w := range want {
			if got := p.Shards[c]; !slices.Equal(got.Train, w.Train) || w.Test != nil && !slices.Equal(got.Test, w.Test) {
				t.Errorf("%s: client %d is %+v", text, c, got)
			}
		}
	}
	for text, words := range map[string]string{
		`{"0": [1], "1": [30]}`:               "client 1: training index 30 is out of range",
		`{"0": [1], "1": [1]}`:                "client 1: training index 1 is used twice (also by client 0)",
		`{"0": [1], "1": []}`:                 "client 1 has no training samples",
		`{"0": {"train": [1], "test": [20]}}`: "client 0: test index 20 is out of range",
		`{"0": {"train": [1], "val": [2]}}`:   `client "0" has 1 validation images`,
		`{"1": {"train": [1], "test": []}, "0": {"train": [2], "test": [0]}}`: `the list of test images of client "1" is empty, but client "0" has test images`,
		`{"data_indices": [{"train": [1, 31], "test": [40]}]}`:                `client "0": its training index 31 is not among the 30 training images of data set labels`,
		`{"data_indices": [{"train": [1], "test": [29]}]}`:                    "--dataset flbench:FILE --dataset-option set=labels --partition natural",
		`{"0": [1`: "truncated JSON",
	} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := Read(file, s)
		errtest.Want(t, err, file+": ", words)
	}
	_, err := Read(t.TempDir(), s)
	errtest.Want(t, err, "a folder")
}

func FuzzDecodeIndexMap(f *testing.F) {
	for _, pattern := range []string{"*.pkl", "*.json"} {
		files, err := filepath.Glob(filepath.Join("../../internal/indexmap/testdata", pattern))
		if err != nil || len(files) == 0 {
			f.Fatal(files, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Add([]byte(`{"data_indices": [{"train": [3, 1], "test": [49, 30]}, {"train": [0], "val": [], "test": [31]}]}`))
	s := labelSet(even(10, 3), even(10, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p *Partition
		var err error
		alloctest.Within(t, 2<<20+2000*len(b), func() { p, err = decodeIndexMap(bytes.NewReader(b), int64(len(b)), s) })
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("error of several lines: %q", err)
			}
			return
		}
		if err := p.Check(s); err != nil {
			t.Error(err)
		}
		p.Stats(s)
	})
}
