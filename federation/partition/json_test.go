package partition

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
)

func TestPartitionRoundTrip(t *testing.T) {
	for _, kind := range Kinds() {
		s := richSet(kind, even(10, 60), even(10, 5))
		for _, holdout := range []float64{0, 0.25} {
			o := params(kind, func(o *Options) { o.Clients, o.Holdout = 12, holdout })
			p := mustPartition(t, s, o, 1<<63+1)
			p.Shards[3].LabelMap = []uint8{9, 8, 7, 6, 5, 4, 3, 2, 1, 0}
			for format, write := range map[string]func(io.Writer) error{"json": p.WriteJSON, "npz": p.WriteNPZ} {
				path := filepath.Join(t.TempDir(), "partition."+format)
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := errors.Join(write(f), f.Close()); err != nil {
					t.Fatal(err)
				}
				got, err := Read(path, s)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got, p) {
					t.Errorf("%s.%s: read back\n%+v\nwrote\n%+v", kind, format, got, p)
				}
			}
		}
	}
}

// Clients share test sets, both in memory after reading and in the file.
func TestPartitionSharesTestSets(t *testing.T) {
	s := labelSet(even(10, 600), even(10, 100))
	p := mustPartition(t, s, DefaultOptions(), 1)
	var out bytes.Buffer
	if err := p.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	got, err := Decode(&out, s)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []*Partition{p, got} {
		distinct := map[*int32]bool{}
		for _, sh := range q.Shards {
			distinct[&sh.Test[0]] = true
		}
		if len(distinct) != 5 {
			t.Errorf("%d test sets for 5 groups", len(distinct))
		}
	}
}

const goodPartition = `{"version":1,"kind":"by-hand","seed":0,"params":{"kind":"by-hand","clients":2},"data_set":"labels",` +
	`"clients":[{"group":0,"test_set":0,"train":[4,0]},{"group":1,"test_set":0,"label_map":[1,0],"train":[1]}],"test_sets":[[1,0]]}`

func TestReadPartitionByHand(t *testing.T) {
	p, err := Decode(strings.NewReader(goodPartition), labelSet([]int{3, 3}, []int{1, 1}))
	if err != nil {
		t.Fatal(err)
	}
	want := []Shard{{Train: []int32{0, 4}, Test: []int32{0, 1}}, {Train: []int32{1}, Test: []int32{0, 1}, LabelMap: []uint8{1, 0}}}
	if !reflect.DeepEqual(p.Shards, want) || !reflect.DeepEqual(p.Groups, []int{0, 1}) {
		t.Errorf("read %+v", p)
	}
}

// This is the simplest file of another program: the training indices of each client, as an object or a plain list.
func TestReadPartitionOfIndicesAlone(t *testing.T) {
	s := labelSet([]int{3, 3}, []int{1, 1})
	for _, text := range []string{
		`{"clients": [{"train": [3, 0]}, {"train": [1]}]}`,
		` [[3, 0], [1]]`,
		`{"version": 1, "clients": [{"train": [3, 0], "test_set": 0}, {"train": [1]}], "test_sets": [[0, 1]]}`,
	} {
		p, err := Decode(strings.NewReader(text), s)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		test := []int32{0, 1} // images of both classes
		if s.Train.Labels[0] == s.Train.Labels[3] {
			t.Fatal("the samples 0 and 3 must be of two classes")
		}
		one := []int32{int32(s.Train.Labels[1])}
		if s.Test.Labels[one[0]] != s.Train.Labels[1] {
			t.Fatal("the test samples must be in the order of their classes")
		}
		want := []Shard{{Train: []int32{0, 3}, Test: test}, {Train: []int32{1}, Test: one}}
		if !reflect.DeepEqual(p.Shards, want) || p.Kind != "imported" || p.DataSet != s.Name {
			t.Errorf("%s: read %+v", text, p)
		}
		var out bytes.Buffer
		if err := p.WriteJSON(&out); err != nil {
			t.Fatal(err)
		}
		if q, err := Decode(&out, s); err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%s: read back %+v, %v", text, q, err)
		}
	}
}

