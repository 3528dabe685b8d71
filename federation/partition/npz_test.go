package partition

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"feddag/internal/alloctest"
	"feddag/internal/errtest"
	"feddag/internal/npy"
)

// Files that NumPy wrote, compressed and with other types, can be read. Missing test sets are the test images of the client's
// classes.
func TestReadPartitionOfNumPy(t *testing.T) {
	s := labelSet([]int{3, 3}, []int{2, 2})
	p, err := Read("testdata/partition.npz", s)
	if err != nil {
		t.Fatal(err)
	}
	var trains [][]int32
	for _, sh := range p.Shards {
		trains = append(trains, sh.Train)
	}
	if want := [][]int32{{0, 4, 5}, {1}, {2, 3}}; !reflect.DeepEqual(trains, want) {
		t.Errorf("training indices %v", trains)
	}
	if !slices.Equal(p.Groups, []int{0, 1, 0}) || !slices.Equal(p.HeldOut, []int{2}) || p.Kind != "imported" {
		t.Errorf("read %+v", p)
	}
	if p.Shards[0].LabelMap != nil || !slices.Equal(p.Shards[1].LabelMap, []uint8{1, 0}) {
		t.Errorf("label maps %v, %v", p.Shards[0].LabelMap, p.Shards[1].LabelMap)
	}
	for i, sh := range p.Shards {
		for _, j := range sh.Test {
			if !slices.Contains(heldLabels(p, s)[i], int(s.Test.Labels[j])) {
				t.Errorf("client %d tests on label %d", i, s.Test.Labels[j])
			}
		}
	}
}

// npz writes arrays as an .npz. A value has the bytes of a complete .npy.
func npz(t testing.TB, arrays map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := zip.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(arrays)) {
		w, err := zw.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(arrays[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func npyOf(t testing.TB, descr string, raw []byte, shape ...int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := npy.WriteHeader(&out, descr, shape); err != nil {
		t.Fatal(err)
	}
	return append(out.Bytes(), raw...)
}

func bytes8(t testing.TB, values ...byte) []byte { return npyOf(t, "|u1", values, len(values)) }

func TestReadPartitionNPZBad(t *testing.T) {
	s := labelSet([]int{3, 3}, []int{1, 1})
	meta := func(text string) []byte { return npyOf(t, "|u1", []byte(text), len(text)) }
	for _, c := range []struct {
		name   string
		change map[string][]byte
		words  []string
	}{
		{"index beyond the set", map[string][]byte{"train.npy": bytes8(t, 6, 1, 0)}, []string{"client 0", "training index 6"}},
		{"negative index", map[string][]byte{"train.npy": npyOf(t, "|i1", []byte{255, 1, 0}, 3)}, []string{"train.npy", "element 0 is -1"}},
		{"index twice", map[string][]byte{"train.npy": bytes8(t, 1, 0, 1)}, []string{"client 1", "index 1 is used twice", "client 0"}},
		{"floats", map[string][]byte{"train.npy": npyOf(t, "<f4", make([]byte, 12), 3)}, []string{"train.npy", "whole numbers"}},
		{"complex", map[string][]byte{"train.npy": npyOf(t, "<c8", make([]byte, 24), 3)}, []string{"train.npy", "<c8"}},
		{"objects", map[string][]byte{"train.npy": npyOf(t, "|O8", make([]byte, 24), 3)}, []string{"train.npy", "O8"}},
		{"no training indices", map[string][]byte{"train.npy": nil}, []string{"lacks", "train"}},
		{"no offsets", map[string][]byte{"train_offsets.npy": nil}, []string{"lacks", "train_offsets"}},
		{"offsets fall", map[string][]byte{"train_offsets.npy": bytes8(t, 0, 2, 1, 3)}, []string{"train_offsets.npy", "ascend"}},
		{"offsets short", map[string][]byte{"train_offsets.npy": bytes8(t, 0, 2)}, []string{"train_offsets.npy", "3 elements"}},
		{"nobody", map[string][]byte{"train_offsets.npy": bytes8(t, 0)}, []string{"train_offsets.npy"}},
		{"an empty client", map[string][]byte{"train_offsets.npy": bytes8(t, 0, 0, 3)}, []string{"client 0", "no training samples"}},
		{"groups short", map[string][]byte{"group.npy": bytes8(t, 0)}, []string{"group.npy", "(2,)"}},
		{"group out of range", map[string][]byte{"group.npy": bytes8(t, 0, 2)}, []string{"group.npy", "element 1 is 2"}},
		{"all held out", map[string][]byte{"held_out.npy": bytes8(t, 1, 1)}, []string{"2 of 2 clients"}},
		{"view without views", map[string][]byte{"view.npy": bytes8(t, 0, 1)}, []string{"view.npy", "element 1 is 1"}},
		{"label map of another shape", map[string][]byte{"label_map.npy": npyOf(t, "|u1", make([]byte, 6), 2, 3)}, []string{"label_map.npy", "(2, 2)"}},
		{"label map out of range", map[string][]byte{"label_map.npy": npyOf(t, "|u1", []byte{0, 1, 2, 0}, 2, 2)}, []string{"label_map.npy", "element 2 is 2"}},
		{"test without offsets", map[string][]byte{"test.npy": bytes8(t, 0)}, []string{"test_offsets"}},
		{"test sets for others", map[string][]byte{"test.npy": bytes8(t, 0, 1, 0), "test_offsets.npy": bytes8(t, 0, 1, 2, 3)}, []string{"3 test sets for 2 clients"}},
		{"test index beyond the set", map[string][]byte{"test.npy": bytes8(t, 0, 2), "test_offsets.npy": bytes8(t, 0, 1, 2)}, []string{"client 1", "test index 2"}},
		{"another data set", map[string][]byte{"meta.npy": meta(`{"version":1,"kind":"x","data_set":"mnist"}`)}, []string{"mnist", "labels"}},
		{"another copy", map[string][]byte{"meta.npy": meta(`{"version":1,"kind":"x","data_set":"labels","data_hash":"sha256:00"}`)}, []string{"another copy"}},
		{"another version", map[string][]byte{"meta.npy": meta(`{"version":2}`)}, []string{"meta.npy", "version 2"}},
		{"meta is not JSON", map[string][]byte{"meta.npy": meta(`x`)}, []string{"meta.npy", "byte 1"}},
		{"unknown array", map[string][]byte{"tain.npy": bytes8(t, 1)}, []string{"\"tain\"", "did you mean train?"}},
		{"no .npy", map[string][]byte{"train": bytes8(t, 1)}, []string{"train"}},
		{"huge shape", map[string][]byte{"group.npy": npyOf(t, "<i8", nil, 1<<30, 1<<30)}, []string{"group.npy", "is not a shape"}},
		{"more elements than samples", map[string][]byte{"group.npy": bytes8(t, 1, 2, 3, 4, 5, 6, 7)}, []string{"group.npy", "7 elements"}},
		{"truncated array", map[string][]byte{"train.npy": npyOf(t, "|u1", []byte{0, 1}, 3)}, []string{"train.npy", "truncated"}},
		{"Fortran order", map[string][]byte{"label_map.npy": bytes.Replace(npyOf(t, "|u1", make([]byte, 4), 2, 2), []byte("False,"), []byte("True ,"), 1)}, []string{"label_map.npy", "Fortran"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			arrays := map[string][]byte{"train.npy": bytes8(t, 4, 0, 1), "train_offsets.npy": bytes8(t, 0, 2, 3)}
			for name, raw := range c.change {
				arrays[name] = raw
				if raw == nil {
					delete(arrays, name)
				}
			}
			path := filepath.Join(t.TempDir(), "p.npz")
			if err := os.WriteFile(path, npz(t, arrays), 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Read(path, s)
			errtest.Want(t, err, append(c.words, path)...)
		})
	}
	whole := npz(t, map[string][]byte{"train.npy": bytes8(t, 4, 0, 1), "train_offsets.npy": bytes8(t, 0, 2, 3)})
	for _, raw := range [][]byte{whole[:len(whole)/2], []byte("PK"), []byte("P")} {
		path := filepath.Join(t.TempDir(), "p.npz")
		if err := os.WriteFile(path, raw, 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path, s)
		errtest.Want(t, err, path)
	}
	damaged := bytes.Clone(whole)
	at := bytes.Index(damaged, []byte{4, 0, 1})
	damaged[at] = 5 // still a valid index, so only the checksum shows the damage
	_, err := DecodeNPZ(bytes.NewReader(damaged), int64(len(damaged)), s)
	errtest.Want(t, err, "checksum")
}

// Equal partitions give equal files.
func TestNPZRepeats(t *testing.T) {
	s := labelSet(even(10, 60), even(10, 5))
	p := mustPartition(t, s, params("label-skew", func(o *Options) { o.Clients = 12 }), 1)
	var a, b bytes.Buffer
	if err := p.WriteNPZ(&a); err != nil {
		t.Fatal(err)
	}
	if err := p.WriteNPZ(&b); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("two files of one partition differ (%v)", err)
	}
	errtest.Want(t, p.WriteNPZ(&fullDisk{left: 1000}), "no space left")
}

func FuzzDecodePartitionNPZ(f *testing.F) {
	s := labelSet([]int{3, 3}, []int{2, 2})
	p := mustPartition(f, s, params("concept-shift", func(o *Options) {
		o.Clients, o.MinSamples, o.Holdout, o.Extra = 3, 1, 0.4, map[string]string{"base": "iid"}
	}), 1)
	var out bytes.Buffer
	if err := p.WriteNPZ(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes())
	numpy, err := os.ReadFile("testdata/partition.npz")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(numpy)
	f.Fuzz(func(t *testing.T, b []byte) {
		var p *Partition
		var err error
		alloctest.Within(t, 8<<20+5000*len(b), func() { p, err = DecodeNPZ(bytes.NewReader(b), int64(len(b)), s) })
		if err != nil {
			return
		}
		p.Stats(s)
		if _, _, err := p.Materialise(s); err != nil {
			t.Fatal(err)
		}
		var again bytes.Buffer
		if err := p.WriteNPZ(&again); err != nil {
			t.Fatal(err)
		}
		q, err := DecodeNPZ(bytes.NewReader(again.Bytes()), int64(again.Len()), s)
		if err != nil {
			t.Fatalf("what was read does not read back: %v", err)
		}
		if !reflect.DeepEqual(p, q) {
			t.Errorf("%+v became %+v", p, q)
		}
	})
}