func TestReadPartitionBad(t *testing.T) {
	s := labelSet([]int{3, 3}, []int{1, 1})
	for _, c := range []struct {
		name, old, new string
		words          []string
	}{
		{"index beyond the set", "[4,0]", "[6,0]", []string{"client 0", "training index 6"}},
		{"negative index", "[4,0]", "[-1,0]", []string{"client 0", "training index -1"}},
		{"huge index", "[4,0]", "[99999999999,0]", []string{"99999999999", "whole number below 2147483648"}},
		{"index twice in a client", "[4,0]", "[4,4]", []string{"client 0", "index 4 is used twice"}},
		{"index in two clients", "[4,0]", "[4,1]", []string{"client 1", "index 1 is used twice", "client 0"}},
		{"no training samples", "[4,0]", "[]", []string{"client 0 has no training samples"}},
		{"test index beyond the set", "[[1,0]]", "[[1,2]]", []string{"client 0", "test index 2"}},
		{"test index twice", "[[1,0]]", "[[1,1]]", []string{"client 0", "test indices"}},
		{"no test samples", "[[1,0]]", "[[]]", []string{"client 0", "no test samples"}},
		{"no such test set", `"test_set":0,"label`, `"test_set":1,"label`, []string{"client 1", "test_set 1"}},
		{"another data set", `"labels"`, `"mnist"`, []string{"mnist", "labels"}},
		{"another copy", `"labels"`, `"labels","data_hash":"sha256:00"`, []string{"another copy", "sha256:00"}},
		{"label map short", "[1,0],", "[1],", []string{"client 1", "label map has 1 entries"}},
		{"label map out of range", "[1,0],", "[1,2],", []string{"client 1", "class 1 to 2"}},
		{"label map no label", "[1,0],", "[1,256],", []string{"client 1", "class 1 to 256"}},
		{"a group missing", `"group":1,`, ``, []string{"client 1", "group"}},
		{"group out of range", `"group":1`, `"group":2`, []string{"client 1", "group 2"}},
		{"version", `"version":1`, `"version":2`, []string{"version 2"}},
		{"unknown key", `"seed"`, `"sead"`, []string{"sead"}},
		{"wrong type", `"seed":0`, `"seed":"0"`, []string{"seed", "string"}},
		{"not JSON", `{"version"`, `<"version"`, []string{"byte 1"}},
		{"truncated", `"test_sets":[[1,0]]}`, ``, []string{"truncated"}},
		{"more follows", `[[1,0]]}`, `[[1,0]]}{}`, []string{"there is more text after"}},
		{"empty", goodPartition, ``, []string{"empty"}},
		{"null", goodPartition, `null`, []string{"no clients"}},
		{"an object of something else", goodPartition, `{"clients": {"0": [1]}}`, []string{"clients", "is an object", "must be a list"}},
		{"a number", goodPartition, `7`, []string{"the value", "must be an object with keys", "docs/partitions.md"}},
		{"a list of numbers", goodPartition, `[1, 2]`, []string{"is number", "must be a list"}},
		{"a list of texts", goodPartition, ` [["a"]]`, []string{"is a text", "must be a whole number"}},
		{"an empty list", goodPartition, `[]`, []string{"no clients"}},
		{"a list beyond the set", goodPartition, `[[0], [6]]`, []string{"client 1", "training index 6"}},
		{"more lists than samples", goodPartition, `[[0],[1],[2],[3],[4],[5],[],[]]`, []string{"8 clients", "6 training samples"}},
		{"a list and more", goodPartition, `[[0], [1]] 2`, []string{"there is more text after"}},
		{"a list with an index twice", goodPartition, `[[0], [0]]`, []string{"used twice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := strings.Replace(goodPartition, c.old, c.new, 1)
			if text == goodPartition {
				t.Fatal("nothing replaced")
			}
			path := filepath.Join(t.TempDir(), "partition.json")
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path, s)
			errtest.Want(t, err, append(c.words, path)...)
		})
	}
	_, err := Read(filepath.Join(t.TempDir(), "absent.json"), s)
	errtest.Want(t, err, "absent.json")
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(b []byte) (int, error) {
	if len(b) > d.left {
		return d.left, errors.New("no space left on device")
	}
	d.left -= len(b)
	return len(b), nil
}

func TestWritePartitionFullDisk(t *testing.T) {
	s := labelSet(even(10, 6000), even(10, 100))
	errtest.Want(t, mustPartition(t, s, DefaultOptions(), 1).WriteJSON(&fullDisk{left: 100000}), "no space left")
}

func FuzzDecodePartition(f *testing.F) {
	s := labelSet([]int{3, 3}, []int{1, 1})
	f.Add([]byte(goodPartition))
	f.Add([]byte(`[[4, 0], [1]]`))
	f.Add([]byte(`{"clients": [{"train": [4, 0]}, {"train": [1]}]}`))
	var out bytes.Buffer
	if err := mustPartition(f, s, params("iid", func(o *Options) { o.Clients = 2 }), 1).WriteJSON(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var p *Partition
		var err error
		alloctest.Within(t, 2<<20+1000*len(b), func() { p, err = Decode(bytes.NewReader(b), s) })
		if err != nil {
			return
		}
		p.Counts(s)
		var again bytes.Buffer
		if err := p.WriteJSON(&again); err != nil {
			t.Fatal(err)
		}
		q, err := Decode(&again, s)
		if err != nil {
			t.Fatalf("what was read does not read back: %v", err)
		}
		if len(q.Shards) != len(p.Shards) {
			t.Errorf("%d clients became %d", len(p.Shards), len(q.Shards))
		}
	})
}
